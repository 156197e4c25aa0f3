"""Return paths that cannot be forged: `bounces+{token}@example.com` (VERP).

The token says workspace, send, week, n and contact, and 11 bytes of keyed BLAKE2b bind them. It is base32 in lower case: mail
systems change the case of local parts. Rewriting for SRS (`SRS0=…=bounces+token`) and BATV (`prvs=tag=bounces+token`)
keeps it whole, and it is read out of both. It is good for half a year, so that addresses that spammers collect do not last.
"""

import base64
import re
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b

from tidings.core.crypto import Keyring, keyed_hash, same
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId, SendId, WorkspaceId
from tidings.tracking import Subject

_HEAD = 10  # workspace 4, send 5, week 1
_BODY = 19  # and n 4, contact 5: in ten bytes and twenty, each a whole number of base32's groups of five
_MAC = 11
_TOKEN = re.compile(r"[+=-]([a-z2-7]{48})(?=$|[=+])")
_MAX_LOCAL = 64  # octets, RFC 5321 §4.5.3.1.1
TOKEN_LENGTH = 48
"""Characters of a token."""
MOST_WEEKS = 26
"""For how long a token is good. Reports of failure come within days, complaints within weeks."""

_WEEK_SECONDS = 7 * 86_400
_ALPHABET = bytes.maketrans(bytes(range(32)), b"abcdefghijklmnopqrstuvwxyz234567")


class ReturnPathInvalid(Invalid):
    """The address that reports are to come back to cannot carry a token."""

    code = "return_path_invalid"


class ReturnPaths:
    """Makes and reads envelope senders with the installation's key."""

    def __init__(self, keys: Keyring) -> None:
        self._key = keys.key("return paths")

    def for_send(
        self, base: str, *, workspace: WorkspaceId, send: SendId, now: datetime
    ) -> Callable[[int, int], bytes]:
        """A function from (n, contact) to the envelope sender, for the recipients of one send: about a microsecond a call.

        `base` is the address that reports come back to, without a token. Raises ReturnPathInvalid if the local part would
        be longer than 64 octets, which servers may refuse.
        """
        local, domain = check_base(base)
        fixed = workspace.to_bytes(4) + send.to_bytes(5) + bytes([_week(now)])
        fork = blake2b(fixed, key=self._key, digest_size=_MAC).copy
        start = f"{local}+".encode() + base64.b32encode(fixed).lower()
        end = f"@{domain}".encode()

        def path(n: int, contact: int) -> bytes:
            tail = n.to_bytes(4) + contact.to_bytes(5)
            mac = fork()
            mac.update(tail)
            return start + _base32(tail + mac.digest()) + end

        return path

    def make(self, base: str, subject: Subject, *, now: datetime) -> str:
        """The envelope sender for one recipient. Raises ReturnPathInvalid."""
        path = self.for_send(base, workspace=subject.workspace, send=subject.send, now=now)
        return path(subject.n, subject.contact).decode()

    def read(self, address: str, *, now: datetime) -> Subject | None:
        """Whose report arrived at this address; None if we did not make it, or too long ago. Case, SRS, BATV do not matter."""
        found = _TOKEN.search(address.strip().strip("<>").partition("@")[0].lower())
        if found is None:
            return None
        raw = base64.b32decode(found[1].upper())
        body, mac = raw[:_BODY], raw[_BODY:]
        if not same(keyed_hash(self._key, body, size=_MAC), mac):
            return None
        if (_week(now) - body[_HEAD - 1]) % 256 > MOST_WEEKS:
            return None
        number = int.from_bytes
        return Subject(
            WorkspaceId(number(body[:4])), SendId(number(body[4:9])), number(body[10:14]), ContactId(number(body[14:]))
        )


def check_base(base: str, *, at: str = "return_path") -> tuple[str, str]:
    """Local part and domain of an address that can carry a token. Raises ReturnPathInvalid that names the field `at`."""
    local, sign, domain = base.rpartition("@")
    if not sign or not local or not domain:
        raise ReturnPathInvalid.at(at, f"must be an address such as bounces@example.com, not {base[:80]!r}")
    most = _MAX_LOCAL - 1 - TOKEN_LENGTH
    if len(local.encode()) > most:
        raise ReturnPathInvalid.at(at, f"its local part must be at most {most} characters, to leave room")
    return local, domain


def _week(now: datetime) -> int:
    """Comes round every five years."""
    return int(now.timestamp()) // _WEEK_SECONDS % 256


_80, _40, _20, _10, _5 = (
    sum((1 << width) - 1 << 2 * lane * place for place in range(128 // lane))
    for width, lane in ((80, 128), (40, 64), (20, 32), (10, 16), (5, 8))
)


def _base32(raw: bytes) -> bytes:
    """Twenty bytes as base32. The library's takes four times as long: here halves move apart until each five bits have a byte."""
    bits = int.from_bytes(raw)
    bits = bits & _80 | (bits >> 80 & _80) << 128
    bits = bits & _40 | (bits >> 40 & _40) << 64
    bits = bits & _20 | (bits >> 20 & _20) << 32
    bits = bits & _10 | (bits >> 10 & _10) << 16
    bits = bits & _5 | (bits >> 5 & _5) << 8
    return bits.to_bytes(32).translate(_ALPHABET)
