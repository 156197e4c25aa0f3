"""Where a rendering wrote what was not there: undefined variables, and fields that are empty."""

import re
from collections.abc import Iterator
from contextvars import ContextVar
from html import escape
from typing import Any

from liquid import Token, Undefined

from tidings.content._markup import TOKENS

_SEEN: ContextVar[dict[tuple[str, int], tuple[str, Token]] | None] = ContextVar("_SEEN", default=None)
_MARKING: ContextVar[bool] = ContextVar("_MARKING", default=False)
# Round a name: noncharacters (Unicode §23.7), which no text has.
_START, _END = "\ufdd0", "\ufdd1"
_MARK = re.compile(f"{_START}([^{_START}{_END}]*){_END}")
_SHOWN = (
    '<mark title="undefined or empty for this contact" style="background:#fde68a;color:#78350f;padding:0 3px;'
    'border-radius:3px">{}</mark>'
)


class Watched(Undefined):
    """Behaves as python-liquid's Undefined, and takes a note when it is written or looped over."""

    __slots__ = ()

    def __str__(self) -> str:
        note(self.name, self.token)
        return ""

    def __iter__(self) -> Iterator[Any]:
        note(self.name, self.token)
        return iter([])


def note(name: str, token: Token | None) -> None:
    """This was not there."""
    seen = _SEEN.get()
    if seen is not None and token is not None and token.start_index >= 0:
        seen.setdefault((token.source, token.start_index), (name, token))


def note_blank(value: str, name: str, token: Token) -> None:
    """This field was written, and may be empty."""
    if not value:
        note(name, token)


def marked(written: str, name: str) -> str:
    """What an output wrote, or, if that is nothing, its name between marks."""
    return written if written or not _MARKING.get() else f"{_START}{name}{_END}"


def marks_in_text(text: str) -> str:
    """The text with the marks as people see them."""
    return _MARK.sub(r"[\1]", text)


def marks_in_html(html: str) -> str:
    """The HTML with the marks as people see them: highlighted in text, plain inside of tags, styles and the like."""
    pieces: list[str] = []
    done = 0
    for token in TOKENS.finditer(html):
        pieces += [_highlighted(html[done : token.start()]), _MARK.sub(_plain, token[0])]
        done = token.end()
    return "".join([*pieces, _highlighted(html[done:])])


def _highlighted(text: str) -> str:
    return _MARK.sub(lambda found: _SHOWN.format(escape(found[1])), text)


def _plain(found: re.Match[str]) -> str:
    return f"[{escape(found[1])}]"


def watch(*, marking: bool = False) -> dict[tuple[str, int], tuple[str, Token]]:
    """From now on what this thread misses is in here, by source and index: its name and its token."""
    _MARKING.set(marking)
    seen: dict[tuple[str, int], tuple[str, Token]] = {}
    _SEEN.set(seen)
    return seen
