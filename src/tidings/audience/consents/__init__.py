"""Who asked to be on a list, and can we prove it? Asking, confirming, declining, and the words that people agreed to.

Owns: consents, signup_attempts. Emits: subscribed, resubscribed.
"""

from tidings.audience.consents._consents import (
    Consent,
    ConsentNotFound,
    ConsentState,
    Proof,
    Standing,
    ask_consent,
    contact_consents,
    decline_consent,
    forget_unconfirmed,
    get_consent,
    list_consents,
    recent_consents,
    standing,
)
from tidings.audience.consents._grant import Confirmation, ConsentRefused, Verdict, admit, choose_lists, confirm_consent

__all__ = [
    "Confirmation",
    "Consent",
    "ConsentNotFound",
    "ConsentRefused",
    "ConsentState",
    "Proof",
    "Standing",
    "Verdict",
    "admit",
    "ask_consent",
    "choose_lists",
    "confirm_consent",
    "contact_consents",
    "decline_consent",
    "forget_unconfirmed",
    "get_consent",
    "list_consents",
    "recent_consents",
    "standing",
]
