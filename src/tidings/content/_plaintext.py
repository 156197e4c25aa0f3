"""The text part of a template that has none: its HTML as someone would read it out, Liquid and all."""

import re
from collections.abc import Iterator
from dataclasses import replace

from tidings.content._markup import TOKENS, Masked, decode_entities, mask, tag_attributes
from tidings.content._parse import compiles_alone
from tidings.content._parts import Parts, unpack

_PARAGRAPHS = frozenset(
    {
        "p",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "ul",
        "ol",
        "table",
        "blockquote",
        "pre",
        "hr",
        "article",
        "section",
        "header",
    }
    | {"footer"}
)
_LINES = frozenset(
    {
        "div",
        "tr",
        "li",
        "br",
        "dt",
        "dd",
        "center",
        "figure",
        "figcaption",
        "body",
        "html",
        "head",
        "title",
        "option",
        "form",
    }
)
_CELLS = frozenset({"td", "th"})
_INVISIBLE = " \u00ad\u034f\u2007\u200a\u200b\u200c\u200d\u2060\ufeff"
"""What alone fills a spacer or a preheader: the text part has empty lines for that."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_EMPTY_AT_TOP = re.compile(r"(?:[ \t]*+\r?\n)+")
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*+\r?\n){2,}")
_MARKS = re.compile(r"<!doctype\b[\w\s\"'/.:-]{0,300}>|<!--\[if\b[\w\s!|&()]{0,200}\]>(?=\s{0,9}<!--)", re.IGNORECASE)
"""What is neither element nor comment, and the beginning of what all but Outlook show."""
_OUTLOOK = re.compile(r"<!--\[if\b[\w\s!|&()]{0,200}\]>(.*?)(?:-->|\Z)", re.IGNORECASE | re.DOTALL)
"""What only Outlook shows: of that the text has no use, but for tags of Liquid."""
_UNSEEN = re.compile(r"<(div|span|p)\b[^<>]{0,300}\bdisplay:\s?none\b[^<>]{0,300}>([^<]{0,3000})</\1>", re.IGNORECASE)
"""A preheader: inboxes show it beside the subject, and would show it of the text as well."""
_MOST_ADDRESSES = 20
"""Of one link, of which Liquid chooses one."""
_FOLLOWED = re.compile(r"https?:|\{\{", re.IGNORECASE)
"""Links that are of use in print: web addresses, and those that only Liquid knows."""


def plain_text(html: str) -> str:
    """Liquid source of a text part. Tags of Liquid are kept wherever they stand, so that conditions stay whole."""
    parts = unpack(html)
    blocks = {name: _plain_text(block).rstrip("\n") for name, block in parts.blocks.items()}
    return Parts(_plain_text(parts.main), blocks, parts.strict).pack()


def _plain_text(html: str) -> str:
    masked = mask(html)
    masked = replace(masked, text=_UNSEEN.sub(r"<!-- \2-->", _OUTLOOK.sub(r"<!-- \1-->", _MARKS.sub("", masked.text))))
    writer = _Writer(masked)
    done = 0
    for token in TOKENS.finditer(masked.text):
        writer.text(masked.text[done : token.start()])
        done = token.end()
        if token["hidden"] is not None:
            writer.keep_tags(token["hidden"])
        elif token["close"]:
            writer.close(token["name"].lower())
            writer.keep_tags(token["attributes"])
        else:
            writer.open(token["name"].lower(), token["attributes"])
    writer.text(masked.text[done:])
    return writer.finish()


def single_spaced(text: str) -> str:
    """A derived text once it is filled in: at most one empty line at a time, none at the top.

    A value or a branch that came out empty leaves the lines before and after it.
    """
    top = _EMPTY_AT_TOP.match(text)
    return _EMPTY_LINES.sub("\n\n", text[top.end() :] if top else text)


def one_line(text: str) -> str:
    """A subject: each run of control characters, line breaks among them, is a space; none at either end."""
    return (text if text.isprintable() else _CONTROL.sub(" ", text)).strip(" ")


class _Writer:
    def __init__(self, masked: Masked) -> None:
        self._masked = masked
        self._atoms = 0
        self._out: list[str] = []
        self._links: list[tuple[int, str]] = []
        self._breaks = 2  # as if a paragraph had just ended

    def text(self, text: str) -> None:
        """Text between tags."""
        for run, is_liquid in self._runs(text):
            if is_liquid:
                self._put(run)
                continue
            collapsed = re.sub(r"[ \t\r\n\f\xa0]+", " ", decode_entities(run))
            if collapsed and not collapsed.strip(_INVISIBLE):
                collapsed = " "
            if self._breaks or (self._out and self._out[-1].endswith(" ")):
                collapsed = collapsed.lstrip(" ")
            if collapsed:
                self._put(collapsed)

    def open(self, name: str, attributes: str) -> None:
        """`<name attributes>`."""
        self._separate(name)
        if name == "li":
            self._put("- ")
            self._breaks = 1  # what follows is still the beginning of its line
        atom = self._masked.atom
        if name != "a":
            # A picture that is a link is called what it shows.
            alts = (one for one in tag_attributes(attributes, atom) if name == "img" and one[1].lower() == "alt")
            alt = next(alts, None) if self._links else None
            if alt:
                self.keep_tags(attributes[: alt.start(2)])
                self.text(alt[2].strip("\"'"))
                self.keep_tags(attributes[alt.end(2) :])
            else:
                self.keep_tags(attributes)
            return
        found = [one for one in tag_attributes(attributes, atom) if one[1].lower() == "href"]
        href = ""
        if len(found) > 1 and atom in attributes[found[0].end(2) : found[1].start(1)]:
            href = self._either(attributes, found[:_MOST_ADDRESSES])
        if href:
            self._atoms += attributes.count(atom)
        else:
            href = self._address(attributes, found[0]) if found else ""
            if href:
                # Its Liquid is written after the label; here it only counts as read.
                self.keep_tags(attributes[: found[0].start(2)])
                self._atoms += found[0][2].count(atom)
                self.keep_tags(attributes[found[0].end(2) :])
            else:
                self.keep_tags(attributes)
        self._links.append((len(self._out), href))

    def _address(self, attributes: str, found: re.Match[str]) -> str:
        """What an `href` says, if it is of use in print."""
        before = self._atoms + attributes[: found.start(2)].count(self._masked.atom)
        # What Liquid writes is decoded by nobody: the text part does not escape it.
        runs = self._masked.split(found[2].strip("\"' \t\r\n"), before)
        href = "".join(run if liquid else decode_entities(run) for run, liquid in runs).strip()
        return href if _FOLLOWED.match(href) and "{%" not in href else ""

    def _either(self, attributes: str, found: list[re.Match[str]]) -> str:
        """`{% if a %}href="x"{% else %}href="y"{% endif %}`: its tags, and the addresses between them; or nothing."""
        out: list[str] = []
        done = 0
        first = self._atoms
        for one in found:
            skipped = attributes[done : one.start(2)]
            out += [run for run, liquid in self._masked.split(skipped, first) if liquid and run.startswith("{%")]
            # The space ends it: what follows is another branch.
            out.append(f"({href}) " if (href := self._address(attributes, one)) else "")
            first += skipped.count(self._masked.atom) + one[2].count(self._masked.atom)
            done = one.end(2)
        rest = self._masked.split(attributes[done:], first)
        out += [run for run, liquid in rest if liquid and run.startswith("{%")]
        either = "".join(out)
        return either if compiles_alone(either, html=False) else ""

    def close(self, name: str) -> None:
        """`</name>`."""
        if name == "a" and self._links:
            start, href = self._links.pop()
            label = "".join(self._out[start:]).strip()
            if href and label != href:
                self._space()
                self._put(f"({href})" if label and not href.startswith("{%") else href)
        self._separate(name)

    def keep_tags(self, text: str) -> None:
        """Of what is not shown, only `{% … %}`."""
        for run, is_liquid in self._runs(text):
            if is_liquid and run.startswith("{%"):
                self._out.append(run)

    def finish(self) -> str:
        """All of it, without white space that nobody sees."""
        lines = re.sub(r"[ \t]+\n", "\n", "".join(self._out))
        return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"

    def _runs(self, text: str) -> Iterator[tuple[str, bool]]:
        first = self._atoms
        self._atoms += text.count(self._masked.atom)
        return self._masked.split(text, first)

    def _put(self, text: str) -> None:
        self._out.append(text)
        self._breaks = 0

    def _separate(self, name: str) -> None:
        wanted = 2 if name in _PARAGRAPHS else 1 if name in _LINES else 0
        if name == "br":
            wanted = self._breaks + 1
        if wanted > self._breaks:
            self._out.append("\n" * (wanted - self._breaks))
            self._breaks = wanted
        elif name in _CELLS:
            self._space()

    def _space(self) -> None:
        if not self._breaks and self._out and not self._out[-1].endswith((" ", "\n")):
            self._out.append(" ")
