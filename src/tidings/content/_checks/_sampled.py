"""A template filled in for contacts as they are, by the same compiled code that fills in what is sent."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from liquid import Token, Undefined
from liquid.exceptions import LiquidError

from tidings.content._checks._addresses import Trouble, troubles
from tidings.content._checks._findings import Finding, Part, Place, Severity, excerpt, rule
from tidings.content._checks._page import Page
from tidings.content._compile import Compiled, compile_liquid
from tidings.content._context import ATTRIBUTES, CONTACT_ID, Occasion, Row, read_attributes
from tidings.content._footer import with_footer
from tidings.content._missing import Watched, watch
from tidings.content._origins import Origin, Origins, Written
from tidings.content._parse import describe, in_words
from tidings.content._parts import Parts, unpack
from tidings.content._plaintext import one_line

TOKEN = "check"  # noqa: S105 - in place of a recipient's
_KEPT = 20
"""Renderings that are kept to be looked at."""
_ROOM = 1_000_000
"""Characters of all that are kept; the first is in any case."""
_MARK, _END = "\ue6a1", "\ue6a2"
_MARKED = re.compile(rf"{_MARK}([0-9]{{1,7}}){_END}([^\"'<>{_MARK}]{{0,2000}})")

MISSING = rule(
    "variable_missing",
    Severity.WARNING,
    "a variable that is written is undefined or empty for some contacts",
    "give it a default, {{ name | default: 'there' }}, or write it under {% if name %}",
)
FAILS = rule(
    "render_fails",
    Severity.WARNING,
    "the message cannot be made for some contacts, who will not be sent to",
    "mend the Liquid, or the contacts' values",
)
FAILS_FOR_ALL = rule(
    "render_fails_for_all",
    Severity.ERROR,
    "the message cannot be made for any of the contacts that were looked at",
    "mend the Liquid: a strict template may write only what every contact has",
)
BROKEN_LINK = rule(
    "link_personalised",
    Severity.WARNING,
    "a link that is made for each contact leads nowhere for some",
    "write the whole link under {% if … %}, or give the value a default",
)
BROKEN_IMAGE = rule(
    "image_personalised",
    Severity.WARNING,
    "an image that is chosen for each contact has no usable source for some",
    "write the whole image under {% if … %}, or give the value a default",
)
_BREAKS = frozenset({Trouble.EMPTY, Trouble.FRAGMENT, Trouble.RELATIVE, Trouble.SCHEME, Trouble.MALFORMED})

_PARTS = {
    "subject": Part.SUBJECT,
    "html_content": Part.HTML,
    "text_content": Part.TEXT,
    "preheader": Part.PREHEADER,
}


@dataclass(slots=True)
class Rendered:
    """What came out for some contacts. `html` and `text` are the first few, with the contacts they are for."""

    contacts: int
    subjects: list[str] = field(default_factory=list)
    html: list[tuple[int, str]] = field(default_factory=list)
    text: list[tuple[int, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class _Count:
    """For how many contacts something is so, and for whom first."""

    times: int = 0
    contact: int = 0
    error: Exception | None = None
    """Of what failed, the first."""

    def add(self, contact: int) -> None:
        self.times += 1
        self.contact = self.contact or contact


_Failures = dict[tuple[str, str], _Count]
"""By the part's field and what went wrong."""


def render_for(
    subject: str,
    html: str,
    text: str,
    *,
    rows: Sequence[Row],
    occasion: Occasion,
    pages: Sequence[Page],
    real: bool,
    written: Written,
    text_written: bool,
) -> Rendered:
    """Fill it in for each of `rows`. Raises TemplateInvalid. `real`: they are contacts, so that what they lack tells something.

    Places are in what was `written`. A text that was derived lacks what the HTML lacks: that is told once.
    """
    rendered = Rendered(len(rows))
    origins = Origins(written, subject=subject, html=html, text=text)
    sources = {
        "subject": subject,
        "html_content": with_footer(html, html=True),
        "text_content": with_footer(text, html=False),
    }
    failures: _Failures = {}
    for name, source in sources.items():
        parts = unpack(source)
        compiled = _compiled(name, parts, occasion, Watched)
        missing: dict[tuple[str, str, int], tuple[Token, _Count]] = {}
        subjects = rendered.subjects if name != "subject" else [""] * len(rows)
        made: list[str] = []
        for row, line in zip(rows, subjects, strict=True):
            seen = watch()
            out = _render(compiled, row, line, name, failures)
            made.append(out)
            for missed, token in seen.values():
                key = token.source, missed, token.start_index
                missing.setdefault(key, (token, _Count()))[1].add(row[CONTACT_ID])
        if name == "subject":
            rendered.subjects = [one_line(one) for one in made]
        else:
            kept = rendered.html if name == "html_content" else rendered.text
            room = _ROOM
            for row, one in zip(rows[:_KEPT], made, strict=False):
                room -= len(one)
                if kept and room < 0:
                    break
                kept.append((row[CONTACT_ID], one))
        if real and (text_written or name != "text_content"):
            rendered.findings += _missing(name, missing, origins, len(rows))
        if parts.strict:
            strictly = _compiled(name, parts, occasion, None)
            for row, line in zip(rows, rendered.subjects, strict=True):
                _render(strictly, row, line, name, failures)
    if real:
        told = {key: count for key, count in failures.items() if text_written or key[0] != "text_content"}
        rendered.findings += _failed(told, origins, len(rows))
        rendered.findings += _addresses(html, pages, rows, rendered.subjects, occasion)
    return rendered


