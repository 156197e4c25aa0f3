"""The blocks that a template reaches, put together with it into one text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidings.content._outermost import check_extends
from tidings.content._parse import TemplateInvalid, invalid_at, parse, rendered_blocks
from tidings.content._parts import Parts
from tidings.content._plaintext import plain_text
from tidings.core.db import Tx, sql
from tidings.core.ids import WorkspaceId

_TAGS = ("render", "include", "extends")


@dataclass(frozen=True, slots=True)
class Shared:
    """A block as others see it."""

    html: str
    text: str
    """Never derived any more."""
    uses: tuple[str, ...]


async def load_shared(tx: Tx, *, workspace: WorkspaceId, names: Iterable[str]) -> dict[str, Shared]:
    """These blocks and all that they render. Those that are named stay until the transaction ends."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    await tx.execute(
        "SELECT FROM blocks WHERE workspace_id = $1 AND name = ANY($2) ORDER BY name FOR KEY SHARE", workspace, wanted
    )
    rows = await tx.fetch(sql(__package__, "_reachable_blocks"), workspace, wanted)
    return {
        row["name"]: Shared(
            row["html_content"], row["text_content"] or block_text(row["html_content"]), tuple(row["uses"])
        )
        for row in rows
    }


def block_text(html: str) -> str:
    """The text of a block that has none."""
    return plain_text(html).rstrip("\n")


def names_in(*sources: str) -> list[str]:
    """Blocks that are named in these sources, as far as they can be read."""
    found: dict[str, None] = {}
    for source in sources:
        if not any(tag in source for tag in _TAGS):
            continue  # most render none, and reading them would take longer than all else that a launch does
        try:
            found |= dict.fromkeys(rendered_blocks(parse(Parts(source), html=False), "template"))
        except TemplateInvalid:
            continue  # whoever checks the source says so
    return list(found)


def with_shared(
    source: str, shared: Mapping[str, Shared], *, html: bool, strict: bool, field: str, also: str = ""
) -> Parts:
    """A source with the blocks it reaches, and those that `also` does, which will stand in one of them.

    Raises TemplateInvalid for one that is not there, and for what cannot be extended.
    """
    template = parse(Parts(source), html=html, field=field)
    reached: dict[str, str] = {}
    waiting = rendered_blocks(template, field)
    for name, index in waiting.items():
        if name not in shared:
            raise invalid_at(field, source, index, f"there is no block named '{name}'")
    names = [*waiting, *(name for name in names_in(also) if name in shared)]
    for name in names:
        block = shared.get(name)
        if block and name not in reached:
            reached[name] = block.html if html else block.text
            names += block.uses
    parts = Parts(source, dict(sorted(reached.items())), strict)
    check_extends(parts, html=html, field=field)
    return parts
