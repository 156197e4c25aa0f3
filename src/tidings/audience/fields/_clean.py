"""What may be said of a contact, and in what form: the one truth for the API, imports and whatever comes."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from zoneinfo import available_timezones

import orjson

from tidings.audience.addresses import normalise_email
from tidings.audience.fields._types import ContactField, Misfit, coerce
from tidings.core.errors import FieldProblem, Invalid

TEXT_LIMIT = 255
PHONE_LIMIT = 50
TAGS_LIMIT = 100
TAG_LIMIT = 100
ATTRIBUTES_LIMIT = 16 * 1024
"""Bytes of all attributes as JSON."""

_NESTING_LIMIT = 5
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}([-_][A-Za-z0-9]{1,8}){0,7}", re.ASCII)


@dataclass(slots=True)
class ContactFields:
    """What is told of one contact, clean. None: nothing was said of it."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    language: str | None = None
    time_zone: str | None = None
    tags: list[str] | None = None
    attributes: dict[str, Any] | None = None


_INFINITE = float("inf")
_TOO_LARGE = 2**63
"""What JSON's readers and PostgreSQL's bigint take for a whole number is less."""


def clean_contact(
    told: Mapping[str, Any], *, at: str = "", fields: Mapping[str, ContactField] | None = None
) -> ContactFields:
    """Check and normalise. `at` is put before field names (`contacts[3].`); attributes become what `fields` declares.

    Attributes that are not declared stay as they are. Raises Invalid naming every field at fault.
    """
    clean_fields = ContactFields()
    problems: list[FieldProblem] = []
    for name, value in told.items():
        clean = _CLEAN.get(name)
        if clean is None:
            problems.append(FieldProblem(at + name, "is not a field of a contact; put it into attributes"))
        elif value is not None:
            try:
                setattr(clean_fields, name, clean(value))
            except _Bad as bad:
                problems.append(FieldProblem(f"{at}{name}{bad.where}", bad.message))
            except Invalid as error:
                problems.append(FieldProblem(at + name, error.fields[0].message))
    if fields and clean_fields.attributes:
        clean_fields.attributes = _typed(clean_fields.attributes, fields, at, problems)
    if problems:
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems[:5]), fields=tuple(problems))
    return clean_fields


def _typed(
    attributes: dict[str, Any], fields: Mapping[str, ContactField], at: str, problems: list[FieldProblem]
) -> dict[str, Any]:
    typed = dict(attributes)
    for name, value in attributes.items():
        if value is not None and (field := fields.get(name)) is not None:
            try:
                typed[name] = coerce(value, field)
            except Misfit as misfit:
                problems.append(FieldProblem(f"{at}attributes.{name}", str(misfit)))
    return typed


def clean_tags(told: Any, *, at: str) -> list[str]:
    """Tags alone, each once. Raises Invalid naming `at[position]`."""
    try:
        return _tags(told)
    except _Bad as bad:
        raise Invalid.at(f"{at}{bad.where}", bad.message) from None


class _Bad(Exception):
    """One value is wrong; `where` is the path below the field."""

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where


def _text(limit: int) -> Callable[[Any], str]:
    def clean(value: Any) -> str:
        if not isinstance(value, str):
            raise _Bad("must be text")
        text = value.strip()
        if len(text) > limit:
            raise _Bad(f"must have at most {limit} characters")
        if not text.isprintable():
            _refuse_controls(text)
        return text

    return clean


def _refuse_controls(text: str) -> None:
    # A line break in a name would let its owner write headers.
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text):
        raise _Bad("must be one line without control characters")


def _email(value: Any) -> str:
    if not isinstance(value, str):
        raise _Bad("must be text")
    return normalise_email(value)


def _language(value: Any) -> str:
    text = _text(TEXT_LIMIT)(value)
    if text and not _LANGUAGE.fullmatch(text):
        raise _Bad("must be a language tag such as en or pt-BR (RFC 5646)")
    return text


def _time_zone(value: Any) -> str:
    text = _text(TEXT_LIMIT)(value)
    if text and text not in _time_zones():
        raise _Bad("must be a time zone such as Europe/Berlin (IANA)")
    return text


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _tags(value: Any) -> list[str]:
    if not isinstance(value, (list, tuple)):
        raise _Bad("must be a list of words")
    if len(value) > TAGS_LIMIT:
        raise _Bad(f"must have at most {TAGS_LIMIT} tags")
    clean = _text(TAG_LIMIT)
    tags: dict[str, None] = {}
    for position, item in enumerate(value):
        try:
            tag = clean(item)
        except _Bad as bad:
            raise _Bad(bad.message, f"[{position}]") from None
        if not tag:
            raise _Bad("must not be empty", f"[{position}]")
        tags[tag] = None
    return list(tags)


def _inexact(value: Any) -> bool:
    """Is there a whole number in it of more than 64 bits? What reads JSON has made a float of it."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, int | float) and abs(one) >= _TOO_LARGE and one not in {_INFINITE, -_INFINITE}:
            return True
    return False


def _attributes(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Bad("must be an object of names and values")
    if (name := next((name for name, inner in value.items() if _inexact(inner)), None)) is not None:
        told = "is a number of more digits than can be kept exactly; send it as text, in quotes"
        raise _Bad(told, f".{name}" if name.isprintable() else "")
    try:
        size = len(dumped := orjson.dumps(value))
    except (TypeError, ValueError):
        raise _Bad("must hold only what JSON can") from None
    if size > ATTRIBUTES_LIMIT:
        raise _Bad(f"must have at most {ATTRIBUTES_LIMIT} bytes as JSON, not {size}")
    if b"\\u0000" in dumped:
        raise _Bad("must not hold the character NUL")
    for name, inner in value.items():
        if not 1 <= len(name) <= TEXT_LIMIT or not name.isprintable():
            raise _Bad(f"a name must have 1 to {TEXT_LIMIT} printable characters")
        if isinstance(inner, (dict, list)) and _nesting(inner) >= _NESTING_LIMIT:
            raise _Bad(f"must not nest deeper than {_NESTING_LIMIT} levels", f".{name}")
    return value


def _nesting(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_nesting(child) for child in children if isinstance(child, (dict, list))), default=0)


_CLEAN: dict[str, Callable[[Any], Any]] = {
    "email": _email,
    "first_name": _text(TEXT_LIMIT),
    "last_name": _text(TEXT_LIMIT),
    "phone": _text(PHONE_LIMIT),
    "language": _language,
    "time_zone": _time_zone,
    "tags": _tags,
    "attributes": _attributes,
}
