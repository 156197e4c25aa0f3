"""What changed between two versions."""

import asyncio
from dataclasses import dataclass
from difflib import unified_diff
from itertools import takewhile
from typing import Protocol

from tidings.content._templates import get_template
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


async def diff_versions(tx: Tx, *, workspace: WorkspaceId, template: TemplateId, older: int, newer: int) -> Difference:
    """What became of version `older` in version `newer`. Raises TemplateNotFound."""
    one, other = [
        await get_template(tx, workspace=workspace, template=template, version=version) for version in (older, newer)
    ]
    fields = "subject", "html_content", "text_content", "preheader"
    return Difference(older, newer, **await differences(one, other, *fields))


class Versioned(Protocol):
    """Something at one of its versions."""

    @property
    def version(self) -> int:
        """Counted from 1."""
        ...


async def differences(one: Versioned, other: Versioned, *fields: str) -> dict[str, str]:
    """Unified diffs of these fields. In a thread: others are waiting on the loop."""

    def of(field: str) -> str:
        names = f"{field} of version {one.version}", f"{field} of version {other.version}"
        return unified(getattr(one, field), getattr(other, field), *names)

    return await asyncio.to_thread(lambda: {field: of(field) for field in fields})


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
