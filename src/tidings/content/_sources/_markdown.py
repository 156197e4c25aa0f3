"""Markdown (CommonMark, with tables and strikethrough) to an e-mail in our theme, its Liquid held back."""

import re

from markdown_it import MarkdownIt

from tidings.content._sources._held import hold
from tidings.content._sources._theme import page

_READER = MarkdownIt("commonmark", {"html": True, "maxNesting": 20}).enable(["table", "strikethrough"])
_FRAGMENT = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["strikethrough"])

_SPACED = dict.fromkeys(("p", "blockquote"), "margin:0 0 16px") | dict.fromkeys(
    ("ul", "ol"), "margin:0 0 16px;padding-left:24px"
)


def markdown_to_html(source: str) -> str:
    """A whole HTML document. Tags of Liquid alone on a line stand between paragraphs, not in one."""
    return page(_rendered(source, _READER))


def fragment(source: str) -> str:
    """Well-formed HTML of a piece of Markdown; HTML in it is shown, not read."""
    html = _rendered(source, _FRAGMENT)
    for name, style in _SPACED.items():
        html = html.replace(f"<{name}>", f'<{name} style="{style}">')
    return html


def _rendered(source: str, reader: MarkdownIt) -> str:
    held = hold(source)
    lines: list[str] = []
    at = 0
    for line in held.masked.text.split("\n"):
        count = line.count(held.masked.atom)
        pieces = held.masked.liquid[at : at + count]
        words = held.words(line, at)
        alone = count and not line.replace(held.masked.atom, "").strip() and all(one[:2] == "{%" for one in pieces)
        lines += ["", words.strip(), ""] if alone else [words]
        at += count
    html = str(reader.render("\n".join(lines)))
    return held.restore(_between_paragraphs(html, held.stem, held.masked.liquid))


def _between_paragraphs(html: str, stem: str, liquid: list[str]) -> str:
    def bare(found: re.Match[str]) -> str:
        numbers = [int(one) for one in re.findall(rf"{stem}(\d+)q", found[1])]
        return found[1] if all(liquid[number][:2] == "{%" for number in numbers) else found[0]

    return re.sub(rf"<p>((?:\s*{stem}\d+q)+)</p>", bare, html)
