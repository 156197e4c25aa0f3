"""What a send's messages say, compiled: once for all sends that say the same."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from tidings.content import PLAIN, Compiled, Occasion, RecipientUrls, compile_liquid, plain_text
from tidings.delivery.wire._content import SendContent
from tidings.delivery.wire._links import wire_html, wire_text
from tidings.delivery.wire._mime import QUOTED_PRINTABLE

_KEPT = 64
_LONGEST = 16 << 20
"""Characters of sources that are kept compiled, of all of them; compiled they take a few times as much memory."""

_Dynamic = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class CompiledTexts:
    """Subject, HTML and text, ready to be filled in for the recipients of any send that says this."""

    parts: tuple[Compiled, Compiled, Compiled]
    derived: bool
    """The text was made from the HTML."""
    length: int
    """Characters of the sources."""


class Texts:
    """Thousands of small campaigns often say the same, or say it of the same template: what they say is compiled once.

    The least recently used go first.
    """

    def __init__(self, dynamic: _Dynamic) -> None:
        """`dynamic`: (token, url) to the tail of a link to a destination that was not known at launch."""
        self._dynamic = dynamic
        self._kept: OrderedDict[tuple[object, ...], CompiledTexts] = OrderedDict()
        self._lock = Lock()

    def get(self, content: SendContent, links: Sequence[str]) -> CompiledTexts:
        """From what is kept, or compiled now. Raises TemplateInvalid. May be called by several threads at once."""
        said = _said(content, links)
        alone = (*said, content.campaign_id, content.campaign_name)
        with self._lock:
            for key in (said, alone):
                if (found := self._kept.get(key)) is not None:
                    self._kept.move_to_end(key)
                    return found
        made = compile_texts(content, links, self._dynamic)
        with self._lock:
            self._kept[alone if any(one.of_campaign for one in made.parts) else said] = made
            self._trim()
        return made

    def _trim(self) -> None:
        kept = self._kept
        length = sum(one.length for one in kept.values())
        while len(kept) > _KEPT or (length > _LONGEST and len(kept) > 1):
            length -= kept.popitem(last=False)[1].length


def compile_texts(content: SendContent, links: Sequence[str], dynamic: _Dynamic) -> CompiledTexts:
    """Compile subject, HTML and text. Raises TemplateInvalid."""
    occasion = Occasion(
        campaign_id=content.campaign_id,
        campaign_name=content.campaign_name,
        workspace_name=content.workspace_name,
        postal_address=content.postal_address,
        urls=RecipientUrls(content.public_url, dynamic),
    )
    subject = compile_liquid(content.subject, html=False, encoding=PLAIN, occasion=occasion, field="subject")
    html, text = (
        compile_liquid(source, html=is_html, encoding=QUOTED_PRINTABLE, occasion=occasion, wire=True, field=field)
        for source, is_html, field in (
            (wire_html(content, links), True, "html_content"),
            (wire_text(content, links), False, "text_content"),
        )
    )
    return CompiledTexts(
        (subject, html, text),
        derived=content.text == plain_text(content.html),
        length=len(content.subject) + len(content.html) + len(content.text),
    )


def _said(content: SendContent, links: Sequence[str]) -> tuple[object, ...]:
    """All that the texts are made of, besides the campaign."""
    return (
        content.subject,
        content.html,
        content.text,
        tuple(links),
        content.track_opens,
        content.track_clicks,
        content.workspace_name,
        content.postal_address,
        content.public_url,
    )
