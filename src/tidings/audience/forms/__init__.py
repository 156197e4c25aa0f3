"""How do strangers sign up? Forms, their questions, and reading the answers.

Owns: forms.
"""

from tidings.audience.forms._forms import (
    Form,
    FormDraft,
    FormExists,
    FormNotFound,
    count_forms,
    create_form,
    delete_form,
    forms_using_list,
    get_form,
    list_forms,
    origin_of,
    update_form,
)
from tidings.audience.forms._questions import AnswerProblem, Answers, FormField, Question, questions, read_answers

__all__ = [
    "AnswerProblem",
    "Answers",
    "Form",
    "FormDraft",
    "FormExists",
    "FormField",
    "FormNotFound",
    "Question",
    "count_forms",
    "create_form",
    "delete_form",
    "forms_using_list",
    "get_form",
    "list_forms",
    "origin_of",
    "questions",
    "read_answers",
    "update_form",
]
