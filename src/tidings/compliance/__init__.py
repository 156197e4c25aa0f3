"""May this be sent, has that person left, and did they ask for it? Owns no table.

Preflight before a launch; the one way out; signing up with proof of consent; the preference page.
"""

from tidings.compliance._checks import (
    CheckReport,
    LinkProbe,
    Matter,
    SpamFilter,
    SpamScore,
    run_checks,
    spam_filter,
)
from tidings.compliance._confirm_check import check_confirmation
from tidings.compliance._leave import leave, withdraw_barrier
from tidings.compliance._leave_by_mail import leave_by_mail
from tidings.compliance._merge import merge_contacts
from tidings.compliance._optin import (
    FormProblem,
    NoProvider,
    NoSender,
    Outcome,
    SignedUp,
    TooManySignups,
    ask_again,
    confirm,
    form_problems,
    form_token,
    require_sender,
    shown_form,
    sign_up,
)
from tidings.compliance._preferences import Access, Choice, Preferences, any_public_list, choose, preferences
from tidings.compliance._preflight import NotReady, missing_for_launch, preflight
from tidings.compliance._signup_form import EMPTY, Filled, ShownForm, embed_html, embed_script, form_inputs
from tidings.compliance._suppressions import SuppressionImport, import_suppressions
from tidings.compliance._tokens import SignupTokens
from tidings.compliance._words import LANGUAGES, pick_language

__all__ = [
    "EMPTY",
    "LANGUAGES",
    "Access",
    "CheckReport",
    "Choice",
    "Filled",
    "FormProblem",
    "LinkProbe",
    "Matter",
    "NoProvider",
    "NoSender",
    "NotReady",
    "Outcome",
    "Preferences",
    "ShownForm",
    "SignedUp",
    "SignupTokens",
    "SpamFilter",
    "SpamScore",
    "SuppressionImport",
    "TooManySignups",
    "any_public_list",
    "ask_again",
    "check_confirmation",
    "choose",
    "confirm",
    "embed_html",
    "embed_script",
    "form_inputs",
    "form_problems",
    "form_token",
    "import_suppressions",
    "leave",
    "leave_by_mail",
    "merge_contacts",
    "missing_for_launch",
    "pick_language",
    "preferences",
    "preflight",
    "require_sender",
    "run_checks",
    "shown_form",
    "sign_up",
    "spam_filter",
    "withdraw_barrier",
]
