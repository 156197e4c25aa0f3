"""DKIM signatures (RFC 6376, RFC 8463, RFC 8301): relaxed/relaxed, one for each key of a domain.

What is signed is what the recipient's server reads: dots stuffed for SMTP (RFC 5321 §4.5.2) are taken out before
hashing. The body is canonicalised and hashed once for all signatures of a message.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

SIGNED = (
    b"from",
    b"date",
    b"subject",
    b"to",
    b"reply-to",
    b"message-id",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"auto-submitted",
    b"in-reply-to",
    b"references",
    b"list-id",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"feedback-id",
)
"""Header fields that are signed when a message has them (RFC 6376 §5.4.1, RFC 8058 §4)."""

OVERSIGNED = (b"from", b"subject", b"date", b"to", b"reply-to", b"content-type", b"list-unsubscribe")
"""Named once more than they occur, so that one more of them breaks the signature (RFC 6376 §5.4.2, §8.15)."""

_SPACES = re.compile(rb"[ \t]+")
_WIDTH = 72
_LONG = 4096


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One private key and where its public half is published: `{selector}._domainkey.{domain}`."""

    domain: str
    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey

    @property
    def algorithm(self) -> bytes:
        """The value of `a=`."""
        return b"rsa-sha256" if isinstance(self.private, RSAPrivateKey) else b"ed25519-sha256"

    def sign(self, data: bytes) -> bytes:
        """The value of `b=`, not encoded. Ed25519 signs the hash of the data (RFC 8463 §3)."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(data, PKCS1v15(), hashes.SHA256())
        return self.private.sign(hashlib.sha256(data).digest())


class Signer:
    """Signs messages with all keys of a domain."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        starts = [
            b"v=1; a=%b; c=relaxed/relaxed; d=%b; s=%b;\r\n\tt="
            % (key.algorithm, key.domain.encode("ascii"), key.selector.encode("ascii"))
            for key in keys
        ]
        self._keys = [(key, start, _relaxed_value(start)) for key, start in zip(keys, starts, strict=True)]

    def sign(self, message: bytes, *, now: int) -> bytes:
        """The message with a DKIM-Signature for each key before it.

        `message` as it goes over the wire: CRLF, dot-stuffed, with an empty line after its headers. `now` in seconds
        since 1970.
        """
        # Not beyond the last dot: the base64 of attachments has none, and to look through it costs more than its hash.
        stuffed = message.find(b"\r\n.", 0, message.rfind(b".") + 1) >= 0
        plain = message.replace(b"\r\n.", b"\r\n") if stuffed else message
        head, _, body = plain.partition(b"\r\n\r\n")
        body_hash = b64encode(hashlib.sha256(relaxed_body(body)).digest())
        names, signed = _chosen(head)
        folded, relaxed = _fold_names(names)
        tail = b"%d;\r\n\th=%b;\r\n\tbh=%b;\r\n\tb=" % (now, folded, body_hash)
        relaxed_tail = b"%d; h=%b; bh=%b; b=" % (now, relaxed, body_hash)
        signatures: list[bytes] = []
        for key, start, relaxed_start in self._keys:
            # Its own field comes last, with an empty b= and without a line break (RFC 6376 §3.7).
            data = b"%bdkim-signature:%b%b" % (signed, relaxed_start, relaxed_tail)
            value = _fold_base64(b64encode(key.sign(data)))
            signatures.append(b"DKIM-Signature: %b%b%b\r\n" % (start, tail, value))
        return b"".join([*signatures, message])


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 §3.4.4: white space shrunk, none at the end of lines, no empty lines at the end."""
    # Searches and replacements in C: a regular expression over the whole body would cost more than an RSA signature.
    # Behind the last white space, where an attachment's base64 is, there is nothing to shrink.
    last = max(body.rfind(b" "), body.rfind(b"\t")) + 3
    rest = body[last:] if len(body) - last > _LONG else b""
    if rest:
        body = body[:last]
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    while b"  " in body:
        body = body.replace(b"  ", b" ")
    if b" \r\n" in body:
        body = body.replace(b" \r\n", b"\r\n")
    if rest:
        body += rest
    if body.endswith(b" "):
        body = body[:-1]
    end = len(body)
    while end >= 2 and body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end] + b"\r\n" if end else b""


def _chosen(head: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """The names for h=, and the canonical fields in that order: of several of a name the last comes first (§5.4.2)."""
    fields: dict[bytes, list[bytes]] = {}
    for field in head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t").split(b"\r\n"):
        name, _, value = field.partition(b":")
        fields.setdefault(name.strip(b" \t").lower(), []).append(value)
    names: list[bytes] = []
    lines: list[bytes] = []
    for name in SIGNED:
        for value in reversed(fields.get(name, ())):
            names.append(name)
            lines.append(b"%b:%b\r\n" % (name, _relaxed_value(value)))
    return (*names, *OVERSIGNED), b"".join(lines)


def _relaxed_value(value: bytes) -> bytes:
    """RFC 6376 §3.4.2: unfolded, white space shrunk."""
    if b"\r\n" in value:
        value = value.replace(b"\r\n", b"")
    # Of most fields there is nothing to shrink, and to look for it costs less than the expression.
    if b"\t" in value or b"  " in value:
        value = _SPACES.sub(b" ", value)
    return value.strip(b" ")


@lru_cache(maxsize=256)
def _fold_names(names: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """The value of h= on lines, and the same relaxed. The messages of a send have the same fields."""
    lines, line = [], b""
    for name in names:
        if line and len(line) + len(name) + 1 > _WIDTH:
            lines.append(line)
            line = b""
        line += (b":" if line or lines else b"") + name
    folded = b"\r\n\t ".join([*lines, line])
    return folded, _relaxed_value(folded)


def _fold_base64(text: bytes) -> bytes:
    return b"\r\n\t ".join(text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH))
