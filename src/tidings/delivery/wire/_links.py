"""From what someone wrote to what goes out: links wrapped, unsubscribing and address at the end, the open pixel."""

import re
from collections.abc import Mapping, Sequence

from markupsafe import escape

from tidings.content import PERSONAL, compiles_alone, replace_html_links, replace_text_links, with_footer
from tidings.delivery.wire._content import SendContent, web_address

_INTERRUPT = re.compile(r"\b(?:break|continue)\b")
_SAYS_ALL = "{{ unsubscribe_url }}{{ workspace.postal_address }}"  # what needs no footer
_PIXEL = '<img src="{% tidings_url o .gif %}" width="1" height="1" alt="" style="display:block;border:0">'


def wire_html(content: SendContent, links: Sequence[str]) -> str:
    """The HTML source that is compiled: our tags where links were, footer and pixel."""
    source = content.html
    if content.track_clicks:
        source = replace_html_links(source, _Wrapper(links, html=True))
    return with_footer(source, html=True, written=content.html, pixel=_PIXEL if content.track_opens else "")


def wire_text(content: SendContent, links: Sequence[str]) -> str:
    """The text source that is compiled."""
    source = content.text
    if content.track_clicks:
        source = replace_text_links(source, _Wrapper(links, html=False))
    return with_footer(source, html=False, written=content.text)


def message_html(source: str, *, track_opens: bool, track_clicks: bool, footer: bool) -> str:
    """The HTML source of a message to one recipient: its links carry where they lead, and it has a footer if it must."""
    edited = replace_html_links(source, _carried_html) if track_clicks else source
    written = source if footer else _SAYS_ALL
    return with_footer(edited, html=True, written=written, pixel=_PIXEL if track_opens else "")


def message_text(source: str, *, track_clicks: bool, footer: bool) -> str:
    """The text source of a message to one recipient."""
    edited = replace_text_links(source, _carried_text) if track_clicks else source
    return with_footer(edited, html=False, written=source) if footer else edited


def _carried_html(link: str, dynamic: bool) -> str | None:
    return _carried(link if dynamic else str(escape(link)), dynamic, html=True)


def _carried_text(link: str, dynamic: bool) -> str | None:
    return _carried(link, dynamic, html=False)


def _carried(link: str, dynamic: bool, *, html: bool) -> str | None:
    if dynamic:
        return _Wrapper((), html=html).signed(link)
    # A brace could begin Liquid where none was.
    return f"{{% tidings_link %}}{link}{{% endtidings_link %}}" if web_address(link) and "{" not in link else None


class _Wrapper:
    """What stands for a link."""

    def __init__(self, links: Sequence[str], *, html: bool) -> None:
        self._indexes: Mapping[str, int] = {link: index for index, link in reversed(list(enumerate(links)))}
        self._html = html

    def __call__(self, link: str, dynamic: bool) -> str | None:
        if dynamic:
            return self.signed(link)
        index = self._indexes.get(web_address(link))
        return None if index is None else f"{{% tidings_url c /{index} %}}"

    def signed(self, link: str) -> str | None:
        """A link that is computed for each recipient; None for one that cannot be followed up."""
        if any(name in link for name in PERSONAL) or _INTERRUPT.search(link):
            return None
        # `{% if a %}https://x">…{% else %}…`: not a piece of its own.
        return f"{{% tidings_link %}}{link}{{% endtidings_link %}}" if compiles_alone(link, html=self._html) else None
