"""Sample values as a recipient's row: what previews, tests and messages to single recipients are filled in with."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tidings.content._context import BLANK, CONTACT_FIELDS, PERSONAL, TEXT_FIELDS, TOP_FIELDS
from tidings.core.errors import Invalid

_OURS = frozenset({"today", "now", "partial", *PERSONAL})


class Sample:
    """Values by name as a recipient's row and attributes. Raises Invalid, naming `variables.…`, for what no contact could have."""

    def __init__(self, variables: Mapping[str, Any], now: datetime) -> None:
        self._variables = variables
        values: dict[str, Any] = {}
        for name, value in variables.items():
            if name in _OURS:
                raise Invalid.at(f"variables.{name}", "is made for each message, and cannot be given")
            if name not in {"contact", "campaign", "workspace"}:
                values[name] = value
        contact = self._mapping("contact")
        self.attributes: dict[str, Any] = {
            **_attributes(values.pop("attributes", None), "variables.attributes"),
            **_attributes(contact.get("attributes"), "variables.contact.attributes"),
            **{name: value for name, value in values.items() if name not in TOP_FIELDS},
            **{name: value for name, value in contact.items() if name not in CONTACT_FIELDS},
        }
        known = {**values, **contact}
        row: list[Any] = [1, 1, "contact@example.com", "", "", "", "", "", [], "{}", now, None, 0]
        for name, at in TEXT_FIELDS.items():
            row[at] = _text(known.get(name, row[at]), f"variables.{name}")
        row[3], row[4] = _names(known, row[3], row[4])
        row[8] = _tags(known.get("tags", []))
        row[10] = _moment(known.get("created_at", now))
        self.row: tuple[Any, ...] = tuple(row)

    def text(self, group: str, name: str, default: str) -> str:
        """`variables.campaign.name` and the like."""
        return _text(self._mapping(group).get(name, default), f"variables.{group}.{name}")

    def _mapping(self, name: str) -> Mapping[str, Any]:
        value = self._variables.get(name, {})
        if not isinstance(value, dict):
            raise Invalid.at(f"variables.{name}", "must be an object")
        return value


def _text(value: object, field: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or value is BLANK:
        raise Invalid.at(field, "must be text")
    return value


def _names(known: Mapping[str, Any], first: str, last: str) -> tuple[str, str]:
    """`name` alone is split, so that it reads as given."""
    if known.get("name") and not first and not last:
        first, _, last = _text(known["name"], "variables.name").partition(" ")
    return first, last


def _tags(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Invalid.at("variables.tags", "must be a list of texts")
    return value


def _moment(value: object) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, datetime):
        raise Invalid.at("variables.created_at", "must be a time such as 2026-01-31T12:00:00Z")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _attributes(value: object, field: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid.at(field, "must be an object")
    return value
