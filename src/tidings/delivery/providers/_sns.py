"""Amazon SNS, which carries the events of SES: whether a message is really theirs. Pure: the certificate is handed in.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509.oid import NameOID

from tidings.core.errors import Invalid
from tidings.delivery.providers._notifications import BadSignature, json_of, text_at

_HOST = re.compile(r"sns\.[a-z0-9-]{3,30}\.amazonaws\.com(\.cn)?\Z")
_NAME = re.compile(r"sns\.([a-z0-9-]{3,30}\.)?amazonaws\.com(\.cn)?\Z")
_MINUTE = timedelta(minutes=1)
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES = {"1": SHA1(), "2": SHA256()}  # noqa: S303 - what SNS signs with unless a topic is told otherwise
_PADDING = PKCS1v15()


@dataclass(frozen=True, slots=True)
class SnsMessage:
    """An envelope of SNS. Trust nothing of it before `verify_sns`."""

    type: str
    message: str
    message_id: str
    topic: str
    subscribe_url: str
    """Of a SubscriptionConfirmation: to be fetched once, to begin. Always of an SNS host."""
    certificate_url: str
    """Always an https URL of an SNS host."""
    fields: dict[str, Any]


def parse_sns(body: bytes) -> SnsMessage:
    """Raises Invalid, and BadSignature when a URL in it is not Amazon's."""
    told = json_of(body)
    fields = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    kind = text_at(fields, "Type")
    if kind not in _SIGNED or not isinstance(fields.get("Message"), str):
        raise Invalid("not a message of Amazon SNS")
    certificate, subscribe = text_at(fields, "SigningCertURL"), text_at(fields, "SubscribeURL")
    if not _is_certificate(certificate):
        raise BadSignature("its certificate is not Amazon SNS's")
    if kind == "SubscriptionConfirmation" and not (_is_sns(subscribe) and "Action=ConfirmSubscription" in subscribe):
        raise BadSignature("its confirmation is not at Amazon SNS")
    return SnsMessage(
        kind,
        fields["Message"],
        text_at(fields, "MessageId"),
        text_at(fields, "TopicArn"),
        subscribe,
        certificate,
        fields,
    )


def verify_sns(message: SnsMessage, certificate: bytes, *, now: datetime) -> None:
    """Raise BadSignature unless the message is signed with the first of these PEM certificates, which came from its
    `certificate_url`: by TLS from an SNS host, which only Amazon can do, and it must be SNS's own and valid now. Certificates
    that follow it in the file must be its issuers.
    """
    hashed = _HASHES.get(text_at(message.fields, "SignatureVersion"))
    lines: list[str] = []
    for name in _SIGNED[message.type]:
        value = message.fields.get(name)
        if isinstance(value, str):
            lines += [name, value]
    key = _key_of(certificate, int(now.timestamp()) // 60)
    if hashed is None:
        raise BadSignature("signed in a way that Amazon SNS does not use")
    try:
        signature = b64decode(str(message.fields.get("Signature", "")), validate=True)
        key.verify(signature, ("\n".join(lines) + "\n").encode(), _PADDING, hashed)
    except (InvalidSignature, ValueError):
        raise BadSignature("the notification's signature is wrong") from None


@lru_cache(maxsize=64)
def _key_of(certificates: bytes, minute: int) -> RSAPublicKey:
    """Of a certificate that is SNS's and valid in this minute. Raises BadSignature."""
    now = datetime.fromtimestamp(60 * minute, UTC)
    try:
        first, *issuers = x509.load_pem_x509_certificates(certificates)
        key = first.public_key()
        for one, issuer in pairwise([first, *issuers]):
            one.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        raise BadSignature("its certificate cannot be verified") from None
    if not all(
        one.not_valid_before_utc <= now + _MINUTE and now <= one.not_valid_after_utc for one in (first, *issuers)
    ):
        raise BadSignature("its certificate is not valid now")
    if not any(_NAME.match(name) for name in _names(first)):
        raise BadSignature("its certificate is not Amazon SNS's")
    if not isinstance(key, RSAPublicKey):
        raise BadSignature("signed in a way that Amazon SNS does not use")
    return key


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return names.value.get_values_for_type(x509.DNSName)


@lru_cache(maxsize=64)  # a region has one for years
def _is_certificate(url: str) -> bool:
    return _is_sns(url) and urlsplit(url).path.endswith(".pem")


def _is_sns(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme == "https"
            and parts.port in {None, 443}
            and "@" not in parts.netloc
            and bool(_HOST.match(parts.hostname or ""))
        )
    except ValueError:
        return False
