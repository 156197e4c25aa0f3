"""Writes the generated function: runs of static text, tokens and slots, each run one `list.extend`."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from liquid.stringify import to_liquid_string
from markupsafe import escape

from tidings.content._expressions import Code, Names


@dataclass(frozen=True, slots=True)
class Encoding:
    """How text becomes pieces of output. Pieces joined must be what the texts joined would be."""

    static: Callable[[str], Any]
    """A piece of static text: called while compiling."""
    slot: Callable[[str], Any]
    """A value."""
    html_slot: Callable[[str], Any]
    """A value that HTML's special characters must be escaped in."""
    empty: Any
    """The empty piece, whose `join` joins pieces."""
    token: str
    """The argument of the generated function that holds the recipient's token as a piece."""


def _exact(text: str) -> str:
    """Markup as a plain str: it would escape what it is added to."""
    return str.__str__(text)


PLAIN = Encoding(static=str, slot=str, html_slot=lambda value: _exact(escape(value)), empty="", token="token")  # noqa: S106
"""Text as it is."""


_MOST_KNOWN = 4_096
_LONGEST_KNOWN = 75


class _Recurring(dict[str, Any]):
    """Pieces by their texts: what many recipients have in their baskets, or live in, is encoded once, not for each."""

    def __init__(self, slot: Callable[[str], Any]) -> None:
        super().__init__()
        self._slot = slot

    def __missing__(self, text: str) -> Any:
        piece = self._slot(text)
        if len(text) <= _LONGEST_KNOWN:
            if len(self) >= _MOST_KNOWN:
                self.clear()
            self[text] = piece
        return piece


_recurring = cache(_Recurring)
"""One for all templates."""


def _any_slot(slot: Callable[[str], Any], html_slot: Callable[[str], Any] | None) -> Callable[[object], Any]:
    """Writes a value of any type, as `{{ }}` does; `html_slot` if it must be escaped."""
    text_slot = html_slot or slot
    autoescape = html_slot is not None

    def write(value: object) -> Any:
        kind = type(value)
        if kind is str:
            return text_slot(cast("str", value))
        if kind is int:
            return slot(str(value))
        return slot(to_liquid_string(value, autoescape=autoescape))

    return write


@dataclass(slots=True)
class _Target:
    """Where output goes at the moment: a list in the generated function, or nowhere."""

    name: str | None
    encoding: Encoding
    run: list[str | Code] = field(default_factory=list)
    """Pending: static text, or the code of a piece."""


_TOKEN = Code("token")
_TOKEN_LENGTH = 200
"""More than a token has."""
_LONG_RUN = 200


