"""Replies of programs in a person's name: RFC 3834, and the many that do not follow it."""

from tidings.delivery.bounces._addresses import addresses
from tidings.delivery.bounces._notice import from_system, quotes_a_server
from tidings.delivery.bounces._parts import Headers, Part, get
from tidings.delivery.bounces._report import Kind, Recipient, Report
from tidings.delivery.providers import FailureClass

_HEADERS = (
    "x-autoreply", "x-autorespond", "x-autoresponder", "x-autoreply-from", "x-auto-reply-from", "x-vacation",
    "x-mail-autoreply", "x-mailer-autoreply", "x-exim-autoreply", "x-yahoo-autoreply", "x-facebook-notify-autoreply",
    "auto-response", "autoreply",
)  # fmt: skip
_PRECEDENCES = frozenset({"auto_reply", "auto-reply", "autoreply"})
SUBJECTS = (
    # English
    "out of office", "out-of-office", "out of the office", "automatic reply", "auto reply", "auto-reply",
    "autoreply", "auto response", "auto-response", "autoresponse", "autoresponder", "automated reply",
    "automated response", "automatic response", "away from my mail", "away from the office", "vacation reply",
    "vacation message", "on vacation", "on holiday", "on annual leave", "on leave", "i am away", "i'm away",
    "i am out of", "i'm out of", "maternity leave", "parental leave", "auto:", "[auto-reply]", "ooo:",
    "we received your", "we have received your", "ticket received", "your request has been received",
    "thank you for your email", "thank you for your e-mail", "thanks for your e-mail", "thanks for your email",
    "thank you for contacting", "thanks for contacting", "thank you for your message",
    "no longer with", "has left the company", "is no longer employed", "vacation response", "absence",
    # challenge and response
    "please confirm your message", "confirm your email to", "spamarrest", "your email requires verification",
    "verify your email to", "boxbe", "click to verify", "action required to deliver your mail",
    "earthlink spamblocker", "please confirm (conf#", "message awaiting your confirmation", "challenge-response",
    "waiting list: action required", "bluebottle", "verification required", "sender verification", "qurb",
    "message held pending", "mail held pending", "confirm your mail to", "confirmation required for",
    # German, Dutch, Scandinavian, Finnish
    "abwesenheit", "automatische antwort", "außer haus", "ausser haus", "nicht im büro", "im urlaub",
    "urlaubsvertretung", "automatisch antwoord", "automatisch beantwoord", "afwezig", "afwezigheid",
    "niet op kantoor", "buiten kantoor", "autosvar", "automatiskt svar", "automatisk svar", "frånvaro", "fraværende",
    "fravær", "ikke til stede", "poissa", "automaattinen vastaus", "poissaolo", "eingangsbestätigung",
    "sjálfvirkt svar",
    # Romance
    "réponse automatique", "reponse automatique", "absence du bureau", "message d'absence", "absent du bureau",
    "en congé", "respuesta automática", "respuesta automatica", "fuera de la oficina", "ausente", "ausencia",
    "resposta automática", "resposta automatica", "fora do escritório", "ausência", "risposta automatica",
    "fuori sede", "fuori ufficio", "assenza", "assente", "răspuns automat", "resposta automàtica",
    "contestación automática",
    # Slavic, Baltic, Hungarian, Greek, Turkish
    "automatyczna odpowiedź", "odpowiedź automatyczna", "autoodpowiedź", "poza biurem", "nieobecno",
    "automatická odpověď", "mimo kancelář", "automatická odpoveď", "nepřítomnost", "samodejni odgovor",
    "automatski odgovor", "автоответ", "автоматический ответ", "вне офиса", "отсутств", "автоматична відповідь",
    "автоматичен отговор", "automatikus válasz", "házon kívül", "automātiska atbilde", "automaatvastus",
    "automatinis atsakymas", "αυτόματη απάντηση", "εκτός γραφείου", "otomatik yanıt", "ofis dışında",
    "otomatik cevap",
    # Asian and Semitic
    "自动回复", "自動回覆", "自動返信", "不在通知", "不在のお知らせ", "自動応答", "부재중", "자동 회신", "자동회신",
    "자동 응답", "رد تلقائي", "خارج المكتب", "תשובה אוטומטית", "מחוץ למשרד", "ตอบกลับอัตโนมัติ", "trả lời tự động",
    "balasan otomatis",
)  # fmt: skip
"""In lower case, in the subject."""
AWAY = (
    "urlaub", "ferien", "vacances", "vacaciones", "férias", "ferie", "vakantie", "semester", "urlop", "dovolen",
    "szabadság", "отпуск", "відпустк", "tatil", "休暇", "休假", "휴가", "abwesend", "absent", "danke für ihre nachricht",
    "vielen dank für ihre", "merci pour votre message", "gracias por", "obrigado pela", "grazie per", "received",
)  # fmt: skip
"""In the subject of what is marked as written by a program: people use these words, too."""
OUT = (
    "is out of the office", "is out of office", "(out of office)", "is on vacation", "is on leave", "ist außer haus",
    "ist ausser haus", "ist nicht im büro", "est absent", "está fuera de la oficina", "è fuori sede", "è assente",
    "is afwezig", "jest poza biurem",
)  # fmt: skip
"""Anywhere in a subject that answers nothing: what mail programs write of their owners."""
_LISTS = ("your message to", "request to mailing list", "your posting to")
_HELD = ("awaits moderator approval", "is waiting for approval", "rejected")
"""Begin and end of subjects of what mailing lists write to strangers."""
_REASON = 300


