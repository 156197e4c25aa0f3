"""Keys derived from the one secret, short keyed signatures, and encryption at rest."""

import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tidings.core.errors import Unavailable


class Keyring:
    """Purpose-bound keys from one secret (HKDF-SHA256, RFC 5869): leaking one key tells nothing of another."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def key(self, purpose: str) -> bytes:
        """32 bytes bound to this purpose, the same on every host that shares the secret."""
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode()).derive(self._secret)

    def seal(self, purpose: str, plain: bytes) -> bytes:
        """Encrypt and authenticate (Fernet: AES-128-CBC with HMAC-SHA256), for credentials at rest."""
        return self._fernet(purpose).encrypt(plain)

    def unseal(self, purpose: str, sealed: bytes) -> bytes:
        """Undo `seal`. Raises Unavailable when the secret is not the one that sealed it."""
        try:
            return self._fernet(purpose).decrypt(sealed)
        except InvalidToken:
            raise Unavailable(
                "stored credentials cannot be read: TIDINGS_SECRET differs from when they were saved"
            ) from None

    def _fernet(self, purpose: str) -> Fernet:
        import base64

        return Fernet(base64.urlsafe_b64encode(self.key(purpose)))


def keyed_hash(key: bytes, data: bytes, *, size: int) -> bytes:
    """Keyed BLAKE2b (RFC 7693) of `data`, `size` bytes long."""
    return hashlib.blake2b(data, key=key, digest_size=size).digest()


def same(a: bytes, b: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(a, b)
