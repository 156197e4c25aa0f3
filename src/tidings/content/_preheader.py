"""The preheader: what an inbox shows beside the subject. It stands first in the HTML, where nobody sees it.

Inboxes take the first words of the body, whatever hides them, and go on with the next until their line is full; so
characters without a shape, and spaces between them, come after it.
"""

import html
import re

from tidings.content._markup import TOKENS, Masked, mask
from tidings.content._outermost import edit_document, extended
from tidings.content._parse import TemplateInvalid, parse
from tidings.content._parts import Parts

MAX_PREHEADER = 500
"""Characters of Liquid."""
# Each keeps it out of sight somewhere: `mso-hide` in Outlook on Windows, sizes where `display` is taken away, `opacity`
# and colour where sizes are.
_STYLE = (
    "display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;"
    "color:transparent;mso-hide:all"
)
_PADDING = "&#847;&zwnj;&nbsp;" * 120
"""Wider than what any inbox shows. Without the first two the spaces would be run together."""
_PADDED = re.compile(r"(?:&#847;|&zwnj;|&#8199;|&shy;|\u034f|\u200c|\u2007|\u00ad)(?:\s|\u00a0|&nbsp;)*\Z")
_HIDDEN = re.compile(
    r"\s*+(?:<!--(?!\[if\b)(?:(?!-->).){0,1000}+-->\s*+)*+<(?P<name>div|span|p)\b(?P<attributes>[^<>]{0,1000})>"
    r"(?P<inside>[^<]{0,5000})</(?P=name)\s*>",
    re.IGNORECASE | re.DOTALL,
)
_NOT_SHOWN = re.compile(r"\bdisplay\s{0,9}:\s{0,9}none\b", re.IGNORECASE)
_SETS = re.compile(r"\{%-?\s*(?:assign|capture|increment|decrement|liquid|cycle)\b")
_DOCTYPE = re.compile(r"\s*+<!doctype\b[^<>]{0,500}>", re.IGNORECASE)
_ASSIGNING = re.compile(r"\{%-?\s*(?:assign|comment|#)")


def with_preheader(source: str, preheader: str) -> str:
    """The HTML with the preheader after `<body>`, in place of what its author hid there, if anything. Both are Liquid.

    HTML that extends a block is as it was: see `with_preheader_within`.
    """
    if not preheader.strip() or extended(source):
        return source
    return _put(source, _element(_escaped(preheader)))


def with_preheader_within(parts: Parts, preheader: str) -> Parts:
    """The same of HTML that extends a block: the preheader stands in that. Other HTML is as it was."""
    if not preheader.strip() or not extended(parts.main):
        return parts
    return edit_document(parts, lambda text: _put(text, _element(_escaped(preheader))))


def hide_well(source: str) -> str:
    """The HTML with what is hidden at its beginning hidden from every client, and padded."""
    masked = mask(source)
    at = _places(masked)[0]
    found = _hidden(masked, at)
    if found is None:
        return source
    inside = masked.restore(found["inside"], masked.text.count(masked.atom, 0, found.start("inside")))
    return _put(source, _element(inside, padded=_PADDED.search(inside) is not None))


def _element(inside: str, *, padded: bool = False) -> str:
    return f'<div style="{_STYLE}">{inside.strip()}{"" if padded else _PADDING}</div>'


def _escaped(text: str) -> str:
    """Text as HTML, but for its Liquid."""
    masked = mask(text)
    return masked.restore(html.escape(masked.text, quote=False), 0)


def _put(source: str, element: str) -> str:
    masked = mask(source)
    text, pieces, done = masked.text, list[str](), 0
    for at in _places(masked):
        pieces += [masked.restore(text[done:at], text.count(masked.atom, 0, done)), element]
        done = _end_of_hidden(masked, at)
    return "".join([*pieces, masked.restore(text[done:], text.count(masked.atom, 0, done))])


def _places(masked: Masked) -> list[int]:
    """Where it may stand: after `<body>`; after each of several, if conditions decide which one there is."""
    text = masked.text
    bodies: list[int] = []
    head = 0
    for token in TOKENS.finditer(text):
        name = (token["name"] or "").lower()
        if name == "body" and not token["close"]:
            bodies.append(token.end())
        elif (name == "html" and not token["close"]) or (name == "head" and token["close"]):
            head = head if bodies else token.end()
    if bodies:
        alone = len(bodies) == 1 or _reads(masked.restore(text[: bodies[0]], 0))
        return bodies[:1] if alone else bodies
    return [_after_assignments(masked, head)]


def _after_assignments(masked: Masked, at: int) -> int:
    """Without a body: as early as can be, but for what the template sets for all that follows."""
    text = masked.text
    if at == 0 and (found := _DOCTYPE.match(text)):
        at = found.end()
    number = text.count(masked.atom, 0, at)
    follows = at
    while True:
        while text[follows : follows + 1].isspace():
            follows += 1
        if text[follows : follows + 1] != masked.atom or not _ASSIGNING.match(masked.liquid[number]):
            return at if _reads(masked.restore(text[:at], 0)) else 0
        follows, number = follows + 1, number + 1
        at = follows


def _end_of_hidden(masked: Masked, at: int) -> int:
    """The end of what is hidden from here on, of which nothing else has need."""
    while (found := _hidden(masked, at)) is not None:
        stretch = masked.restore(found[0], masked.text.count(masked.atom, 0, found.start()))
        if _SETS.search(stretch) or not _reads(stretch):
            break
        at = found.end()
    return at


def _hidden(masked: Masked, at: int) -> "re.Match[str] | None":
    found = _HIDDEN.match(masked.text, at)
    return found if found and _NOT_SHOWN.search(found["attributes"]) else None


def _reads(source: str) -> bool:
    """Is this stretch of a template one by itself?"""
    try:
        parse(source, html=True)
    except TemplateInvalid:
        return False
    return True
