"""Email addresses: one spelling each, and the hash under which a suppression outlives its contact."""

import re
from collections.abc import Sequence
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from tidings.core.crypto import Keyring, keyed_hash
from tidings.core.errors import FieldProblem, Invalid

LIMIT = 254
"""Characters of an address (RFC 5321 §4.5.3.1.3, less the angle brackets)."""

# What nearly every address is: a dot-atom (RFC 5322 §3.2.3), and a domain of plain labels (RFC 1123 §2.1). Twenty times
# faster than the library, which decides about all others: quoted, international, reserved, punycode.
_LABEL = r"(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PLAIN = re.compile(
    r"(?=[^@]{1,64}@)[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    rf"@(?:{_LABEL}\.)+(?!(?:arpa|invalid|local|localhost|onion|test)\Z)(?!..--)[a-z](?:[a-z-]{{0,61}}[a-z])",
    re.ASCII,
)


plain_address = _PLAIN.fullmatch
"""Not None for an address that is its own normal form, as nearly every lower-case one of up to `LIMIT` characters is."""


class InvalidAddress(Invalid):
    """This is no email address."""

    code = "invalid_address"


def normalise_email(text: str) -> str:
    """The one spelling of an address: lower case, domain as A-labels (RFC 5890), local part in NFC (RFC 6530).

    Asks no DNS. Raises Invalid, with the field `email` and what is wrong.
    """
    address = text.strip().lower()
    if len(address) <= LIMIT and _PLAIN.fullmatch(address):
        return address
    try:
        # The reserved domain .test is let through: it can reach nobody, and people do test.
        valid = validate_email(address, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError as error:
        raise InvalidAddress.at("email", _mend(str(error))) from None
    if "." not in valid.ascii_domain:
        raise InvalidAddress.at("email", "the part after the @-sign must have a period")
    normal = f"{valid.local_part}@{valid.ascii_domain.lower()}"
    if len(normal) > LIMIT or not normal.isprintable():
        raise InvalidAddress.at("email", f"must have at most {LIMIT} printable characters")
    return normal


def normalise_emails(texts: Sequence[str], *, field: str) -> list[str]:
    """Several addresses of one field. Raises InvalidAddress naming each that is none as `field[index]`."""
    found: list[str] = []
    problems: list[FieldProblem] = []
    for index, text in enumerate(texts):
        try:
            found.append(normalise_email(text))
        except InvalidAddress as error:
            problems.append(FieldProblem(f"{field}[{index}]", error.fields[0].message))
    if problems:
        raise InvalidAddress("; ".join(f"{one.field}: {one.message}" for one in problems), fields=tuple(problems))
    return found


def normalise_suppressed(text: str) -> str:
    """An address as `normalise_email` has it, or a whole domain: `@example.com`. Raises Invalid, with the field `email`."""
    if not text.strip().startswith("@"):
        return normalise_email(text)
    try:
        return normalise_email(f"x{text.strip()}")[1:]
    except Invalid:
        raise InvalidAddress.at("email", "must be an address, or an @ and a domain, such as @example.com") from None


def address_hash(key: bytes, email: str) -> bytes:
    """16 bytes that stand for a normalised address and tell nothing of it without the key (see `address_key`)."""
    return keyed_hash(key, email.encode(), size=16)


@lru_cache(maxsize=8)
def address_key(keys: Keyring) -> bytes:
    """The key of `address_hash` in this installation."""
    return keys.key("address")


def _mend(message: str) -> str:
    message = message.strip().rstrip(".")
    return message[:1].lower() + message[1:]
