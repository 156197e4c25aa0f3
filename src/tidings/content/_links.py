"""Finding the links of a template, in HTML and in text, and putting something else in their place."""

import re
from collections.abc import Callable
from html import unescape
from typing import TypeAlias

from tidings.content._markup import TOKENS, Masked, mask, tag_attributes
from tidings.content._parts import unpack

Replace: TypeAlias = Callable[[str, bool], str | None]
"""Called with a link as it stands in the source (entities decoded when it is static) and whether Liquid is in it.
Returns the Liquid source to put there instead, or None to leave it."""

_URL = re.compile(r"""\bhttps?://[^\s<>"']+""", re.IGNORECASE)
_LINKING = re.compile(r"a|area|v:[a-z]+", re.IGNORECASE)
_END_TAG = re.compile(r"\{%-?\s*end\w+\s*%\}\Z")
_TRIMMING = re.compile(r"\A\{[{%]-|-[}%]\}\Z")


def replace_html_links(source: str, replace: Replace) -> str:
    """The HTML with each `href` of `<a>`, `<area>` and Outlook's `<v:…>` replaced, in its blocks too."""
    return unpack(source).edited(lambda part: _replace_html(part, replace)).pack()


def replace_text_links(source: str, replace: Replace) -> str:
    """The text with each `http(s)://…` replaced, in its blocks too."""
    return unpack(source).edited(lambda part: _replace_text(part, replace)).pack()


def _replace_html(source: str, replace: Replace) -> str:
    masked = mask(source)
    editor = _Editor(masked)
    for token in TOKENS.finditer(masked.text):
        if token["name"] is None or token["close"] or not _LINKING.fullmatch(token["name"]):
            continue
        done = 0
        for attribute in tag_attributes(masked.text, masked.atom, *token.span("attributes")):
            if attribute[1].lower() != "href":
                continue
            # Of two the first counts, unless Liquid decides which one there is.
            if done and masked.atom not in masked.text[done : attribute.start(1)]:
                break
            start, end = attribute.span(2)
            quoted = masked.text[start] in "\"'"
            editor.offer(start + quoted, end - quoted, replace, html=True, quoted=quoted)
            done = end
    return editor.finish()


def _replace_text(source: str, replace: Replace) -> str:
    masked = mask(source)
    editor = _Editor(masked)
    position = 0
    while found := _URL.search(masked.text, position):
        start, end = found.start(), _without_punctuation(masked.text, found.start(), found.end())
        if not editor.runs_on(found.end()) and not editor.offer(start, end, replace):
            # `{% if a %}https://x{% endif %}`: what ends there is not part of it.
            shorter = end
            while shorter > start and editor.is_end_tag(shorter - 1):
                shorter -= 1
            if shorter < end:
                end = shorter
                editor.offer(start, end, replace)
        position = max(end, start + 1)
    return editor.finish()


class _Editor:
    """Replaces stretches of a masked source from left to right, in one pass."""

    def __init__(self, masked: Masked) -> None:
        self._masked = masked
        self._atoms = [at for at, char in enumerate(masked.text) if char == masked.atom]
        self._number = {at: number for number, at in enumerate(self._atoms)}
        self._pieces: list[str] = []
        self._done = 0
        self._seen = 0

    def runs_on(self, end: int) -> bool:
        """Does Liquid take away the white space that ends a URL in text? `https://x {%- if a %}y{% endif %}`."""
        follows = end
        while self._masked.text[follows : follows + 1].isspace():
            follows += 1
        number = self._number.get(follows)
        return number is not None and self._masked.liquid[number].startswith(("{{-", "{%-"))

    def is_end_tag(self, at: int) -> bool:
        """Is there an `{% end… %}` at this position?"""
        number = self._number.get(at)
        return number is not None and _END_TAG.match(self._masked.liquid[number]) is not None

    def offer(self, start: int, end: int, replace: Replace, *, html: bool = False, quoted: bool = False) -> bool:
        """Replace this stretch if `replace` wants to. False if it stays."""
        text = self._masked.text
        before = self._seen + text.count(self._masked.atom, self._done, start)
        value = self._masked.restore(text[start:end], before)
        dynamic = self._masked.atom in text[start:end]
        if dynamic and not quoted and _TRIMMING.search(value):
            return False  # its `-` trims what is outside the link: a tag between the two would change that
        if text[start - 1 : start] == "{" or (dynamic and value.endswith("{")):
            return False  # `{` and our `{%` would be read as `{{`
        replacement = replace(unescape(value) if html and not dynamic else value, dynamic)
        if replacement is None:
            return False
        self._pieces += [self._masked.restore(text[self._done : start], self._seen), replacement]
        self._seen = before + text.count(self._masked.atom, start, end)
        self._done = end
        return True

    def finish(self) -> str:
        """The source with its replacements."""
        self._pieces.append(self._masked.restore(self._masked.text[self._done :], self._seen))
        return "".join(self._pieces)


def _without_punctuation(text: str, start: int, end: int) -> int:
    """Where a URL in running text ends: a full stop or a bracket after it belongs to the sentence."""
    while end > start and (
        text[end - 1] in ".,;:!?*_]}"
        or (text[end - 1] == ")" and text.count("(", start, end) < text.count(")", start, end))
    ):
        end -= 1
    return end
