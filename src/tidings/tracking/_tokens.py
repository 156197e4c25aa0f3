"""Link tokens: which recipient of which send a URL belongs to, in a form that nobody can forge.

A token is 40 characters of base64url: 18 bytes that say workspace, send, n and contact, and 12 bytes of keyed BLAKE2b
(RFC 7693) over them. The numbers are not secret, they are only bound together.
"""

import base64
import binascii
import hmac
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from tidings.core.crypto import Keyring
from tidings.core.ids import ContactId, SendId, WorkspaceId

_BODY = 18  # workspace 4, send 5, n 4, contact 5: a million millions of each of the large ones
_MAC = 12

# To the alphabet of base64 proper, whose own two characters are none of ours: a token has one spelling.
_TO_BASE64 = bytes.maketrans(b"-_+/", b"+/..")

MAX_LENGTH = 40
"""Characters of a token: all have as many."""


class Subject(NamedTuple):
    """Whom a token belongs to."""

    workspace: WorkspaceId
    send: SendId
    n: int
    contact: ContactId


class Tokens:
    """Makes and reads tokens with the installation's key."""

    def __init__(self, keys: Keyring, public_url: str = "") -> None:
        self._key = keys.key("link tokens")
        self._url_key = keys.key("link destinations")
        self.public_url = public_url

    def for_send(self, workspace: WorkspaceId, send: SendId) -> Callable[[int, int], str]:
        """A function from (n, contact) to the token, for the recipients of one send: about a microsecond a call."""
        head = workspace.to_bytes(4) + send.to_bytes(5)
        keyed = blake2b(head, key=self._key, digest_size=_MAC)
        fork, encode = keyed.copy, binascii.b2a_base64
        url_safe = bytes.maketrans(b"+/", b"-_")

        def token(n: int, contact: int) -> str:
            tail = n.to_bytes(4) + contact.to_bytes(5)
            mac = fork()
            mac.update(tail)
            return encode(head + tail + mac.digest(), newline=False).translate(url_safe).decode("ascii")

        return token

    def read(self, token: str) -> Subject | None:
        """Whom it belongs to; None if we did not make it."""
        if len(token) != MAX_LENGTH:
            return None
        try:
            raw = binascii.a2b_base64(token.encode("ascii").translate(_TO_BASE64), strict_mode=True)
        except ValueError:
            return None
        body, mac = raw[:_BODY], raw[_BODY:]
        if not hmac.compare_digest(blake2b(body, key=self._key, digest_size=_MAC).digest(), mac):
            return None
        number = int.from_bytes
        return Subject(
            WorkspaceId(number(body[:4])), SendId(number(body[4:9])), number(body[9:13]), ContactId(number(body[13:]))
        )

    def dynamic(self, token: str, url: str) -> str:
        """The tail of `/c/{token}/…` for a destination that was computed for one recipient: carried, and signed."""
        carried = base64.urlsafe_b64encode(url.encode()).decode("ascii").rstrip("=")
        return f"x?u={carried}&s={self._sign(token, carried)}"

    def read_dynamic(self, token: str, u: str, s: str) -> str | None:
        """The destination in the `u` and `s` of a URL with this token; None if we did not make it."""
        if not hmac.compare_digest(self._sign(token, u).encode(), s.encode("utf-8", "replace")):
            return None
        return base64.urlsafe_b64decode(u + "=" * (-len(u) % 4)).decode()

    def _sign(self, token: str, carried: str) -> str:
        digest = blake2b(f"{token}\n{carried}".encode("utf-8", "replace"), key=self._url_key, digest_size=_MAC).digest()
        return base64.urlsafe_b64encode(digest).decode("ascii")
