"""From places in what is sent to places in what its author wrote: MJML, Markdown, blocks, HTML before its preheader came in.

The source is compiled once more, with a number in each piece of its Liquid (`_sources._marked`), and goes the way that it
went when it was frozen: preheader, derived text, footer. What comes out has the same pieces in the same order, so each
tells where it is from, however often a compiler wrote it and wherever it put it.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace

import orjson
from liquid import Token
from liquid.exceptions import LiquidError

from tidings.content._footer import with_footer
from tidings.content._markup import mask
from tidings.content._parse import line_and_column
from tidings.content._parts import Parts, unpack
from tidings.content._plaintext import plain_text
from tidings.content._preheader import with_preheader
from tidings.content._scan import liquid_spans
from tidings.content._sources import SourceType
from tidings.content._sources._marked import Marks, Spot, compile_marked
from tidings.core.errors import Invalid


@dataclass(frozen=True, slots=True)
class Written:
    """What an author wrote, of which the HTML of a message was made."""

    source: str = ""
    """'' where the HTML is the source itself."""
    source_type: SourceType = SourceType.HTML
    inline_css: bool = False
    html: str = ""
    """Without a source: the HTML before its preheader was put in; '' where none was."""
    preheader: str = ""
    """That was put in; '' where there is none, or the source has its own."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A place in what its author wrote. `line` and `column` from 1, in the text of `field`."""

    field: str
    """`subject`, `html_content`, `text_content`, `preheader`, `source`, or a path such as `source.blocks[2].text`."""
    block: str
    """The shared block it stands in, or ''."""
    line: int
    column: int
    excerpt: str = ""
    """What stands there, to the end of its piece of Liquid."""


class Origins:
    """Of one message, its packed parts given as they are filled in, without their footers: `text` may be derived."""

    def __init__(self, written: Written, *, subject: str, html: str, text: str) -> None:
        self._written, self._html, self._text = written, html, text or plain_text(html)
        self._blocks = {
            field: {text: name for name, text in unpack(source).blocks.items()}
            for field, source in (("subject", subject), ("html_content", html), ("text_content", self._text))
        }
        self._found: dict[tuple[str, str], _Pieces] | None = None

    def of(self, field: str, token: Token) -> Origin:
        """Where the author wrote what this token, of the part `field`, is from; its place in the part if nobody knows."""
        source, index = token.source, token.start_index
        if self._found is None:
            self._found = self._look()
        pieces = self._found.get((field, source))
        spot, offset = pieces.at(index) if pieces else (None, 0)
        if spot is None:
            return _origin(field, self._blocks.get(field, {}).get(source, ""), source, index)
        return _origin(spot.field, spot.block, spot.text, max(spot.start + offset - spot.before, spot.start))

    def failed(self, field: str, error: LiquidError) -> Origin | None:
        """Where a rendering of the part `field` failed, if the error knows."""
        return self.of(field, error.token) if error.token is not None and error.token.start_index >= 0 else None

    def _look(self) -> "dict[tuple[str, str], _Pieces]":
        marks, parts = Marks(), unpack(self._html)
        blocks = {name: marks.marked(block, "html_content", name) for name, block in parts.blocks.items()}
        for main in (self._compiled, lambda marks: marks.marked(parts.main, "html_content")):
            try:
                marked = Parts(main(marks), blocks, parts.strict).pack()
                found = _aligned("html_content", self._html, marked, marks)
            except (Invalid, orjson.JSONDecodeError):
                continue  # compilers of today do not read what was written
            if found.main is not None:
                return found.pieces | self._derived(marked, marks)
        return {}

    def _compiled(self, marks: Marks) -> str:
        """The HTML as it was frozen, with numbers."""
        written = self._written
        if written.source:
            html = compile_marked(written.source_type, written.source, inline=written.inline_css, marks=marks)
        else:
            html = marks.marked(written.html or unpack(self._html).main, "html_content")
        return with_preheader(html, marks.marked(written.preheader, "preheader"))

    def _derived(self, marked: str, marks: Marks) -> "dict[tuple[str, str], _Pieces]":
        """Of the text what was derived is told of the HTML; what its author wrote has its own places."""
        ours, derived = unpack(self._text), unpack(plain_text(self._html))
        if ours.main != derived.main:
            return {}
        theirs = unpack(plain_text(marked))
        blocks = {name: theirs.blocks[name] for name, text in ours.blocks.items() if derived.blocks.get(name) == text}
        return _aligned("text_content", self._text, replace(theirs, blocks=blocks).pack(), marks).pieces


@dataclass(frozen=True, slots=True)
class _Aligned:
    """One part: the pieces of each of its texts, by field and text; of the template's own, None if it is other Liquid."""

    main: "_Pieces | None"
    pieces: "dict[tuple[str, str], _Pieces]"


def _aligned(field: str, plain: str, marked: str, marks: Marks) -> _Aligned:
    html = field == "html_content"
    ours, theirs = (unpack(with_footer(one, html=html)) for one in (plain, marked))
    main = _pieces(ours.main, theirs.main, marks)
    pairs = [(text, theirs.blocks[name]) for name, text in ours.blocks.items() if name in theirs.blocks]
    blocks = {(field, text): pieces for text, other in pairs if (pieces := _pieces(text, other, marks))}
    return _Aligned(main, blocks | ({(field, ours.main): main} if main else {}))


@dataclass(frozen=True, slots=True)
class _Pieces:
    """The Liquid of one text: where each piece begins, and where it is from."""

    starts: list[int]
    spots: list[Spot | None]

    def at(self, index: int) -> tuple[Spot | None, int]:
        """Of the piece that has this position: where it is from, and how far into it this is."""
        number = bisect_right(self.starts, index) - 1
        return (self.spots[number], index - self.starts[number]) if number >= 0 else (None, 0)


def _pieces(text: str, marked: str, marks: Marks) -> _Pieces | None:
    """None if they are not the same Liquid."""
    spans = [(start, end) for start, end in liquid_spans(text) if end is not None]
    read = [marks.read(piece) for piece in mask(marked).liquid]
    if [text[start:end] for start, end in spans] != [piece for piece, _ in read]:
        return None
    return _Pieces([start for start, _ in spans], [spot for _, spot in read])


def _origin(field: str, block: str, text: str, index: int) -> Origin:
    line, column = line_and_column(text, index)
    close = min((at for end in ("}}", "%}") if (at := text.find(end, index)) >= 0), default=-1)
    newline = text.find("\n", index)
    end = min((at for at in (close + 2 if close >= 0 else -1, newline) if at >= 0), default=len(text))
    return Origin(field, block, line, column, text[index:end])
