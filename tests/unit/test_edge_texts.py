"""Every language says everything, and fills in the same."""

import re
from collections.abc import Mapping

import pytest

from tidings.audience.forms import AnswerProblem
from tidings.compliance import LANGUAGES
from tidings.compliance._confirm_mail import default_mail
from tidings.compliance._words import WORDS
from tidings.content import PLAIN, Occasion, RecipientUrls, compile_liquid
from tidings.edge._texts import TEXTS


def slots(text: str) -> list[str]:
    return sorted(set(re.findall(r"\{+ ?(\w+) ?\}+", text)))


@pytest.mark.parametrize("texts", [TEXTS, WORDS], ids=["pages", "forms"])
def test_all_languages_say_the_same(texts: Mapping[str, Mapping[str, str]]) -> None:
    assert tuple(texts) == LANGUAGES
    for language, said in texts.items():
        assert said.keys() == texts["en"].keys(), language
        for key, text in said.items():
            assert slots(text) == slots(texts["en"][key]), (language, key)
            assert text.strip() == text
            assert text


def test_every_problem_has_words() -> None:
    assert {problem.value for problem in AnswerProblem} <= WORDS["en"].keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_mail_compiles_and_leads_to_the_button(language: str) -> None:
    mail, english = default_mail(language), default_mail("en")
    occasion = Occasion(1, "", "Acme", "", RecipientUrls("", lambda _token, url: url))
    for name in ("subject", "html", "text"):
        source = getattr(mail, name)
        assert slots(source) == slots(getattr(english, name)), name
        compile_liquid(source, html=name == "html", encoding=PLAIN, occasion=occasion, field=name)
    assert "{{ confirm_url }}" in mail.html
    assert "{{ confirm_url }}" in mail.text
