"""The text that a part's document is in: its own, or the block at the end of the chain that it extends.

What is put round a message, footer, preheader and pixel, goes in there: nothing after an `extends` is written.
"""

from collections.abc import Callable
from dataclasses import replace

from liquid.exceptions import LiquidError

from tidings.content._inheritance import ExtendsNode
from tidings.content._parse import invalid_at, parse, walk
from tidings.content._parts import Parts

_WORD = "extends"


def extended(source: str) -> str:
    """The block that a text extends, '' if none. Raises TemplateInvalid."""
    node = _extends(Parts(source), html=False, field="template")
    return str(node.name) if node else ""


def document_of(parts: Parts) -> str:
    """The name of the block that the document is in, '' for the part's own text. Raises TemplateInvalid."""
    last, name, seen = "", extended(parts.main), {""}
    while name not in seen and name in parts.blocks:
        seen.add(name)
        last, name = name, extended(parts.blocks[name])
    return last


def edit_document(parts: Parts, edit: Callable[[str], str]) -> Parts:
    """The parts with their document changed. Raises TemplateInvalid."""
    name = document_of(parts)
    if not name:
        return parts.with_main(edit(parts.main))
    return replace(parts, blocks={**parts.blocks, name: edit(parts.blocks[name])})


def check_extends(parts: Parts, *, html: bool, field: str) -> None:
    """Raise TemplateInvalid if a part cannot extend as it does: under a condition, after something else, twice, for ever.

    python-liquid lets some of it pass; then nobody could tell beforehand which text a message's footer must be in.
    """
    node = _extends(parts, html=html, field=field)
    if node is None:
        return
    template = parse(parts, html=html, field=field)
    found = [one for one in walk(template) if isinstance(one, ExtendsNode)]
    node = found[-1]
    message = ""
    if len(found) > 1:
        message = "a template extends one block, not several"
    elif node not in template.nodes:
        message = "'extends' must stand outside of all other tags"
    elif any(not one.blank for one in template.nodes[: template.nodes.index(node)]):
        message = "'extends' must come first: what stands before it would be written before all that it extends"
    if message:
        raise invalid_at(field, parts.main, node.token.start_index, message)
    try:
        node.base(template.context_class(template))
    except LiquidError as error:
        token = error.token or node.token
        at = token.start_index if token.source == parts.main else node.token.start_index
        raise invalid_at(field, parts.main, at, str(error.message)) from None


def _extends(parts: Parts, *, html: bool, field: str) -> ExtendsNode | None:
    if _WORD not in parts.main:
        return None  # as in most: parsing takes longer than all else that is done to them
    nodes = walk(parse(Parts(parts.main), html=html, wire=True, field=field))
    return next((one for one in nodes if isinstance(one, ExtendsNode)), None)
