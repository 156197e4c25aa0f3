"""What signup forms say of themselves, in each language we speak. Whoever makes a form may say all of it otherwise."""

import re
from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Sign up: {lists}",
        "consent": ("{sender} may email me: {lists}. I can leave at any time, with the link in every message."),
        "button": "Sign up",
        "email": "Email address",
        "first_name": "First name",
        "last_name": "Last name",
        "phone": "Phone",
        "language": "Language (such as en or pt-BR)",
        "time_zone": "Time zone (such as Europe/Berlin)",
        "optional": "optional",
        "choose": "Please choose",
        "agree": "I agree",
        "trap": "Leave this empty",
        "sending": "One moment …",
        "required": "Please fill this in.",
        "address": "This is not an email address. Is there a typing error?",
        "number": "Please enter a number.",
        "date": "Please enter a date, such as 2026-12-31.",
        "choice": "Please choose one of these.",
        "text": "This is too long, or has characters that cannot be kept.",
        "agree_first": "We may only write to you if you agree.",
        "lists": "Which ones?",
        "chosen_lists": "what I have chosen above",
        "choose_list": "Please choose at least one.",
    },
    "de": {
        "title": "Anmelden: {lists}",
        "consent": (
            "{sender} darf mir E-Mails schicken: {lists}."
            " Ich kann mich jederzeit über den Link in jeder Nachricht abmelden."
        ),
        "button": "Anmelden",
        "email": "E-Mail-Adresse",
        "first_name": "Vorname",
        "last_name": "Nachname",
        "phone": "Telefon",
        "language": "Sprache (etwa de oder pt-BR)",
        "time_zone": "Zeitzone (etwa Europe/Berlin)",
        "optional": "freiwillig",
        "choose": "Bitte wählen",
        "agree": "Ich stimme zu",
        "trap": "Dieses Feld leer lassen",
        "sending": "Einen Moment …",
        "required": "Bitte ausfüllen.",
        "address": "Das ist keine E-Mail-Adresse. Ist ein Tippfehler darin?",
        "number": "Bitte eine Zahl eingeben.",
        "date": "Bitte ein Datum eingeben, etwa 2026-12-31.",
        "choice": "Bitte eines davon wählen.",
        "text": "Das ist zu lang oder enthält unerlaubte Zeichen.",
        "agree_first": "Ohne Ihre Zustimmung dürfen wir Ihnen nicht schreiben.",
        "lists": "Welche?",
        "chosen_lists": "was ich oben gewählt habe",
        "choose_list": "Bitte mindestens eines wählen.",
    },
    "fr": {
        "title": "Inscription : {lists}",
        "consent": (
            "{sender} peut m’envoyer des e-mails : {lists}."
            " Je peux me désinscrire à tout moment par le lien de chaque message."
        ),
        "button": "S’inscrire",
        "email": "Adresse e-mail",
        "first_name": "Prénom",
        "last_name": "Nom",
        "phone": "Téléphone",
        "language": "Langue (par exemple fr ou pt-BR)",
        "time_zone": "Fuseau horaire (par exemple Europe/Paris)",
        "optional": "facultatif",
        "choose": "Choisissez",
        "agree": "J’accepte",
        "trap": "Laissez ce champ vide",
        "sending": "Un instant …",
        "required": "Veuillez remplir ce champ.",
        "address": "Ce n’est pas une adresse e-mail. Y a-t-il une faute de frappe ?",
        "number": "Veuillez saisir un nombre.",
        "date": "Veuillez saisir une date, par exemple 2026-12-31.",
        "choice": "Veuillez choisir l’une des réponses.",
        "text": "C’est trop long ou contient des caractères interdits.",
        "agree_first": "Sans votre accord, nous ne pouvons pas vous écrire.",
        "lists": "Lesquelles ?",
        "chosen_lists": "ce que j’ai choisi ci-dessus",
        "choose_list": "Veuillez en choisir au moins une.",
    },
    "es": {
        "title": "Suscripción: {lists}",
        "consent": (
            "{sender} puede enviarme correos: {lists}."
            " Puedo darme de baja en cualquier momento con el enlace de cada mensaje."
        ),
        "button": "Suscribirse",
        "email": "Correo electrónico",
        "first_name": "Nombre",
        "last_name": "Apellidos",
        "phone": "Teléfono",
        "language": "Idioma (por ejemplo es o pt-BR)",
        "time_zone": "Zona horaria (por ejemplo Europe/Madrid)",
        "optional": "opcional",
        "choose": "Elija una opción",
        "agree": "Acepto",
        "trap": "Deje este campo vacío",
        "sending": "Un momento …",
        "required": "Rellene este campo, por favor.",
        "address": "Esto no es una dirección de correo. ¿Hay una errata?",
        "number": "Escriba un número, por favor.",
        "date": "Escriba una fecha, por ejemplo 2026-12-31.",
        "choice": "Elija una de las opciones, por favor.",
        "text": "Es demasiado largo o contiene caracteres no permitidos.",
        "agree_first": "Sin su consentimiento no podemos escribirle.",
        "lists": "¿Cuáles?",
        "chosen_lists": "lo que he elegido arriba",
        "choose_list": "Elija al menos una.",
    },
}
"""By language, then by what it is; `{lists}` and `{sender}` are filled in."""

LANGUAGES = tuple(WORDS)
_RANGE = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*", re.ASCII)


def pick_language(fixed: str, accept: str = "") -> str:
    """One that we speak: the fixed one, else what the browser likes best (RFC 9110 §12.5.4), else English."""
    if fixed:
        spoken = fixed.replace("_", "-").partition("-")[0].lower()
        return spoken if spoken in WORDS else "en"
    best, liked = "en", 0.0
    for part in accept[:500].split(","):
        match = _RANGE.fullmatch(part)
        if match and match[1].lower() in WORDS and float(match[2] or 1) > liked:
            best, liked = match[1].lower(), float(match[2] or 1)
    return best
