"""From what someone wrote to what goes out: links wrapped, unsubscribing and address at the end, the open pixel."""

import re
from collections.abc import Mapping, Sequence

from tidings.content import (
    compiles_alone,
    replace_html_links,
    replace_text_links,
    uses_variable,
)
from tidings.delivery._content import SendContent, web_address

_INTERRUPT = re.compile(r"\b(?:break|continue)\b")
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)

_HTML_FOOTER = (
    '<div style="margin:24px auto 0;padding:12px;max-width:600px;text-align:center;'
    'font:12px/18px Arial,Helvetica,sans-serif;color:#6b6b6b">'
    "{{ workspace.name }}{% if workspace.postal_address %} · {{ workspace.postal_address }}{% endif %}<br>"
    '<a href="{{ unsubscribe_url }}" style="color:#6b6b6b">Unsubscribe</a></div>'
)
_TEXT_FOOTER = (
    "\n\n-- \n{{ workspace.name }}{% if workspace.postal_address %}\n{{ workspace.postal_address }}{% endif %}\n"
    "Unsubscribe: {{ unsubscribe_url }}\n"
)
_PIXEL = '<img src="{% tidings_url o .gif %}" width="1" height="1" alt="" style="display:block;border:0">'


def wire_html(content: SendContent, links: Sequence[str]) -> str:
    """The HTML source that is compiled: our tags where links were, footer and pixel."""
    source = content.html
    footer = "" if _says_how_to_leave(source, html=True) else _HTML_FOOTER
    if content.track_clicks:
        source = replace_html_links(source, _Wrapper(links, html=True))
    return _before_body_end(source, footer + (_PIXEL if content.track_opens else ""))


def wire_text(content: SendContent, links: Sequence[str]) -> str:
    """The text source that is compiled."""
    source = content.text
    footer = "" if _says_how_to_leave(source, html=False) else _TEXT_FOOTER
    if content.track_clicks:
        source = replace_text_links(source, _Wrapper(links, html=False))
    return source + footer


class _Wrapper:
    """What stands for a link."""

    def __init__(self, links: Sequence[str], *, html: bool) -> None:
        self._indexes: Mapping[str, int] = {link: index for index, link in reversed(list(enumerate(links)))}
        self._html = html

    def __call__(self, link: str, dynamic: bool) -> str | None:
        if dynamic:
            return self._signed(link)
        index = self._indexes.get(web_address(link))
        return None if index is None else f"{{% tidings_url c /{index} %}}"

    def _signed(self, link: str) -> str | None:
        if "unsubscribe_url" in link or _INTERRUPT.search(link):
            return None
        # `{% if a %}https://x">…{% else %}…`: not a piece of its own.
        return f"{{% tidings_link %}}{link}{{% endtidings_link %}}" if compiles_alone(link, html=self._html) else None


def _says_how_to_leave(source: str, *, html: bool) -> bool:
    return all(uses_variable(source, path, html=html) for path in ("unsubscribe_url", "workspace.postal_address"))


def _before_body_end(source: str, addition: str) -> str:
    """Put it before `</body>`, unless that stands under a condition: then at the end, where it is always seen."""
    ends = list(_BODY_END.finditer(source))
    if addition and ends:
        head, tail = source[: ends[-1].start()], source[ends[-1].start() :]
        if compiles_alone(head, html=True, wire=True):
            return head + addition + tail
    return source + addition
