"""Every operation, with bodies and queries that are nearly right: whatever comes, the answer is no fault of ours."""

import random
from typing import Any
from urllib.parse import quote

import orjson

from api_client import Client
from api_world import make_world, operations
from tidings import accounts
from tidings.bootstrap import App
from tidings.core.clock import utc_now

ROUNDS = 10
ENDLESS = {"follow_import", "follow_campaign", "stream_campaign"}
"""Streams of events."""

TEXTS = (
    "", " ", "a" * 256, "x" * 70_000, "\u202egnp.exe", "аdmin@example.com", "Ann\r\nBcc: eve@example.com", "\u2028", "\ufeff",
    "a\u0300" * 200, "💥" * 100, "'; DROP TABLE contacts; --", "%' OR '1'='1", "\\", "%", "_", "${1}", "$1", "{{ 7 | times: 7 }}",
    "{% raw %}", "{%", "<script>alert(1)</script>", "=HYPERLINK(1)", "@SUM(1)", "-1+1", "ann@example.com", "ANN@EXAMPLE.COM ",
    "ann@xn--exmple-cua.com", "ann@exämple.com", '"a b"@example.com', "a@[127.0.0.1]", "a@b", "a@" + "b." * 120 + "com",
    "http://[::1", "https://example.com:99999", "javascript:alert(1)", "https://example.com/ü?ü=谢", "//example.com", "null",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30", "contact_1", "list_1", "segment_1", "template_1",
    "contact_9223372036854775807", "list_9223372036854775808", "٣", "en-US", "Europe/Berlin", "../../etc/passwd", "1e400",
)  # fmt: skip
NUMBERS = (0, -1, 1, 2**31 - 1, 2**31, 2**53, 2**63 - 1, -(2**63), 2**64 - 1, 0.1, -0.0, 1e308, 5e-324)


def anything(dice: random.Random, depth: int = 0) -> Any:
    """Some JSON value."""
    kind = dice.randrange(7 if depth < 3 else 4)
    if kind == 0:
        return dice.choice((None, True, False))
    if kind == 1:
        return dice.choice(NUMBERS)
    if kind in {2, 3}:
        return dice.choice(TEXTS)
    if kind == 4:
        return [anything(dice, depth + 1) for _ in range(dice.randrange(4))]
    names = (
        "and",
        "or",
        "not",
        "field",
        "operator",
        "value",
        "email",
        "name",
        "a",
        "",
        "💥",
        "a.b",
        "attributes",
        "from",
    )
    return {dice.choice(names): anything(dice, depth + 1) for _ in range(dice.randrange(4))}


def nearly(good: Any, dice: random.Random) -> Any:
    """The value with one place changed: replaced, left out, doubled, or shuffled about."""
    if isinstance(good, dict) and good and dice.random() < 0.85:
        name = dice.choice(list(good))
        changed = dict(good)
        changed[name] = nearly(good[name], dice)
        return changed
    if isinstance(good, list) and good and dice.random() < 0.7:
        at = dice.randrange(len(good))
        return [*good[:at], nearly(good[at], dice), *good[at:]] if dice.random() < 0.3 else [nearly(good[at], dice)]
    if isinstance(good, str) and dice.random() < 0.7:
        return dice.choice(
            (dice.choice(TEXTS), good + dice.choice(TEXTS), dice.choice(TEXTS) + good, good * 2, good[1:])
        )
    if isinstance(good, (int, float)) and dice.random() < 0.7:
        return dice.choice(NUMBERS)
    return anything(dice)


def of_query(schema: dict[str, Any], dice: random.Random) -> str:
    """A value for a query parameter: mostly one that its schema may take."""
    kinds = [schema, *schema.get("anyOf", [])]
    some = [value for kind in kinds for value in kind.get("enum", [])]
    if any(kind.get("type") in {"integer", "number"} for kind in kinds):
        some += [str(number) for number in NUMBERS]
    return quote(str(dice.choice([*some, *TEXTS] if dice.random() < 0.5 or not some else some)[:3000]), safe="")


async def test_nothing_that_is_sent_is_our_fault(api: Client, app: App) -> None:
    dice = random.Random(20261125)
    async with app.db.transaction() as tx:
        key = await accounts.create_api_key(
            tx, workspace=api.workspace, name="all", scopes=["*", "operator"], now=utc_now()
        )
    client, world = api.with_key(key), await make_world(api)
    faults: list[Any] = []
    for method, path, name, operation in await operations(api):
        if name in ENDLESS or method == "DELETE":
            continue
        parameters = [p for p in operation.get("parameters", []) if p["in"] == "query"]
        takes_json = "application/json" in operation.get("requestBody", {}).get("content", {})
        if not parameters and not takes_json:
            continue
        for _ in range(ROUNDS):
            some = dice.sample(parameters, dice.randrange(len(parameters) + 1))
            query = "&".join(f"{p['name']}={of_query(p['schema'], dice)}" for p in some)
            body = nearly(world.bodies()[name], dice) if takes_json else None
            raw = None if not takes_json else orjson.dumps(body)
            target = world.path(path) + (f"?{query}" if query else "")
            answer = await client(method, target, raw)
            if answer.status >= 500:
                faults.append((method, target[:300], raw and raw[:300], answer.status, answer.json))
    assert faults == []
