"""The page of the language: every example on it runs, every operator has one, and the schema knows what the page knows."""
# ruff: noqa: E501 - see test_segments_fuzz.py

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tidings.audience import segments
from tidings.audience.segments._operators import Operator
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import WorkspaceId

PAGE = Path(__file__).parents[2] / "docs/reference/segments.md"


def examples() -> list[Any]:
    found: list[Any] = []
    decoder = json.JSONDecoder()
    for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        rest = block.strip()
        while rest:
            one, end = decoder.raw_decode(rest)
            found.append(one)
            rest = rest[end:].strip()
    return found


def leaves(part: Any) -> list[dict[str, Any]]:
    if "field" in part:
        return [part]
    inner = part.get("and") or part.get("or") or [part["not"]]
    return [leaf for one in inner for leaf in leaves(one)]


async def test_every_example_runs(db: Database, workspace: int) -> None:
    async with db.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        for table in ("lists", "segments", "campaigns"):
            more = {"lists": ("", ""), "segments": (", conditions", """, '{"field": "status", "operator": "=", "value": "active"}'"""),
                    "campaigns": (", subject, template_id, sender_email, sender_name, list_ids", ", '', 1, '', '', '{}'")}[table]  # fmt: skip
            await tx.execute(
                f"""INSERT INTO {table} (workspace_id, id, name, created_at, updated_at{more[0]})
                    SELECT $1, i, i::text, now(), now(){more[1]} FROM generate_series(1, 2) i""",  # noqa: S608
                workspace,
            )
        for example in examples():
            members = await segments.conditions_members(
                tx, workspace=WorkspaceId(workspace), conditions=example, first=2, now=utc_now()
            )
            await tx.fetch(members.sql, workspace, *members.values)


def test_every_operator_has_an_example() -> None:
    used = {leaf["operator"] for example in examples() for leaf in leaves(example)}
    assert used == {str(operator) for operator in Operator}


@pytest.mark.parametrize("example", [leaf for example in examples() for leaf in leaves(example)], ids=json.dumps)
def test_the_schema_knows_every_example(example: dict[str, Any]) -> None:
    matching = [
        name
        for name, schema in segments.conditions_schemas().items()
        if "field" in schema.get("properties", {}) and _fits(example, schema["properties"])
    ]
    assert len(matching) == 1, matching


def _fits(example: dict[str, Any], properties: dict[str, Any]) -> bool:
    field, taken = properties["field"], properties["field"].get("not", {}).get("anyOf", [])
    name = example["field"]
    return (
        example.keys() <= properties.keys()
        and example["operator"] in properties["operator"]["enum"]
        and name in field.get("enum", [name])
        and bool(re.search(field.get("pattern", ""), name))
        and not any(
            name in one.get("enum", []) or ("pattern" in one and re.search(one["pattern"], name)) for one in taken
        )
    )
