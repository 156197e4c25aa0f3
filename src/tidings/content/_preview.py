"""A template filled in with sample values, by the same compiled code that fills in real ones."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from liquid import FalsyStrictUndefined, Token
from liquid.exceptions import LiquidError

from tidings.content._compile import compile_liquid
from tidings.content._context import BLANK, CONTACT_FIELDS, TEXT_FIELDS, TOP_FIELDS, Occasion
from tidings.content._emitter import PLAIN
from tidings.content._environment import RecipientUrls
from tidings.content._footer import with_footer
from tidings.content._missing import Watched, watch
from tidings.content._parse import RenderError, describe, line_and_column
from tidings.content._parts import Parts, unpack
from tidings.content._plaintext import one_line, plain_text, single_spaced
from tidings.core.errors import FieldProblem, Invalid

_TOKEN = "preview"  # noqa: S105 - in place of a recipient's
_OURS = frozenset({"today", "now", "unsubscribe_url", "preferences_url", "partial"})


@dataclass(frozen=True, slots=True)
class Missing:
    """A variable that was written, or looped over, and is not there or empty."""

    field: str
    block: str
    """The shared block it stands in, or ''."""
    line: int
    column: int
    name: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What one recipient would read: the footer too, but links lead straight to where they go, and nothing is counted."""

    subject: str
    html: str
    text: str
    missing: tuple[Missing, ...] = ()


async def preview(
    *,
    subject: str,
    html_content: str,
    text_content: str,
    variables: Mapping[str, Any],
    workspace_name: str,
    postal_address: str,
    public_url: str,
    now: datetime,
    strict: bool | None = None,
) -> Preview:
    """Render with sample values: `variables` has a contact's fields and attributes by name, or under `contact`.

    `campaign` and `workspace` may be given too. What is left out is empty, as it is for a contact that lacks it.
    The contents may have their blocks packed in, as `freeze` gives them. `strict`: in place of what the template says.
    Raises TemplateInvalid, RenderError, and Invalid for samples that no contact could have.
    """
    sample = Sample(variables, now)
    occasion = Occasion(
        campaign_id=1,
        campaign_name=sample.text("campaign", "name", "Preview"),
        workspace_name=sample.text("workspace", "name", workspace_name),
        postal_address=sample.text("workspace", "postal_address", postal_address),
        urls=RecipientUrls(public_url, lambda _token, destination: destination),
    )
    # In a thread: a template may take up to its time limit, and others are waiting on the loop.
    return await asyncio.to_thread(_render, subject, html_content, text_content, sample, occasion, strict)


def _render(subject: str, html: str, text: str, sample: "Sample", occasion: Occasion, strict: bool | None) -> Preview:
    missing: list[Missing] = []
    line = one_line(_part("subject", subject, "", sample, occasion, strict, missing))
    derived = plain_text(html)
    parts = [
        _part(field, with_footer(source, html=is_html), line, sample, occasion, strict, missing)
        for field, source, is_html in (("html_content", html, True), ("text_content", text or derived, False))
    ]
    # As WireMessage tells it: what its author wrote is left as it is.
    shown = single_spaced(parts[1]) if text in {"", derived} else parts[1]
    return Preview(line, parts[0], shown, tuple(missing))


def _part(
    field: str,
    source: str,
    subject: str,
    sample: "Sample",
    occasion: Occasion,
    strict: bool | None,
    missing: list[Missing],
) -> str:
    is_html = field == "html_content"
    parts = unpack(source)
    undefined = FalsyStrictUndefined if (parts.strict if strict is None else strict) else Watched
    compiled = compile_liquid(parts, html=is_html, encoding=PLAIN, occasion=occasion, field=field, undefined=undefined)
    seen = watch()
    try:
        written = "".join(compiled.render(sample.row, _TOKEN, _TOKEN, sample.attributes, subject))
    except LiquidError as error:
        message = describe(error)
    except Exception as error:  # noqa: BLE001 - filters meet values that they were not written for
        message = str(error)
    else:
        missing += _places(field, parts, seen.values())
        return written
    raise RenderError(f"{field}: {message}", fields=(FieldProblem(field, message),))


def _places(field: str, parts: Parts, seen: Iterable[tuple[str, Token]]) -> Iterator[Missing]:
    blocks = {text: name for name, text in parts.blocks.items()}
    for name, token in seen:
        line, column = line_and_column(token.source, token.start_index)
        yield Missing(field, blocks.get(token.source, ""), line, column, name)


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
