"""What changed between two versions."""

import asyncio
from dataclasses import dataclass
from difflib import unified_diff
from itertools import takewhile
from typing import Protocol

import orjson

from tidings.content._sources import SourceType
from tidings.content._templates import Template, get_template
from tidings.core.db import Tx
from tidings.core.ids import TemplateId, WorkspaceId

_MOST_PAIRS = 4_000_000
"""Of lines to compare: comparing more takes seconds."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Unified diffs, '' where nothing changed."""

    older: int
    newer: int
    subject: str
    html_content: str
    text_content: str
    preheader: str
    source: str
    """Of MJML and Markdown as it was written; a block document with a line for each value. '' for templates in HTML."""


async def diff_versions(tx: Tx, *, workspace: WorkspaceId, template: TemplateId, older: int, newer: int) -> Difference:
    """What became of version `older` in version `newer`. Raises TemplateNotFound."""
    one, other = [
        await get_template(tx, workspace=workspace, template=template, version=version) for version in (older, newer)
    ]
    fields = "subject", "html_content", "text_content", "preheader"
    written = _source(one), _source(other)
    source = await asyncio.to_thread(unified, *written, *_names("source", one, other))
    return Difference(older, newer, **await differences(one, other, *fields), source=source)


class Versioned(Protocol):
    """Something at one of its versions."""

    @property
    def version(self) -> int:
        """Counted from 1."""
        ...


async def differences(one: Versioned, other: Versioned, *fields: str) -> dict[str, str]:
    """Unified diffs of these fields. In a thread: others are waiting on the loop."""

    def of(field: str) -> str:
        return unified(getattr(one, field), getattr(other, field), *_names(field, one, other))

    return await asyncio.to_thread(lambda: {field: of(field) for field in fields})


def _names(field: str, one: Versioned, other: Versioned) -> tuple[str, str]:
    return f"{field} of version {one.version}", f"{field} of version {other.version}"


def _source(template: Template) -> str:
    if template.source_type is not SourceType.BLOCKS:
        return template.source
    return orjson.dumps(orjson.loads(template.source), option=orjson.OPT_INDENT_2).decode()


def unified(before: str, after: str, before_name: str, after_name: str) -> str:
    """A unified diff with three lines of context. Of texts that share too little, all is taken out and put in."""
    if before == after:
        return ""
    old, new = before.split("\n"), after.split("\n")
    if _middle(old, new) <= _MOST_PAIRS:
        return "\n".join(unified_diff(old, new, before_name, after_name, lineterm=""))
    head = [f"--- {before_name}", f"+++ {after_name}", f"@@ -1,{len(old)} +1,{len(new)} @@"]
    return "\n".join([*head, *(f"-{line}" for line in old), *(f"+{line}" for line in new)])


def _middle(old: list[str], new: list[str]) -> int:
    """Pairs of lines between the beginning and the end that both have in common."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    rest_old, rest_new = old[same:], new[same:]
    pairs = zip(reversed(rest_old), reversed(rest_new), strict=False)
    end = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return (len(rest_old) - end) * (len(rest_new) - end)
