"""What a send says: everything that goes into its messages, frozen at launch."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import orjson

from tidings.content import Attached, replace_html_links, replace_text_links

_WEB = re.compile(r"https?://\S", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SendContent:
    """One variant of a send's content. Kept as JSON in `send_contents.content`; never changes after launch.

    `subject`, `html` and `text` are Liquid sources; `text` is never empty (content.freeze derives it from the HTML).
    """

    subject: str
    html: str
    text: str
    sender_email: str
    sender_name: str
    reply_to: str
    message_domain: str
    """The sender's domain as A-labels: the right-hand side of every Message-ID."""
    list_id: str
    """RFC 2919, without brackets: `list-3.ws-1.example.com`."""
    list_name: str
    feedback_id: str
    """`campaign:…:…:SenderId`: nothing in it may tell one recipient from another."""
    workspace_name: str
    postal_address: str
    campaign_id: int
    campaign_name: str
    public_url: str
    """Where the edge is reached, without a slash at the end."""
    track_opens: bool
    track_clicks: bool
    attached: Sequence[Attached] = ()
    """Files that go along; their bytes are found by their hash."""
    preheader: str = ""
    """By itself, as text: the HTML has it in it already."""

    def to_json(self) -> bytes:
        """JSON with one member a field."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, raw: bytes) -> "SendContent":
        """Undo `to_json`."""
        told = orjson.loads(raw)
        return cls(**told | {"attached": tuple(Attached(**one) for one in told.get("attached", ()))})


def extract_links(content: SendContent) -> list[str]:
    """The destinations known at launch, of the HTML and then the text, each once: a position is a link's index."""
    if not content.track_clicks:
        return []
    found: dict[str, None] = {}

    def note(link: str, dynamic: bool) -> None:
        if not dynamic and (url := web_address(link)):
            found[url] = None

    replace_html_links(content.html, note)
    replace_text_links(content.text, note)
    return list(found)


def web_address(link: str) -> str:
    """The destination of a static link as browsers read it; '' for one that is not followed over the web."""
    url = re.sub(r"[\t\r\n]", "", link).strip()
    return url if _WEB.match(url) else ""
