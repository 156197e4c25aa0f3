"""What a message to one recipient says, apart from what is its own: kept once for all that say the same."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import blake2b

import orjson

from tidings.content import Attached


class MessageKind(StrEnum):
    """Why a message is sent: it decides who may get it, and what the law wants in it."""

    TRANSACTIONAL = "transactional"
    """The recipient's own act asks for it (a receipt, a password, a confirmation). It goes to those who unsubscribed too."""
    MARKETING = "marketing"
    """Anything else. It goes to contacts who never left, and says how to leave."""
    CONFIRMATION = "confirmation"
    """Somebody asked to be on a list: was it the owner of this address? Ours alone, as it goes to addresses that bounced too:
    whoever presses the button in it got it."""


@dataclass(frozen=True, slots=True)
class CampaignHeaders:
    """The header fields by which mailbox providers know a campaign, for a test of one: they file the two alike."""

    list_id: str
    list_name: str
    feedback_id: str
    """As SendContent has them."""
    token: str
    """Of List-Unsubscribe: nobody's, as a test takes nobody off anything."""


@dataclass(frozen=True, slots=True)
class MessageContent:
    """One content; never changes. `subject`, `html` and `text` are Liquid; without `html` the message is plain text."""

    subject: str
    html: str
    text: str
    derived: bool
    """The text was made from the HTML."""
    sender_email: str
    sender_name: str
    reply_to: str
    kind: str
    """A MessageKind."""
    label: str
    """What Feedback-ID calls it: `t7` for a template, `inline` for none."""
    workspace_name: str
    postal_address: str
    public_url: str
    track_opens: bool
    track_clicks: bool
    attached: Sequence[Attached] = ()
    """Files that go along; their bytes are found by their hash."""
    as_campaign: CampaignHeaders | None = None

    def to_json(self) -> bytes:
        """JSON with one member a field."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, raw: bytes) -> "MessageContent":
        """Undo `to_json`."""
        told = orjson.loads(raw)
        told["attached"] = tuple(Attached(**one) for one in told.get("attached", ()))
        if told.get("as_campaign"):
            told["as_campaign"] = CampaignHeaders(**told["as_campaign"])
        return cls(**told)


def content_hash(raw: bytes) -> bytes:
    """Under which a content is kept: 16 bytes over what `to_json` gave."""
    return blake2b(raw, digest_size=16).digest()
