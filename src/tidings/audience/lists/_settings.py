"""How people get onto a list by themselves, and what they see of it."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from tidings.audience.addresses import normalise_email
from tidings.core.errors import Invalid

TEXT_LIMIT = 255
DESCRIPTION_LIMIT = 1000
LIQUID_LIMIT = 200_000
DAYS_LIMIT = 90


class OptIn(StrEnum):
    """What it takes to be on a list after signing up oneself. Imports and programs that add contacts answer for themselves."""

    SINGLE = "single"
    """Typing the address is enough."""
    DOUBLE = "double"
    """The owner of the address confirms it, from a message sent there."""


class Visibility(StrEnum):
    """Who sees that there is this list."""

    PUBLIC = "public"
    """Everyone who gets a message of the workspace: it is on their preference page."""
    PRIVATE = "private"
    """Only those who work here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSettings:
    """What to set of a list; None leaves it as it is.

    Empty text falls back: the public name to the name, the sender to the workspace's, the confirmation's subject, HTML and text
    (Liquid, with `confirm_url`) to ours in the person's language. `confirm_days`: how long a confirmation can be given.
    """

    opt_in: OptIn | None = None
    visibility: Visibility | None = None
    public_name: str | None = None
    public_description: str | None = None
    sender_email: str | None = None
    sender_name: str | None = None
    confirm_subject: str | None = None
    confirm_html: str | None = None
    confirm_text: str | None = None
    confirm_days: int | None = None

    def chosen(self) -> dict[str, Any]:
        """Column and checked value of each that is not None. Raises Invalid."""
        return {name: _checked(name, value) for name in COLUMNS if (value := getattr(self, name)) is not None}


COLUMNS = tuple(field.name for field in fields(ListSettings))
AS_IT_IS = ListSettings()

_LIMITS = {
    "public_name": TEXT_LIMIT,
    "public_description": DESCRIPTION_LIMIT,
    "sender_name": TEXT_LIMIT,
    "confirm_subject": TEXT_LIMIT * 4,
    "confirm_html": LIQUID_LIMIT,
    "confirm_text": LIQUID_LIMIT,
}


def sender_address(field: str, value: str) -> str:
    """A normalised address, or '' for none. Raises Invalid naming the field."""
    if not value.strip():
        return ""
    try:
        return normalise_email(value)
    except Invalid as error:
        raise Invalid.at(field, error.fields[0].message) from None


def _checked(name: str, value: Any) -> Any:
    if name == "sender_email":
        return sender_address(name, value)
    if name == "confirm_days":
        if not 1 <= value <= DAYS_LIMIT:
            raise Invalid.at(name, f"must be between 1 and {DAYS_LIMIT} days")
        return value
    limit = _LIMITS.get(name)
    if limit is None:
        return value
    if len(value) > limit:
        raise Invalid.at(name, f"must have at most {limit} characters")
    return value if name.startswith("confirm_") else value.strip()
