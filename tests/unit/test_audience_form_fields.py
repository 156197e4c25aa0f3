"""What people and programs type into forms: read as meant or refused, and never a crash."""

import math
from datetime import date

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.audience.fields import clean_contact
from tidings.audience.forms import AnswerProblem, Question, read_answers
from tidings.compliance import SignupTokens, pick_language
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.ids import ConsentId, FormId, WorkspaceId

ASKED = [
    Question("first_name", "", False, "text"),
    Question("phone", "", False, "tel"),
    Question("language", "", False, "text"),
    Question("age", "Age", False, "number"),
    Question("born", "Born", False, "date"),
    Question("size", "Size", False, "choice", ("S", "M")),
    Question("vip", "VIP", False, "boolean"),
    Question("note", "Note", False, "text"),
]
TOKENS = SignupTokens(Keyring("for tests only"))


@given(
    st.dictionaries(st.sampled_from([question.name for question in ASKED] + ["email", "more"]), st.text(max_size=2000))
)
def test_whatever_is_typed_is_clean_or_refused(told: dict[str, str]) -> None:
    answers = read_answers(ASKED, told)
    assert (answers.email == "") == ("email" in answers.problems)
    values = {
        name: value
        for name in ("first_name", "phone", "language", "attributes")
        if (value := getattr(answers.fields, name)) is not None
    }
    # What got through is what any other door would let in, and can be stored.
    clean_contact(values | ({"email": answers.email} if answers.email else {}))
    assert b"\\u0000" not in orjson.dumps(values)
    assert "more" not in values.get("attributes", {})
    kept = values.get("attributes", {})
    assert kept.get("size") in {None, "S", "M"}
    assert isinstance(kept.get("vip"), bool)
    for name in ("age", "born", "size", "note"):
        typed = told.get(name, "").strip()
        assert (name in kept) == bool(typed and name not in answers.problems)


@given(
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e14, max_value=1e14) | st.integers(-(10**14), 10**14)
)
def test_numbers(number: float) -> None:
    for text in (repr(number), repr(number).replace(".", ",")):
        if len(text) <= 30:
            kept = (read_answers(ASKED, {"age": text}).fields.attributes or {})["age"]
            assert math.isclose(kept, number)


@given(st.dates())
def test_dates(day: date) -> None:
    assert (read_answers(ASKED, {"born": day.isoformat()}).fields.attributes or {})["born"] == day.isoformat()


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("age", "nan", AnswerProblem.NUMBER),
        ("age", "1e400", AnswerProblem.NUMBER),
        ("age", "9" * 5000, AnswerProblem.NUMBER),
        ("age", "\u0664\u0662", AnswerProblem.NUMBER),
        ("born", "31.12.2026", AnswerProblem.DATE),
        ("born", "2026-02-30", AnswerProblem.DATE),
        ("size", "s", AnswerProblem.CHOICE),
        ("first_name", "Ann\r\nBcc: x@example.com", AnswerProblem.TEXT),
        ("first_name", "x" * 256, AnswerProblem.TEXT),
        ("language", "deutsch!", AnswerProblem.TEXT),
        ("note", "a\0b", AnswerProblem.TEXT),
        ("email", "ann@localhost", AnswerProblem.ADDRESS),
        ("email", " ", AnswerProblem.REQUIRED),
    ],
)
def test_what_is_wrong(name: str, text: str, problem: AnswerProblem) -> None:
    assert read_answers(ASKED, {"email": "a@example.com", name: text}).problems == {name: problem}


def test_what_must_be_answered() -> None:
    asked = [Question("first_name", "", True, "text"), Question("vip", "", True, "boolean")]
    problems = read_answers(asked, {"email": "a@example.com", "vip": "off"}).problems
    assert problems == {"first_name": AnswerProblem.REQUIRED, "vip": AnswerProblem.REQUIRED}


@given(st.integers(1, 2**32 - 1), st.integers(1, 2**40 - 1))
def test_tokens_say_what_they_were_made_of_and_nothing_else(workspace: int, number: int) -> None:
    form = TOKENS.form(WorkspaceId(workspace), FormId(number))
    consent = TOKENS.consent(WorkspaceId(workspace), ConsentId(number))
    assert TOKENS.read_form(form) == (workspace, number)
    assert TOKENS.read_consent(consent) == (workspace, number)
    assert (TOKENS.read_form(consent), TOKENS.read_consent(form)) == (None, None)
    other = SignupTokens(Keyring("another"))
    assert (other.read_form(form), other.read_consent(consent)) == (None, None)


@given(st.text(max_size=120))
def test_no_text_is_a_token(text: str) -> None:
    assert TOKENS.read_form(text) is None
    assert TOKENS.read_consent(text) is None
    assert TOKENS.ticket_age(text, "form", utc_now()) is None


def test_tickets() -> None:
    now = utc_now()
    ticket = TOKENS.ticket("form", now)
    age = TOKENS.ticket_age(ticket, "form", now)
    assert age is not None
    assert abs(age) < 0.01
    assert TOKENS.ticket_age(ticket, "other", now) is None


@pytest.mark.parametrize(
    ("fixed", "accept", "language"),
    [
        ("", "", "en"),
        ("", "fr-CH, fr;q=0.9, en;q=0.8, *;q=0.5", "fr"),
        ("", "en;q=0.3, de;q=0.8", "de"),
        ("", "xx;q=1, es;q=0.1", "es"),
        ("", "de;q=0", "en"),
        ("pt-BR", "de", "en"),
        ("de_AT", "fr", "de"),
        ("", "\u00e4;;,,q=1,de-", "de"),
    ],
)
def test_languages(fixed: str, accept: str, language: str) -> None:
    assert pick_language(fixed, accept) == language
