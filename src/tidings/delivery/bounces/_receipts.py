"""Message disposition notifications (RFC 8098): what a mail program did with the message, such as showing it."""

from tidings.delivery.bounces import _original
from tidings.delivery.bounces._addresses import field_address
from tidings.delivery.bounces._parts import Part, get, headers_of
from tidings.delivery.bounces._report import Kind, Recipient, Report
from tidings.delivery.providers import FailureClass

TYPES = frozenset({"message/disposition-notification", "message/global-disposition-notification"})
_DISPOSITIONS = ("displayed", "deleted", "dispatched", "processed", "denied", "failed")


def read(root: Part, leaves: list[Part]) -> Report | None:
    """The receipt that this is; None if it is none."""
    part = next((leaf for leaf in leaves if leaf.type in TYPES), None)
    if part is None:
        return None
    fields = headers_of(part.text().lstrip("\n "))
    address = next(
        (a for name in ("original-recipient", "final-recipient") if (a := field_address(get(fields, name)))), ""
    )
    disposition = get(fields, "disposition")
    words = disposition.partition(";")[2].lower()
    action = next((d for d in _DISPOSITIONS if d in words), "processed")
    found = (Recipient(address, action, "", False, FailureClass.UNKNOWN, disposition[:300]),) if address else ()
    message = get(fields, "original-message-id") or _original.message_id(_original.enclosed(root))
    return Report(Kind.RECEIPT, found, message)
