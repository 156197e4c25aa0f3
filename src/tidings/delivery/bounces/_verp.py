"""Return paths that cannot be forged: `bounces+{token}@example.com` (VERP, RFC 5321 §4.1.1.2 notwithstanding its age).

The token says workspace, send, n and contact, and 8 bytes of keyed BLAKE2b bind them. It is base32 in lower case: mail
systems change the case of local parts. Rewriting for SRS (`SRS0=…=bounces+token`) and BATV (`prvs=tag=bounces+token`)
keeps it whole, and it is read out of both.
"""

import base64
import re

from tidings.core.crypto import Keyring, keyed_hash, same
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId, SendId, WorkspaceId
from tidings.tracking import Subject

_BODY = 18  # workspace 4, send 5, n 4, contact 5: the layout of link tokens
_MAC = 9  # so that body and MAC are 27 bytes: 44 characters of base32 without padding
_TOKEN = re.compile(r"[+=-]([a-z2-7]{44})(?=$|[=+])")
_MAX_LOCAL = 64  # octets, RFC 5321 §4.5.3.1.1
TOKEN_LENGTH = 44
"""Characters of a token."""


class ReturnPathInvalid(Invalid):
    """The address that reports are to come back to cannot carry a token."""

    code = "return_path_invalid"


class ReturnPaths:
    """Makes and reads envelope senders with the installation's key."""

    def __init__(self, keys: Keyring) -> None:
        self._key = keys.key("return paths")

    def make(self, base: str, subject: Subject) -> str:
        """The envelope sender for one recipient: `base` is the address that reports come back to, without a token.

        Raises ReturnPathInvalid if the local part would be longer than 64 octets, which servers may refuse.
        """
        local, at, domain = base.rpartition("@")
        if not at or not local or not domain:
            raise ReturnPathInvalid.at("return_path", f"must be an address such as bounces@example.com, not {base!r}")
        if len(local.encode()) + 1 + TOKEN_LENGTH > _MAX_LOCAL:
            raise ReturnPathInvalid.at(
                "return_path",
                f"its local part must be at most {_MAX_LOCAL - 1 - TOKEN_LENGTH} characters, to leave room",
            )
        body = (
            subject.workspace.to_bytes(4)
            + subject.send.to_bytes(5)
            + subject.n.to_bytes(4)
            + subject.contact.to_bytes(5)
        )
        token = base64.b32encode(body + keyed_hash(self._key, body, size=_MAC)).decode("ascii").rstrip("=").lower()
        return f"{local}+{token}@{domain}"

    def read(self, address: str) -> Subject | None:
        """Whose report arrived at this address; None if we did not make it. Case, SRS and BATV do not matter."""
        found = _TOKEN.search(address.strip().strip("<>").partition("@")[0].lower())
        if found is None:
            return None
        raw = base64.b32decode(found[1].upper() + "====")
        if base64.b32encode(raw).decode("ascii").rstrip("=").lower() != found[1]:
            return None  # the bits behind the last byte: a token has one spelling
        body, mac = raw[:_BODY], raw[_BODY:]
        if not same(keyed_hash(self._key, body, size=_MAC), mac):
            return None
        number = int.from_bytes
        return Subject(
            WorkspaceId(number(body[:4])), SendId(number(body[4:9])), number(body[9:13]), ContactId(number(body[13:]))
        )
