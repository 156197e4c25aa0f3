"""What a signup form asks for beside the address, and reading what people typed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from tidings.audience.addresses import normalise_email
from tidings.audience.fields import PHONE_LIMIT, TEXT_LIMIT, ContactFields, clean_contact
from tidings.core.db import Tx
from tidings.core.errors import FieldProblem, Invalid
from tidings.core.ids import WorkspaceId

STANDARD = ("first_name", "last_name", "phone", "language", "time_zone")
"""Fields that every contact has and a form may ask for."""

RESERVED = frozenset({"email", "ticket", "wording", "lang", "list", "consent", "your_homepage"})
"""Names of inputs that a form needs itself. The last is the trap for programs that fill in whatever there is."""

MOST_FIELDS = 30
ANSWER_LIMIT = 1000


class AnswerProblem(StrEnum):
    """What is wrong with one answer: a page says it in the reader's language."""

    REQUIRED = "required"
    """Nothing was answered."""
    ADDRESS = "address"
    """It is no email address."""
    NUMBER = "number"
    """It is no number."""
    DATE = "date"
    """It is no date."""
    CHOICE = "choice"
    """It is none of the choices."""
    TEXT = "text"
    """It is too long, or not text."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One question. `label` is what people read; '' is the field's own label."""

    name: str
    label: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A form's field as it is shown: `kind` is text, tel, number, boolean, date or choice."""

    name: str
    label: str
    required: bool
    kind: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answers:
    """What one person typed, clean; `email` is '' when it is at fault. `problems` by name of the input."""

    email: str
    fields: ContactFields
    problems: Mapping[str, AnswerProblem]


async def questions(tx: Tx, *, workspace: WorkspaceId, fields: Sequence[FormField]) -> list[Question]:
    """The fields as they are shown. Custom fields that were deleted meanwhile are left out."""
    names = [field.name for field in fields if field.name not in STANDARD]
    rows = await tx.fetch(
        """SELECT name, label, type::text AS type, choices FROM contact_fields
           WHERE workspace_id = $1 AND name = ANY ($2::text[])""",
        workspace,
        names,
    )
    custom = {row["name"]: row for row in rows}
    shown: list[Question] = []
    for field in fields:
        if field.name in STANDARD:
            kind = "tel" if field.name == "phone" else "text"
            shown.append(Question(field.name, field.label, field.required, kind))
        elif (row := custom.get(field.name)) is not None:
            label = field.label or row["label"] or row["name"]
            shown.append(Question(field.name, label, field.required, row["type"], tuple(row["choices"])))
    return shown


async def check_fields(tx: Tx, *, workspace: WorkspaceId, fields: Sequence[FormField]) -> None:
    """Raises Invalid naming every field that a form cannot ask for."""
    if len(fields) > MOST_FIELDS:
        raise Invalid.at("fields", f"a form may ask for {MOST_FIELDS} things at most")
    known = {question.name for question in await questions(tx, workspace=workspace, fields=fields)}
    problems: list[FieldProblem] = []
    seen: set[str] = set()
    for position, field in enumerate(fields):
        at = f"fields[{position}].name"
        if field.name in RESERVED:
            problems.append(FieldProblem(at, f"{field.name!r} is asked for or used by every form itself"))
        elif field.name not in known:
            problems.append(FieldProblem(at, f"is not {', '.join(STANDARD)} or the name of a declared contact field"))
        elif field.name in seen:
            problems.append(FieldProblem(at, "is asked for twice"))
        if len(field.label) > TEXT_LIMIT:
            problems.append(FieldProblem(f"fields[{position}].label", f"must have at most {TEXT_LIMIT} characters"))
        seen.add(field.name)
    if problems:
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems[:5]), fields=tuple(problems))


def read_answers(asked: Sequence[Question], told: Mapping[str, str]) -> Answers:
    """Check what was typed. What was not asked for is left out; nothing that is at fault gets through."""
    problems: dict[str, AnswerProblem] = {}
    email = ""
    if not (typed := told.get("email", "").strip()):
        problems["email"] = AnswerProblem.REQUIRED
    else:
        try:
            email = normalise_email(typed)
        except Invalid:
            problems["email"] = AnswerProblem.ADDRESS
    fields = ContactFields()
    attributes: dict[str, Any] = {}
    for question in asked:
        text = told.get(question.name, "").strip()
        if question.kind == "boolean":
            agreed = text.lower() in {"on", "true", "1", "yes"}
            if question.required and not agreed:
                problems[question.name] = AnswerProblem.REQUIRED
            attributes[question.name] = agreed
            continue
        if not text:
            if question.required:
                problems[question.name] = AnswerProblem.REQUIRED
            continue
        value = _read(question, text)
        if isinstance(value, AnswerProblem):
            problems[question.name] = value
        elif question.name in STANDARD:
            setattr(fields, question.name, value)
        else:
            attributes[question.name] = value
    fields.attributes = attributes or None
    return Answers(email, fields, problems)


def _read(question: Question, text: str) -> Any:
    """The value, or what is wrong with it."""
    match question.kind:
        case "number":
            return _number(text)
        case "date":
            try:
                return date.fromisoformat(text).isoformat()
            except ValueError:
                return AnswerProblem.DATE
        case "choice":
            return text if text in question.choices else AnswerProblem.CHOICE
        case _:
            return _text(question, text)


def _number(text: str) -> int | float | AnswerProblem:
    # Nobody types more digits than that, and reading them takes the longer the more there are.
    if len(text) > 30 or not text.isascii():
        return AnswerProblem.NUMBER
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return AnswerProblem.NUMBER
    if not math.isfinite(number) or abs(number) > 1e15:
        return AnswerProblem.NUMBER
    return int(number) if number.is_integer() else number


def _text(question: Question, text: str) -> str | AnswerProblem:
    if question.name not in STANDARD:
        printable = text.isprintable() and len(text) <= ANSWER_LIMIT
        return text if printable else AnswerProblem.TEXT
    if len(text) > (PHONE_LIMIT if question.name == "phone" else TEXT_LIMIT):
        return AnswerProblem.TEXT
    try:
        return getattr(clean_contact({question.name: text}), question.name)
    except Invalid:
        return AnswerProblem.TEXT
