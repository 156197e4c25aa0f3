"""MJML to HTML by mrml, with the Liquid held back, and looked over first: mrml passes unknown elements through, says
little of where a mistake is, and overflows its stack when elements are nested deep.
"""

import re
from typing import Any

from mjml import mjml2html

from tidings.content._markup import TOKENS
from tidings.content._preheader import hide_well
from tidings.content._sources._held import Held, hold, refused

_DEEPEST = 60
_SECTIONS = (
    "mj-body mj-section mj-column mj-group mj-wrapper mj-hero mj-head mj-social mj-navbar mj-accordion mj-carousel"
)
_CONTAINERS = frozenset({"mjml", "mj-attributes", "mj-accordion-element", *_SECTIONS.split()})
"""Elements that hold elements, not text: Liquid in them goes into `mj-raw`."""
_TEXTS = "mj-text mj-button mj-table mj-raw mj-title mj-preview mj-style mj-navbar-link mj-social-element"
_OTHERS = (
    "mj-image mj-divider mj-spacer mj-accordion-title mj-accordion-text mj-carousel-image mj-font mj-breakpoint "
    "mj-all mj-class mj-html-attributes mj-selector mj-html-attribute"
)
_KNOWN = _CONTAINERS | frozenset(_TEXTS.split()) | frozenset(_OTHERS.split())
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
_NO_RAW = frozenset({"mjml", "mj-attributes"})
_NAME = re.compile(r"([\w:-]+)(.*)", re.DOTALL)
_POSITION = re.compile(r"\s*(?:in root template)?\s*(?:at position (\d+):(\d+))?\s*$")


def mjml_to_html(source: str, *, field: str) -> str:
    """HTML of an MJML document whose Liquid stands where it stood, its preview hidden well.

    Raises TemplateInvalid with line and column.
    """
    held = hold(source)
    pieces, places = _checked(held, field)
    ready = "".join(pieces)
    try:
        html: Any = mjml2html(ready)
    except ValueError as error:
        message = str(error)
        found = _POSITION.search(message)
        at = int(found[1]) if found and found[1] else 0
        # mrml counts bytes.
        at = len(ready.encode()[:at].decode(errors="ignore"))
        raise refused(field, source, _source_position(held, places, at), _POSITION.sub("", message)) from None
    html = str(html)
    lost = held.lost(html)
    if lost is not None:
        at = held.position(held.starts[lost])
        raise refused(field, source, at, "Liquid cannot stand here: MJML needs to know this value, or leaves it out")
    return hide_well(held.restore(html))


def _source_position(held: Held, places: list[tuple[int, int]], at: int) -> int:
    """`places`: (position in what mrml read, in the masked text), ascending."""
    before = [place for place in places if place[0] <= at]
    ready, masked = before[-1] if before else (0, 0)
    return held.position(min(masked + at - ready, len(held.masked.text)))


def _checked(held: Held, field: str) -> tuple[list[str], list[tuple[int, int]]]:
    """What mrml is to read, as pieces. Raises TemplateInvalid for what is not well-formed, or not MJML."""
    text = held.masked.text
    pieces: list[str] = []
    places: list[tuple[int, int]] = []
    length = 0
    open_: list[tuple[str, int]] = []

    def wrong(at: int, message: str) -> Exception:
        return refused(field, held.source, held.position(at), message)

    def put(piece: str, at: int) -> None:
        nonlocal length
        places.append((length, at))
        pieces.append(piece)
        length += len(piece)

    def between(start: int, end: int) -> None:
        run = text[start:end]
        parent = open_[-1][0] if open_ else ""
        if held.masked.atom not in run or parent not in _CONTAINERS:
            if open_ or not run.strip():
                put(held.words(run, held.before(start)), start)
            else:
                raise wrong(start + len(run) - len(run.lstrip()), "nothing may stand outside of <mjml>")
            return
        if parent in _NO_RAW:
            raise wrong(start + run.index(held.masked.atom), f"Liquid cannot stand in <{parent}>")
        put(f"<mj-raw>{held.words(run, held.before(start))}</mj-raw>", start)

    done = 0
    for token in TOKENS.finditer(text):
        at = token.start()
        between(done, at)
        done = token.end()
        whole = held.words(token[0], held.before(at))
        if token["hidden"] is not None:
            put(whole, at)
            continue
        # TOKENS ends a name at a hyphen, which is all that HTML needs.
        name, attributes = _NAME.match(token["name"] + token["attributes"]).group(1, 2)  # type: ignore[union-attr]
        name = name.lower()
        if name == "mj-include":
            raise wrong(at, "mj-include is not available: use {% render 'name' %} and shared blocks")
        if name.startswith("mj") and name not in _KNOWN:
            raise wrong(at, f"there is no element <{name}> in MJML")
        if not token[0].endswith(">"):
            raise wrong(at, f"<{token['close']}{name} is never closed by '>'")
        if token["close"]:
            if not open_:
                raise wrong(at, f"</{name}> closes nothing")
            if open_[-1][0] != name:
                raise wrong(at, f"</{name}> where </{open_[-1][0]}> was expected")
            open_.pop()
        elif name not in _VOID and not attributes.rstrip().endswith("/"):
            if not open_ and name != "mjml":
                raise wrong(at, f"<mjml> was expected, not <{name}>")
            open_.append((name, at))
            if len(open_) > _DEEPEST:
                raise wrong(at, f"elements are nested more than {_DEEPEST} deep")
        put(whole, at)
    between(done, len(text))
    if open_:
        raise wrong(open_[-1][1], f"<{open_[-1][0]}> is never closed")
    return pieces, places
