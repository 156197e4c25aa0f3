"""The message that asks the owner of an address to confirm, in each language we speak.

Names that were typed into the form are not in it: it goes to people who may know nothing of it, and would carry whatever a
stranger wants to tell them. It has no List-Unsubscribe either: there is nothing to leave yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_HTML = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"></head>
<body style="margin:0;padding:24px 12px;font:16px/1.5 -apple-system,'Segoe UI',Arial,sans-serif">
<div style="max-width:520px;margin:0 auto">
<p>{hello}</p>
<p><a href="{{{{ confirm_url }}}}" style="display:inline-block;padding:12px 22px;border-radius:6px;background:#1c6b4f;color:#ffffff;
font-weight:600;text-decoration:none">{button}</a></p>
<p>{days}</p>
<p style="opacity:.75;font-size:14px">{ignore}</p>
</div></body></html>
"""

_TEXT = """{hello}

{button}: {{{{ confirm_url }}}}

{days}

{ignore}
"""

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "subject": "Please confirm: {{ list_names }}",
        "hello": "Somebody, hopefully you, asked {{ sender }} to email you at {{ email }}: {{ list_names }}. Is that right?",
        "button": "Yes, sign me up",
        "days": "You have {{ days }} {% if days == 1 %}day{% else %}days{% endif %} to confirm.",
        "ignore": "If it was not you, do nothing: without your confirmation you get no more mail because of this.",
    },
    "de": {
        "subject": "Bitte bestätigen: {{ list_names }}",
        "hello": (
            "Jemand, hoffentlich Sie selbst, hat {{ sender }} gebeten, Ihnen an {{ email }} zu schreiben: {{ list_names }}."
            " Ist das richtig?"
        ),
        "button": "Ja, anmelden",
        "days": "Sie können es {{ days }} {% if days == 1 %}Tag{% else %}Tage{% endif %} lang bestätigen.",
        "ignore": "Waren Sie es nicht, dann tun Sie nichts: Ohne Ihre Bestätigung bekommen Sie deswegen keine weitere E-Mail.",
    },
    "fr": {
        "subject": "Veuillez confirmer : {{ list_names }}",
        "hello": (
            "Quelqu’un, vous sans doute, a demandé à {{ sender }} de vous écrire à {{ email }} : {{ list_names }}."
            " Est-ce exact ?"
        ),
        "button": "Oui, m’inscrire",
        "days": "Vous avez {{ days }} {% if days == 1 %}jour{% else %}jours{% endif %} pour confirmer.",
        "ignore": (
            "Si ce n’était pas vous, ne faites rien : sans votre confirmation, vous ne recevrez plus d’e-mail à ce sujet."
        ),
    },
    "es": {
        "subject": "Confirme, por favor: {{ list_names }}",
        "hello": (
            "Alguien, seguramente usted, ha pedido a {{ sender }} que le escriba a {{ email }}: {{ list_names }}."
            " ¿Es correcto?"
        ),
        "button": "Sí, suscribirme",
        "days": "Tiene {{ days }} {% if days == 1 %}día{% else %}días{% endif %} para confirmarlo.",
        "ignore": "Si no fue usted, no haga nada: sin su confirmación no recibirá más correos por este motivo.",
    },
}


@dataclass(frozen=True, slots=True)
class ConfirmMail:
    """Subject, HTML and text, in Liquid."""

    subject: str
    html: str
    text: str


def default_mail(language: str) -> ConfirmMail:
    """Ours, in a language that we speak."""
    words = _WORDS[language]
    return ConfirmMail(words["subject"], _HTML.format(language=language, **words), _TEXT.format(**words))