class Emitter:
    """Collects the lines of a function body."""

    def __init__(self, names: Names, encoding: Encoding, *, html: bool, metered: bool) -> None:
        self.lines: list[str] = []
        self._names = names
        self._html = html
        self._metered = metered
        self._depth = 1
        self._targets = [_Target("out", encoding)]
        self.longest = 0
        """No piece of static text is longer than this, tokens within included."""
        self._slots: dict[tuple[int, str, bool], str] = {}
        self.dynamic = False
        """Anything but static text was written."""

    # output -----------------------------------------------------------------------------------------------------

    @property
    def silent(self) -> bool:
        """Output goes nowhere: a block that python-liquid calls blank."""
        return self._targets[-1].name is None

    def static(self, text: str) -> None:
        """Text that is known now."""
        run = self._targets[-1].run
        if run and isinstance(run[-1], str):
            run[-1] += text
        else:
            run.append(text)

    def token(self) -> None:
        """The recipient's token."""
        self.dynamic = True
        self._targets[-1].run.append(_TOKEN)

    def text(self, source: str) -> None:
        """A str that needs no escaping any more."""
        self._piece("slot", source)

    def slot(self, code: Code) -> None:
        """A value, as `{{ }}` writes it."""
        match code.kind:
            case "constant":
                self.static(_exact(to_liquid_string(code.value, autoescape=self._html)))
            case "field" | "text" | "own_url":
                self._piece("html_slot" if self._html else "slot", code.source)
            case "texts" | "any" | "absent":
                self._piece("any", code.source)

    def choice(self, conditions: list[str], texts: list[str]) -> None:
        """The text of the first condition that is true, the last text if none is: one more than there are conditions."""
        self.dynamic = True
        target = self._targets[-1]
        pieces = [target.encoding.static(text) for text in texts]
        self.longest = max(self.longest, *map(len, pieces))
        names = [self._names.constant(piece) for piece in pieces]
        chosen = "".join(f"{name} if {condition} else " for name, condition in zip(names, conditions, strict=False))
        target.run.append(Code(f"({chosen}{names[-1]})"))

    def _piece(self, kind: str, source: str) -> None:
        self.dynamic = True
        target = self._targets[-1]
        if kind == "any":  # mostly a text
            text, other = self._text_of(target.encoding, "q"), self._slot(target.encoding, kind)
            call = f"({text} if type(q := {source}) is str else {other}(q))"
        else:
            call = f"{self._slot(target.encoding, kind)}({source})"
        if self._metered:  # in place: a call for each would take as long as what it measures
            call = f"(p if (room := room - len(p := {call})) >= 0 else overflow())"
        target.run.append(Code(call))

    def _text_of(self, encoding: Encoding, name: str) -> str:
        if encoding.slot is str and not self._html:
            return name
        return f"{self._slot(encoding, 'html_slot' if self._html else 'slot', recurring=True)}[{name}]"

    def _slot(self, encoding: Encoding, kind: str, *, recurring: bool = False) -> str:
        key = (id(encoding), kind, recurring)
        if key not in self._slots:
            function: Any = getattr(encoding, kind, None)
            if kind == "any":
                function = _any_slot(encoding.slot, encoding.html_slot if self._html else None)
            self._slots[key] = self._names.constant(_recurring(function) if recurring else function)
        return self._slots[key]

    def here(self) -> int:
        """Where the next line goes, for `insert`."""
        self.flush()
        return len(self.lines)

    def insert(self, place: int, text: str) -> None:
        """A statement where others have been written since, at the depth of this one."""
        self.lines.insert(place, "    " * self._depth + text)

    # going back -------------------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[int, int, list[list[str | Code]]]:
        """For `restore`. Taken before every node, so runs are kept short."""
        if len(self._targets[-1].run) > _LONG_RUN:
            self.flush()
        return len(self.lines), self._depth, [list(target.run) for target in self._targets]

    def restore(self, saved: tuple[int, int, list[list[str | Code]]]) -> None:
        """Forget all that was written since the snapshot."""
        lines, self._depth, runs = saved
        del self.lines[lines:], self._targets[len(runs) :]
        for target, run in zip(self._targets, runs, strict=True):
            target.run = run

    # lines ------------------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """A statement."""
        self.dynamic = True
        self.flush()
        self.lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, head: str) -> Generator[None]:
        """Statements under `if …:` or the like."""
        self.line(head)
        self._depth += 1
        lines = len(self.lines)
        yield
        self.flush()
        if len(self.lines) == lines:
            self.line("pass")
        self._depth -= 1

    @contextmanager
    def capturing(self) -> Generator[str]:
        """Output goes into a str, of which the name is given, which exists after the block."""
        name = self._names.fresh("c")
        self.line(f"{name} = []")
        self._targets.append(_Target(name, PLAIN))
        yield name
        self.flush()
        self._targets.pop()
        self.line(f"{name} = ''.join({name})")

    @contextmanager
    def silence(self) -> Generator[None]:
        """Output goes nowhere."""
        self.flush()
        self._targets.append(_Target(None, PLAIN))
        yield
        self.flush()
        self._targets.pop()

    def flush(self) -> None:
        """Write the pending run."""
        target = self._targets[-1]
        run, target.run = target.run, []
        if not run or target.name is None:
            return
        pieces = list(self._pieces(run, target.encoding))
        text = f"{target.name}.append({pieces[0]})" if len(pieces) == 1 else f"{target.name} += ({', '.join(pieces)})"
        self.lines.append("    " * self._depth + text)

    def _pieces(self, run: list[str | Code], encoding: Encoding) -> Iterator[str]:
        """A stretch with nothing but static text and tokens becomes one `token.join(statics)`."""
        statics: list[Any] = []
        after_token = True
        for one in run:
            if one is _TOKEN:
                if after_token:
                    statics.append(encoding.empty)
                after_token = True
            elif isinstance(one, str):
                statics.append(encoding.static(one))
                after_token = False
            else:
                yield from self._join(statics, encoding, after_token=after_token)
                statics, after_token = [], True
                yield one.source
        yield from self._join(statics, encoding, after_token=after_token)

    def _join(self, statics: list[Any], encoding: Encoding, *, after_token: bool) -> Iterator[str]:
        if not statics:
            return
        if after_token:
            statics.append(encoding.empty)
        self.longest = max(self.longest, sum(map(len, statics)) + (len(statics) - 1) * _TOKEN_LENGTH)
        if len(statics) == 1:
            yield self._names.constant(statics[0])
        else:
            yield f"{encoding.token}.join({self._names.constant(tuple(statics))})"
