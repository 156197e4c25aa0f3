"""What a message that came back says: the closed vocabulary, and the values it is told in."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tidings.delivery.providers import FailureClass


class Kind(StrEnum):
    """What a message is. The first seven are reports of machines; everything that is none of them is `other`."""

    BOUNCE = "bounce"
    """At least one recipient did not get it, and the reporting server has given up."""
    DELAYED = "delayed"
    """Nobody has failed yet: the reporting server goes on trying."""
    DELIVERED = "delivered"
    """A positive notification: delivered, relayed or expanded (RFC 3464 §2.3.3)."""
    COMPLAINT = "complaint"
    """A recipient called the message unwanted, or asked to be left alone (RFC 5965, and formats before it)."""
    NOT_SPAM = "not_spam"
    """A recipient took a complaint back (RFC 6430)."""
    AUTO_REPLY = "auto_reply"
    """A program answered for the recipient: a vacation notice, a ticket system, a challenge."""
    RECEIPT = "receipt"
    """The recipient's mail program tells what became of it, such as that it was read (RFC 8098)."""
    OTHER = "other"
    """A person's mail, a DMARC report, a newsletter: nothing to act on."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """What became of one recipient.

    `action` is failed, delayed, delivered, relayed, expanded (RFC 3464 §2.3.3), complaint, opt-out, not-spam, replied,
    displayed, deleted, dispatched, processed or denied (RFC 8098 §3.2.6). `status` is an RFC 3463 status, "" if nobody
    gave one. `permanent` says that trying again would not help. `reason` is in the words of the server or the report.
    """

    address: str
    action: str
    status: str
    permanent: bool
    kind: FailureClass
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a message is and whom it concerns, and what is left of the message it is about."""

    kind: Kind
    recipients: tuple[Recipient, ...] = ()
    original_message_id: str = ""
    """With its angle brackets; "" if the report does not carry it."""
    addressed_to: tuple[str, ...] = ()
    """The addresses that the report itself was delivered to, for `read_return_path`."""

    def as_dict(self) -> dict[str, Any]:
        """What `tidings classify` prints of it: kind, and recipients with address, action, status, permanent, class, reason."""
        return {
            "kind": self.kind.value,
            "recipients": [
                {
                    "address": r.address,
                    "action": r.action,
                    "status": r.status,
                    "permanent": r.permanent,
                    "class": r.kind.value,
                    "reason": r.reason,
                }
                for r in self.recipients
            ],
        }


OTHER = Report(Kind.OTHER)