def _compiled(name: str, parts: Parts, occasion: Occasion, undefined: type[Undefined] | None) -> Compiled:
    return compile_liquid(parts, html=name == "html_content", occasion=occasion, field=name, undefined=undefined)


def _render(compiled: Compiled, row: Row, subject: str, field: str, failures: _Failures) -> str:
    attributes = read_attributes(row[ATTRIBUTES]) if compiled.needs_attributes else {}
    try:
        return "".join(compiled.render(row, TOKEN, TOKEN, attributes, subject))
    except Exception as error:  # noqa: BLE001 - filters meet values that they were not written for
        told = describe(error) if isinstance(error, LiquidError) else str(error) or type(error).__name__
        failures.setdefault((field, told), _Count(error=error)).add(row[CONTACT_ID])
    return ""


def _missing(
    field: str, missing: Mapping[tuple[str, str, int], tuple[Token, _Count]], origins: Origins, contacts: int
) -> Iterator[Finding]:
    for (_, variable, _), (token, count) in missing.items():
        share = count.times / contacts
        yield MISSING.at(
            _place(origins.of(field, token)),
            f"{variable} is undefined or empty for {_of(count.times, contacts)}",
            contact=count.contact,
            share=share,
        )


def _failed(failures: _Failures, origins: Origins, contacts: int) -> Iterator[Finding]:
    for (part, message), count in failures.items():
        place, told = Place(_PARTS[part]), message
        if isinstance(count.error, LiquidError) and (origin := origins.failed(part, count.error)):
            place, told = _place(origin), in_words(count.error)
        everyone = count.times >= contacts
        yield (FAILS_FOR_ALL if everyone else FAILS).at(
            place,
            f"{told[:300]}: {_of(min(count.times, contacts), contacts)} would not be sent to",
            contact=count.contact,
            share=min(count.times / contacts, 1.0),
        )


def _place(origin: Origin) -> Place:
    part, path = _PARTS.get(origin.field), ""
    if part is None:
        part, path = Part.SOURCE, origin.field if origin.field != "source" else ""
    return Place(part, origin.line, origin.column, excerpt(origin.excerpt), origin.block, path)


def _addresses(
    html: str, pages: Sequence[Page], rows: Sequence[Row], subjects: Sequence[str], occasion: Occasion
) -> Iterator[Finding]:
    """Links and sources with Liquid in them, each marked, so that what comes out is known by its place."""
    marks: list[tuple[bool, Place]] = []
    marked: dict[str, str] = {}
    for page in pages:
        marked[page.block] = _mark(page, marks)
    if not marks:
        return
    parts = unpack(html)
    blocks = {name: marked.get(name, text) for name, text in parts.blocks.items()}
    compiled = _compiled("html_content", Parts(marked.get("", parts.main), blocks), occasion, None)
    broken: dict[tuple[int, str], _Count] = {}
    for row, subject in zip(rows, subjects, strict=True):
        seen: set[tuple[int, str]] = set()
        for number, value in _MARKED.findall(_render(compiled, row, subject, "html_content", {})):
            found = next((one for one in troubles(value) if one in _BREAKS), None)
            # What an author or a contact brings along may look like a mark.
            if found is not None and int(number) < len(marks) and value[:5].lower() != "data:":
                seen.add((int(number), "empty" if found is Trouble.EMPTY else f"'{value[:100]}'"))
        for one in seen:
            broken.setdefault(one, _Count()).add(row[CONTACT_ID])
    for (number, what), count in broken.items():
        image, place = marks[number]
        yield (BROKEN_IMAGE if image else BROKEN_LINK).at(
            place,
            f"comes out {'' if what == 'empty' else 'as '}{what} for {_of(count.times, len(rows))}",
            contact=count.contact,
            share=count.times / len(rows),
        )


def _mark(page: Page, marks: list[tuple[bool, Place]]) -> str:
    pieces: list[str] = []
    done = 0
    for _, element in page.shown():
        name = {"a": "href", "area": "href", "img": "src"}.get(element.name)
        attribute = element.attributes.get(name) if name else None
        if attribute is None or not attribute.dynamic or page.text[attribute.start - 1 : attribute.start] not in "\"'":
            continue
        at = page.position(attribute.start)
        pieces += [page.source[done:at], f"{_MARK}{len(marks)}{_END}"]
        done = at
        marks.append((name == "src", page.place(attribute.start, attribute.end)))
    return "".join([*pieces, page.source[done:]])


def _of(times: int, contacts: int) -> str:
    if times == contacts:
        return "every contact" if contacts > 1 else "this contact"
    return f"{times} of {contacts} contacts ({times / contacts:.1%})"
