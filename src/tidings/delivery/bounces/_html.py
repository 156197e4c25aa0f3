"""The words of an HTML body, line by line: enough to find addresses and sentences, in linear time."""

import html
import re

_HIDDEN = ("script", "style", "head")
_BREAK = re.compile(r"<(?:br|/?p|/?div|/?tr|/?li|/?td|/?h[1-6]|/?table|hr|/?pre)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[/!?a-zA-Z][^<>]*>")
_BLANKS = re.compile(r"[ \t\u00a0]{2,}")


def text_of(markup: str) -> str:
    """The text; an address in angle brackets that nobody escaped stays."""
    low = markup.lower()
    if len(low) == len(markup):
        for name in _HIDDEN:
            markup, low = _without(markup, low, name)
    markup = _BREAK.sub("\n", markup.replace("\n", " "))
    markup = _TAG.sub(lambda m: m[0] if "@" in m[0] and "=" not in m[0] else "", markup)
    text = html.unescape(markup).replace("\u200b", "")
    return "\n".join(_BLANKS.sub(" ", line).strip(" \u00a0") for line in text.split("\n"))


def _without(markup: str, low: str, name: str) -> tuple[str, str]:
    opening, closing = f"<{name}", f"</{name}>"
    kept: list[str] = []
    at = 0
    while (start := low.find(opening, at)) >= 0:
        if low[start + len(opening) : start + len(opening) + 1] not in {">", " ", "\n", "\t"}:
            kept.append(markup[at : start + len(opening)])
            at = start + len(opening)
            continue
        kept.append(markup[at:start])
        end = low.find(closing, start)
        if end < 0:
            at = len(markup)
            break
        at = end + len(closing)
    kept.append(markup[at:])
    markup = "".join(kept)
    return markup, markup.lower() if len(markup.lower()) == len(markup) else markup
