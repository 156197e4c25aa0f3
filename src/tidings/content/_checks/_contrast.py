"""Contrast of text against what is behind it, where both are known without a browser."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tidings.content._checks._colours import Colour, as_hex, contrast, read_colour
from tidings.content._checks._findings import Finding, Severity, rule
from tidings.content._checks._page import Element, Page

LOW = rule(
    "contrast_low",
    Severity.WARNING,
    "text that is hard to tell from its background",
    "darken one or lighten the other: 4.5 to 1 for text, 3 to 1 for large text",
    "WCAG 2.2, 1.4.3 (AA)",
)
_DECLARATION = re.compile(
    r"(?:^|[;\s])(color|background(?:-color|-image)?|font-size|font-weight|display)\s*+:\s*+([^;]{1,200}+)"
)
_UNDECIDED = re.compile(r"url\(|gradient\(|var\(|image-set", re.IGNORECASE)
_COLOUR = re.compile(r"#[0-9a-f]{3,8}\b|rgba?\([^()]{1,80}\)|\b[a-z]{3,20}\b", re.IGNORECASE)
_LENGTH = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)(px|pt|em|rem|%)?")
_BOLD = frozenset({"bold", "bolder", "600", "700", "800", "900"})
_SIZES = {"h1": 32.0, "h2": 24.0, "h3": 18.72, "small": 13.0}
_MUCH_TOO_LOW = 3.0


@dataclass(frozen=True, slots=True)
class _Look:
    """How text in an element looks; None for what cannot be known."""

    colour: Colour | None = (0, 0, 0)
    behind: Colour | None = (255, 255, 255)
    pixels: float = 16.0
    bold: bool = False
    hidden: bool = False


def check_contrast(page: Page, styled: Page) -> Iterator[Finding]:
    """`styled` is the same page with the rules of its `<style>` written into the elements."""
    if len(page.elements) != len(styled.elements):
        return  # the inliner met something that it reads otherwise than we do
    looks: list[_Look] = []
    for element in styled.elements:
        above = looks[element.parent] if element.parent >= 0 else _Look()
        looks.append(_look(element, above, styled.atom))
    seen: set[tuple[Colour, Colour, bool]] = set()
    for start, end, index in page.runs:
        look = looks[index] if index >= 0 else _Look()
        if look.hidden or look.pixels < 2 or look.colour is None or look.behind is None:
            continue
        if not any(char.isalnum() or char == page.atom for char in page.text[start : min(end, start + 200)]):
            continue
        large = look.pixels >= 24 or (look.bold and look.pixels >= 18.66)
        ratio = contrast(look.colour, look.behind)
        key = (look.colour, look.behind, large)
        if ratio >= (3.0 if large else 4.5) or key in seen:
            continue
        seen.add(key)
        shown = page.text[start:end]
        lead = len(shown) - len(shown.lstrip())
        yield LOW.at(
            page.place(start + lead, end),
            f"{as_hex(look.colour)} on {as_hex(look.behind)} has a contrast of {int(ratio * 100) / 100} to 1; "
            f"{'large text needs 3' if large else 'text needs 4.5'}",
            severity=Severity.WARNING if ratio < _MUCH_TOO_LOW else Severity.HINT,
        )


def _look(element: Element, above: _Look, atom: str) -> _Look:
    look = above
    if element.name == "a" and "href" in element.attributes:
        look = replace(look, colour=(0, 0, 238))
    if element.name in _SIZES:
        look = replace(look, pixels=_SIZES[element.name])
    if element.name in {"b", "strong", "th", "h1", "h2", "h3", "h4"}:
        look = replace(look, bold=True)
    if element.name in {"head", "title", "script", "style", "noscript"}:
        look = replace(look, hidden=True)
    for name in ("bgcolor", "background"):
        if name in element.attributes:
            known = read_colour(element.get(name)) if name == "bgcolor" else None
            look = replace(look, behind=known)
    if element.name == "font" and (given := element.get("color")):
        look = replace(look, colour=read_colour(given))
    style = element.get("style").lower()
    return _styled(style, look, above, atom) if style else look


def _styled(style: str, look: _Look, above: _Look, atom: str) -> _Look:
    for name, told in _DECLARATION.findall(style):
        value = told.replace("!important", "").strip()
        if name in {"background", "background-color", "background-image"}:
            look = replace(look, behind=_behind(name, value, look.behind, atom))
        elif name == "font-size":
            look = _sized(value, look, above)
        elif name == "font-weight":
            look = replace(look, bold=value in _BOLD)
        elif name == "display":
            look = replace(look, hidden=look.hidden or value == "none")
    for name, told in _DECLARATION.findall(style):
        if name == "color":  # last: it may let its background through
            value = told.replace("!important", "").strip()
            look = replace(look, colour=above.colour if value == "inherit" else read_colour(value, look.behind))
    return look


def _behind(name: str, value: str, below: Colour | None, atom: str) -> Colour | None:
    if value in {"none", "transparent", "inherit", "initial", "unset"}:
        return below
    if atom in value or _UNDECIDED.search(value):
        return None
    if name == "background-image":
        return None
    if name == "background-color":
        return read_colour(value, below)
    for word in _COLOUR.findall(value):
        if (found := read_colour(word, below)) is not None:
            return found
    return below if value in {"0", "0 0", "no-repeat"} else None


def _sized(value: str, look: _Look, above: _Look) -> _Look:
    found = _LENGTH.fullmatch(value)
    if not found:
        return look
    number, unit = float(found[1]), found[2]
    pixels = {
        "px": number,
        "pt": number * 4 / 3,
        "em": number * above.pixels,
        "rem": number * 16,
        "%": number / 100 * above.pixels,
    }.get(unit or "px", number)
    return replace(look, pixels=pixels)
