"""MJML to HTML by mrml, with what it need not know held back: all Liquid, and whatever stands in elements of text.

mrml writes HTML anew: it loses the first of two attributes that have one name, and refuses much that mail clients read.
It passes unknown elements through, says little of where a mistake is, and overflows its stack when elements are nested
deep; so the document is looked over first.
"""

import re

from mjml import mjml2html

from tidings.content._preheader import hide_well
from tidings.content._sources._held import Held, hold, refused

_DEEPEST = 60
_SECTIONS = (
    "mj-body mj-section mj-column mj-group mj-wrapper mj-hero mj-head mj-social mj-navbar mj-accordion mj-carousel"
)
_CONTAINERS = frozenset({"mjml", "mj-attributes", "mj-accordion-element", *_SECTIONS.split()})
"""Elements that hold elements, not text: Liquid in them goes into `mj-raw`."""
_VERBATIM = frozenset(
    [
        "mj-text",
        "mj-button",
        "mj-table",
        "mj-raw",
        "mj-style",
        "mj-navbar-link",
        "mj-social-element",
        "mj-accordion-title",
        "mj-accordion-text",
    ]
)
"""What stands in these is copied to where it is shown."""
_OTHERS = (
    "mj-title mj-preview mj-image mj-divider mj-spacer mj-carousel-image mj-font mj-breakpoint mj-all mj-class "
    "mj-html-attributes mj-selector mj-html-attribute"
)
_KNOWN = _CONTAINERS | _VERBATIM | frozenset(_OTHERS.split())
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
_NO_RAW = frozenset({"mjml", "mj-attributes"})
_TOKENS = re.compile(
    r"""
    (?P<comment> <!-- (?: -?> | .*? (?: --> | \Z ) ) )
  | (?P<hidden> <(?P<verbatim>script|style|title)(?=[\s>]) .*? (?: </(?P=verbatim)\s*> | \Z ) )
  | <(?P<close>/?)(?P<name>[a-z][a-z0-9:_-]*+)(?P<attributes>(?:[^<>"']|"[^"]*"|'[^']*')*+)>?
    """,
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_VALUE = re.compile(r"""=\s*+("[^"]*+"|'[^']*+')""")
_POSITION = re.compile(r"\s*(?:in root template)?\s*(?:at position (\d+):(\d+))?\s*$")


def mjml_to_html(source: str, *, field: str) -> str:
    """HTML of an MJML document whose Liquid stands where it stood, its preview hidden well.

    Raises TemplateInvalid with line and column.
    """
    held = hold(source)
    reader = _Reader(held, field)
    reader.read()
    ready = "".join(reader.pieces)
    try:
        html = str(mjml2html(ready))
    except ValueError as error:
        message = str(error)
        found = _POSITION.search(message)
        at = int(found[1]) if found and found[1] else 0
        # mrml counts bytes.
        at = len(ready.encode()[:at].decode(errors="ignore"))
        raise refused(field, source, _source_position(held, reader.places, at), _POSITION.sub("", message)) from None
    html = reader.restore(html)
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


class _Reader:
    """One pass over a document. Raises TemplateInvalid for what is not well-formed, or not MJML."""

    def __init__(self, held: Held, field: str) -> None:
        self._held, self._field = held, field
        self._text = held.masked.text
        self.pieces: list[str] = []
        """What mrml is to read."""
        self.places: list[tuple[int, int]] = []
        self._length = 0
        self._open: list[tuple[str, int]] = []
        self._kept: list[str] = []

    def read(self) -> None:
        """Fill `pieces` and `places`."""
        done = 0
        while token := _TOKENS.search(self._text, done):
            self._between(done, token.start())
            done = self._token(token)
        self._between(done, len(self._text))
        if self._open:
            raise self._wrong(self._open[-1][1], f"<{self._open[-1][0]}> is never closed")

    def restore(self, html: str) -> str:
        """What was held back, in its place; its Liquid still as words."""
        # mrml writes a space before an attribute, and `=""` after some.
        return re.sub(rf"( ?){self._held.stem}([ca])(\d+)q", self._restored, html)

    def _restored(self, found: re.Match[str]) -> str:
        kept = self._kept[int(found[3])]
        return kept if found[2] == "a" else found[1] + kept

    def _wrong(self, at: int, message: str) -> Exception:
        return refused(self._field, self._held.source, self._held.position(at), message)

    def _put(self, piece: str, at: int) -> None:
        self.places.append((self._length, at))
        self.pieces.append(piece)
        self._length += len(piece)

    def _keep(self, start: int, end: int, kind: str = "c") -> str:
        """A word that stands for this stretch of the masked text."""
        self._kept.append(self._held.words(self._text[start:end], self._held.before(start)))
        return f"{self._held.stem}{kind}{len(self._kept) - 1}q"

    def _between(self, start: int, end: int) -> None:
        run = self._text[start:end]
        parent = self._open[-1][0] if self._open else ""
        if not self._open and run.strip():
            raise self._wrong(start + len(run) - len(run.lstrip()), "nothing may stand outside of <mjml>")
        if self._held.masked.atom in run and parent in _CONTAINERS:
            if parent in _NO_RAW:
                raise self._wrong(start + run.index(self._held.masked.atom), f"Liquid cannot stand in <{parent}>")
            self._put(f"<mj-raw>{self._keep(start, end)}</mj-raw>", start)
            return
        written = self._held.words(run, self._held.before(start))
        # It becomes an attribute as well, where mrml does not know how to write these.
        self._put(written.replace('"', "&quot;") if parent == "mj-title" else written, start)

    def _token(self, token: re.Match[str]) -> int:
        """Write what mrml is to read of it. Returns where it ends."""
        at = token.start()
        if token["comment"] is not None:
            self._comment(*token.span())
            return token.end()
        if token["hidden"] is not None:
            self._put(self._keep(*token.span()) if self._open else "", at)
            return token.end()
        name = token["name"].lower()
        if name == "mj-include":
            raise self._wrong(at, "mj-include is not available: use {% render 'name' %} and shared blocks")
        if name.startswith("mj") and name not in _KNOWN:
            raise self._wrong(at, f"there is no element <{name}> in MJML")
        if not token[0].endswith(">"):
            raise self._wrong(at, f"<{token['close']}{name} is never closed by '>'")
        if token["close"]:
            self._close(name, at)
            self._put(token[0].replace(self._held.masked.atom, ""), at)
            return token.end()
        empty = token["attributes"].rstrip().endswith("/")
        if not self._open and name != "mjml":
            raise self._wrong(at, f"<mjml> was expected, not <{name}>")
        if name in _KNOWN:
            self._no_bare_liquid(name, token)
            self._put(self._held.words(token[0], self._held.before(at)), at)
        else:
            start, end = token.span("attributes")
            end = start + len(token["attributes"].rstrip()) - 1 if empty else end
            word = f" {self._keep(start, end, 'a')}" if self._text[start:end].strip() else ""
            self._put(f"<{token['name']}{word}{'/' if empty else ''}>", at)
        if empty or name in _VOID:
            return token.end()
        self._open.append((name, at))
        if len(self._open) > _DEEPEST:
            raise self._wrong(at, f"elements are nested more than {_DEEPEST} deep")
        return self._verbatim(name, token) if name in _VERBATIM else token.end()

    def _no_bare_liquid(self, name: str, token: re.Match[str]) -> None:
        """MJML works with the attributes of its own elements, and does not write them as they are."""
        bare = _VALUE.sub(lambda found: " " * len(found[0]), token["attributes"])
        if (found := bare.find(self._held.masked.atom)) >= 0:
            told = (
                'MJML must know which attributes it has; put the condition into a value: href="{% if a %}…{% endif %}"'
            )
            raise self._wrong(token.start("attributes") + found, f"Liquid cannot stand here in <{name}>: {told}")

    def _close(self, name: str, at: int) -> None:
        if not self._open:
            raise self._wrong(at, f"</{name}> closes nothing")
        if self._open[-1][0] != name:
            raise self._wrong(at, f"</{name}> where </{self._open[-1][0]}> was expected")
        self._open.pop()

    def _comment(self, start: int, end: int) -> None:
        """Among elements mrml takes no comments that Outlook reads, and drops some others."""
        parent = self._open[-1][0] if self._open else ""
        bare = self._text[start:end].replace(self._held.masked.atom, "")
        if not self._open or parent in _NO_RAW:
            if len(bare) < end - start:
                raise self._wrong(start, f"Liquid cannot stand in a comment in <{parent or 'the beginning'}>")
            return
        word = self._keep(start, end)
        self._put(f"<mj-raw>{word}</mj-raw>" if parent in _CONTAINERS else word, start)

    def _verbatim(self, name: str, token: re.Match[str]) -> int:
        """The content of an element of text, as one word. Returns where its end tag begins."""
        start = done = token.end()
        closing = re.compile(rf"</{name}\s*>", re.IGNORECASE)
        if name == "mj-style":  # `content: "<b"` is no tag
            found = closing.search(self._text, start)
            end = found.start() if found else -1
        else:
            end = -1
            while end < 0 and (inner := _TOKENS.search(self._text, done)):
                inside = (inner["name"] or "").lower()
                if inside.startswith("mj"):
                    if inside == name and inner["close"]:
                        end = inner.start()
                        break
                    slash = inner["close"] or ""
                    raise self._wrong(inner.start(), f"</{name}> was expected before <{slash}{inside}>")
                done = inner.end()
        if end < 0:
            raise self._wrong(token.start(), f"<{name}> is never closed")
        if self._text[start:end].strip():
            self._put(self._keep(start, end), start)
        return end
