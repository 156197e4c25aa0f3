"""Markdown (CommonMark, with tables and strikethrough) to an e-mail in our theme, its Liquid held back."""

import re
from html import escape

from markdown_it import MarkdownIt

from tidings.content._sources._held import hold
from tidings.content._sources._lists import join_lists
from tidings.content._sources._theme import page

_READER = MarkdownIt("commonmark", {"html": True, "maxNesting": 20}).enable(["table", "strikethrough"])
_FRAGMENT = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["strikethrough"])

_VALUE = re.compile(r"""=\s*+("[^"]*+"|'[^']*+')""")
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
    text, kept = _without_attributes("\n".join(lines), held.stem)
    tokens = join_lists(reader.parse(text), held.stem, held.masked.liquid)
    html = _with_attributes(str(reader.renderer.render(tokens, reader.options, {})), held.stem, kept)
    return held.restore(_between_paragraphs(html, held.stem, held.masked.liquid))


def _without_attributes(text: str, stem: str) -> tuple[str, list[str]]:
    """The text with a word for the attributes of each tag that has Liquid between them, which CommonMark takes for no tag."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        if stem not in _VALUE.sub("", found[2]) or not found[0].endswith(">"):
            return found[0]
        kept.append(found[2].removesuffix("/"))
        return f"<{found[1]} {stem}a{len(kept) - 1}q{'/' if found[2].endswith('/') else ''}>"

    # Whatever begins a tag is a match, closed or not: else its quotes would be gone through again from the next one.
    tag = rf"""<([a-z][a-z0-9-]*?)(?=[\s/]|{stem})((?:[^<>"']|"[^"]*"|'[^']*')*+)>?"""
    return re.sub(tag, keep, text, flags=re.IGNORECASE), kept


def _with_attributes(html: str, stem: str, kept: list[str]) -> str:
    def put(found: re.Match[str]) -> str:
        written = kept[int(found[2])]
        # In code it is shown.
        return found[1] + escape(written) if found[1] else written

    return re.sub(rf"(&lt;[a-zA-Z][a-zA-Z0-9-]*)? {stem}a(\d+)q", put, html)


def _between_paragraphs(html: str, stem: str, liquid: list[str]) -> str:
    def bare(found: re.Match[str]) -> str:
        numbers = [int(one) for one in re.findall(rf"{stem}(\d+)q", found[1])]
        return found[1] if all(liquid[number][:2] == "{%" for number in numbers) else found[0]

    return re.sub(rf"<p>((?:\s*{stem}\d+q)+)</p>", bare, html)
