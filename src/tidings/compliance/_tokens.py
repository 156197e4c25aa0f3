"""What stands in the addresses of forms and confirmations: nobody can make one, and none tells of another.

Each is base64url of the numbers and of a keyed BLAKE2b (RFC 7693) over them, under a key of its own kind.
"""

import base64
import binascii
from datetime import datetime

from tidings.core.crypto import Keyring, keyed_hash, same
from tidings.core.ids import ConsentId, FormId, WorkspaceId

_FORM_MAC, _CONSENT_MAC, _TICKET_MAC = 9, 14, 10


class SignupTokens:
    """Makes and reads them with the installation's key."""

    def __init__(self, keys: Keyring) -> None:
        self._form_key = keys.key("signup forms")
        self._consent_key = keys.key("confirmations")
        self._ticket_key = keys.key("form tickets")

    def form(self, workspace: WorkspaceId, form: FormId) -> str:
        """The public id of a form: 24 characters."""
        return _sealed(self._form_key, workspace.to_bytes(4) + form.to_bytes(5), _FORM_MAC)

    def read_form(self, token: str) -> tuple[WorkspaceId, FormId] | None:
        """Whose form it is; None if we did not make it."""
        body = _opened(self._form_key, token, 9, _FORM_MAC)
        return None if body is None else (WorkspaceId(int.from_bytes(body[:4])), FormId(int.from_bytes(body[4:])))

    def consent(self, workspace: WorkspaceId, consent: ConsentId) -> str:
        """What proves that its holder got the confirmation's message: 32 characters."""
        return _sealed(self._consent_key, workspace.to_bytes(4) + consent.to_bytes(6), _CONSENT_MAC)

    def read_consent(self, token: str) -> tuple[WorkspaceId, ConsentId] | None:
        """What it confirms; None if we did not make it."""
        body = _opened(self._consent_key, token, 10, _CONSENT_MAC)
        return None if body is None else (WorkspaceId(int.from_bytes(body[:4])), ConsentId(int.from_bytes(body[4:])))

    def ticket(self, form: str, now: datetime) -> str:
        """When the form with this token was shown."""
        moment = int(now.timestamp() * 1000).to_bytes(8)
        return _encode(moment + keyed_hash(self._ticket_key, form.encode() + moment, size=_TICKET_MAC))

    def ticket_age(self, ticket: str, form: str, now: datetime) -> float | None:
        """Seconds since it was made for this form; None if it was not."""
        raw = _decode(ticket)
        if raw is None or len(raw) != 8 + _TICKET_MAC:
            return None
        moment, mac = raw[:8], raw[8:]
        if not same(mac, keyed_hash(self._ticket_key, form.encode("utf-8", "replace") + moment, size=_TICKET_MAC)):
            return None
        return now.timestamp() - int.from_bytes(moment) / 1000


def _sealed(key: bytes, body: bytes, size: int) -> str:
    return _encode(body + keyed_hash(key, body, size=size))


def _opened(key: bytes, token: str, length: int, size: int) -> bytes | None:
    raw = _decode(token)
    if raw is None or len(raw) != length + size:
        return None
    body, mac = raw[:length], raw[length:]
    return body if same(mac, keyed_hash(key, body, size=size)) else None


def _encode(raw: bytes) -> str:
    """All are multiples of three bytes: no padding, and one spelling each."""
    return base64.urlsafe_b64encode(raw).decode("ascii")


def _decode(text: str) -> bytes | None:
    if len(text) > 100 or "+" in text or "/" in text:
        return None
    try:
        return binascii.a2b_base64(text.encode("ascii").translate(bytes.maketrans(b"-_", b"+/")), strict_mode=True)
    except ValueError:
        return None
