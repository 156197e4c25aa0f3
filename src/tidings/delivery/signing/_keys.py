"""DKIM keys: made, written down, read, and the DNS record that goes with them."""

from base64 import b64encode
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

RSA_BITS = 2048
"""RFC 8301 §3.2 asks for at least 2048 where it can be; more does not fit into one string of most DNS panels."""


class DkimAlgorithm(StrEnum):
    """Kinds of keys. Everybody verifies RSA; some verify Ed25519 (RFC 8463), which is smaller and far cheaper."""

    RSA = "rsa"
    ED25519 = "ed25519"


PrivateKey = RSAPrivateKey | Ed25519PrivateKey


def generate(algorithm: DkimAlgorithm) -> PrivateKey:
    """A new key. RSA takes a good part of a second: not on an event loop."""
    if algorithm is DkimAlgorithm.RSA:
        return generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    return Ed25519PrivateKey.generate()


def write_key(key: PrivateKey) -> bytes:
    """PKCS #8 in DER, in the clear: seal it before it goes anywhere."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def read_key(raw: bytes) -> PrivateKey:
    """What `write_key` wrote."""
    key = load_der_private_key(raw, password=None)
    assert isinstance(key, (RSAPrivateKey, Ed25519PrivateKey))
    return key


def public_record(key: PrivateKey) -> str:
    """The TXT record's text: RFC 6376 §3.6.1; an Ed25519 key is its 32 bytes alone (RFC 8463 §4)."""
    if isinstance(key, RSAPrivateKey):
        raw = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k=rsa; p={b64encode(raw).decode()}"
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"v=DKIM1; k=ed25519; p={b64encode(raw).decode()}"


def quoted_strings(text: str) -> str:
    """As zone files have it: strings of at most 255 octets (RFC 1035 §3.3.14), which are read as one."""
    return " ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))
