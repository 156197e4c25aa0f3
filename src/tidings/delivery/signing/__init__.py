"""DKIM: keys and signatures."""

from tidings.delivery.signing._keys import DkimAlgorithm, PrivateKey, generate, public_record, quoted_strings, write_key
from tidings.delivery.signing._signing import PURPOSE, Signing

__all__ = [
    "PURPOSE",
    "DkimAlgorithm",
    "PrivateKey",
    "Signing",
    "generate",
    "public_record",
    "quoted_strings",
    "write_key",
]
