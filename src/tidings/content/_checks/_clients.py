"""HTML and CSS that some mail clients drop: which of them, and what to write instead.

What each client supports are the facts of Can I email, in `client_support.json` with the date of each test.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from tidings.content._checks._client_features import BY_ELEMENT, BY_PROPERTY, IN_RULES, IN_VALUES, Feature
from tidings.content._checks._findings import Finding, Severity, rule
from tidings.content._checks._page import Page

SCRIPT = rule(
    "client_script",
    Severity.WARNING,
    "scripts are removed by every client, and filters count them",
    "leave <script> out; link to a page that has it",
    written=True,
)
EVENTS = rule(
    "client_event_handler",
    Severity.WARNING,
    "attributes such as onclick are removed by every client, and filters count them",
    "leave them out",
    written=True,
)
FRAME = rule(
    "client_frame",
    Severity.WARNING,
    "frames are removed by nearly every client",
    "show an image that links to the page",
    written=True,
)
STYLE_IN_BODY = rule(
    "client_style_in_body",
    Severity.WARNING,
    "Gmail and Outlook for Windows do not read a <style> in the body",
    "move it to the <head>, or let inline_css write its rules into the elements",
    "caniemail.com: html-style",
    written=True,
)

_DECLARATION = re.compile(r"(?<![\w(-])(-{0,2}[a-z][a-z-]{0,40}+)\s*+:\s*+([^;{}\"']{1,300}+)", re.IGNORECASE)
_UNSEEN = re.compile(r"(?<![\w-])display\s{0,9}:\s{0,9}none", re.IGNORECASE)
"""How what is hidden would look: a preheader is hidden in several ways at once, for the client that lacks one."""
_HIDDEN = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Seen:
    feature: Feature
    start: int
    end: int


def check_clients(page: Page) -> Iterator[Finding]:
    """Each feature once, at its first place, with how often it is there."""
    seen: dict[str, list[_Seen]] = {}
    for one in _features(page):
        places = seen.setdefault(one.feature.code, [])
        if len(places) < 1000:
            places.append(one)
    for places in seen.values():
        first = places[0]
        times = f", in {len(places)} places" if len(places) > 1 else ""
        yield first.feature.rule.at(
            page.place(first.start, first.end), f"{first.feature.name}{times}: {clients_without(first.feature)}"
        )
    yield from _removed(page)


def clients_without(feature: Feature) -> str:
    """`not supported by Gmail and …; partly by …`, with the year it was tested."""
    support = _support()[feature.slug]
    no, partly = ([name for name, how in support.items() if how == wanted] for wanted in ("no", "partly"))
    said = [f"not supported by {_listed(no)}"] if no else []
    said += [f"partly by {_listed(partly)}" if no else f"only partly supported by {_listed(partly)}"] if partly else []
    return f"{'; '.join(said)} (tested {support['tested'][:7]})"


@cache
def _support() -> Mapping[str, Mapping[str, str]]:
    facts: Any = orjson.loads(Path(__file__).with_name("client_support.json").read_bytes())
    return facts["features"]


def _features(page: Page) -> Iterator[_Seen]:
    for style in page.styles:
        css = _HIDDEN.sub(lambda found: " " * len(found[0]), page.text[style.start : style.end])
        for feature, pattern in IN_RULES:
            for found in pattern.finditer(css):
                yield _Seen(feature, style.start + found.start(), style.start + found.end())
        yield from _declared(css, style.start)
    for _, element in page.shown():
        style = element.attributes.get("style")
        if style is not None and not _UNSEEN.search(page.text, style.start, style.end):
            yield from _declared(page.text[style.start : style.end], style.start)
        for feature in BY_ELEMENT.get(element.name, ()):
            if not feature.attribute or feature.attribute in element.attributes:
                yield _Seen(feature, element.start, element.end)


def _declared(css: str, at: int) -> Iterator[_Seen]:
    for found in _DECLARATION.finditer(css):
        name, value = found[1].lower(), found[2]
        start, end = at + found.start(), at + found.end()
        for feature in BY_PROPERTY.get("--" if name.startswith("--") else name, ()):
            if feature.value is None or feature.value.search(value):
                yield _Seen(feature, start, end)
        for feature, pattern in IN_VALUES:
            if pattern.search(value):
                yield _Seen(feature, start, end)


def _removed(page: Page) -> Iterator[Finding]:
    for at in page.scripts:
        yield SCRIPT.at(page.place(at, at + 80))
    for style in page.styles:
        if style.in_body:
            yield STYLE_IN_BODY.at(page.place(style.start, style.start + 80))
    for _, element in page.shown():
        if element.name in {"iframe", "frame", "frameset", "embed", "applet"}:
            yield FRAME.at(page.tag(element), f"<{element.name}> is removed by nearly every client")
        for name, attribute in element.attributes.items():
            if name.startswith("on") and name[2:].isalpha() and len(name) > 4:
                yield EVENTS.at(page.place(attribute.start, attribute.end), f"{name}: {EVENTS.title}")
                break


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