def is_likely(headers: Headers, text: str) -> bool:
    """Whether it is one although its words are those of a bounce ("no longer works here", "was not delivered").

    It is if a person's address sent it, it is marked, and it quotes no server.
    """
    subject = get(headers, "subject").lower()
    if _from_list(subject):
        return True
    if from_system(headers):
        return False
    if not says_so(headers):
        return False
    return any(w in subject for w in SUBJECTS) or not quotes_a_server(text)


def _from_list(subject: str) -> bool:
    return subject.startswith(_LISTS) and subject.endswith(_HELD)


def says_so(headers: Headers) -> bool:
    """Whether any header or the subject marks an automatic reply."""
    told = get(headers, "auto-submitted").lower()
    if told.startswith(("auto-replied", "auto replied", "auto-reply", "vacation")) or (
        told.startswith("auto-generated") and _vacation(headers)
    ):
        return True
    if any(name in headers for name in _HEADERS):
        return get(headers, "x-autoreply").lower() not in {"no", "none", "false"} or get(headers, "x-autorespond") != ""
    if get(headers, "precedence").lower() in _PRECEDENCES or get(headers, "x-precedence").lower() in _PRECEDENCES:
        return True
    if get(headers, "x-mailer").lower().startswith(("vacation", "autoresponder", "auto-responder", "auto responder")):
        return True
    return _vacation(headers)


def _vacation(headers: Headers) -> bool:
    """By the subject: it begins with the words, or has them and follows a message that asked for no answer."""
    subject = get(headers, "subject").lower().strip(" *[(!-\"'„“")
    if subject.startswith(SUBJECTS) or _from_list(subject):
        return True
    if any(w in subject for w in OUT) and not subject.startswith("re:"):
        return True
    if not any(w in subject for table in (SUBJECTS, AWAY) for w in table):
        return False
    # A person may well write "Re: your out of office policy"; a program marks itself.
    return bool(
        "x-auto-response-suppress" in headers
        or get(headers, "return-path") == "<>"
        or get(headers, "precedence").lower() in {"bulk", "junk"}
        or ("auto-submitted" in headers and get(headers, "auto-submitted").lower() != "no")
    )


def generated(root: Part) -> Report | None:
    """What a program wrote in answer to something, such as a ticket system; None if this is none."""
    told = root.get("auto-submitted").lower().startswith("auto-generated")
    answers = "in-reply-to" in root.headers or "references" in root.headers
    return _reply(root) if told and answers and "list-unsubscribe" not in root.headers else None


def challenge(root: Part, text: str) -> Report | None:
    """A program that lets mail through only once a person has answered it; None if this is none."""
    low = text[:3000].lower()
    if "list-unsubscribe" in root.headers or not any(p in low for p in CHALLENGES):
        return None
    return _reply(root)


CHALLENGES = (
    "added to the recipient's allowed list", "have your address added to the recipient's", "protected by spamarrest",
    "protected by spam arrest", "i'm protecting myself from receiving junk mail", "complete the verification process",
    "your message is being held until", "your message has been held until", "your email is being held until",
    "before your message can be delivered", "before your email can be delivered", "confirm that you are a real person",
    "verify that you are human", "verify you are human", "prove that you are human", "confirm that you are human",
    "reply to this message to confirm", "reply to this email to confirm", "you only need to do this once",
    "you only have to do this once", "add you to my list of approved senders", "to my approved senders",
    "this mailbox uses an e-mail whitelist", "has been placed in a pending queue", "um ihre nachricht zuzustellen",
    "message was waitlisted", "email was waitlisted", "to my guest list",
    "bestätigen sie bitte ihre absenderadresse", "pour que votre message soit remis",
)  # fmt: skip
"""In lower case, in the text."""


def read(root: Part) -> Report | None:
    """The automatic reply that this is; None if it is none. It never says anything against the recipient."""
    if not says_so(root.headers) or "list-unsubscribe" in root.headers:
        return None
    return _reply(root)


def _reply(root: Part) -> Report:
    sender = addresses(root.get("from"))[:1]
    reason = root.get("subject")[:_REASON]
    return Report(
        Kind.AUTO_REPLY, tuple(Recipient(a, "replied", "", False, FailureClass.AUTO_REPLY, reason) for a in sender)
    )
