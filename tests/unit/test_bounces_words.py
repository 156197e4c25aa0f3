"""Failures told in words alone, as mail systems of many countries tell them: each by itself, and behind a bare code."""

import pytest

from tidings.delivery.bounces._classes import judge

WORDS = {
    "hard": [
        "account is unavailable", "Account not found", "Address invalid", "Address is unknown", "ADDRESS_NOT_FOUND",
        "Bad destination mailbox address", "destin. Sconosciuto", "Destinatario errato",
        "Destinatario sconosciuto o mailbox disatttivata", "Email Address was not found", "Indirizzo inesistente",
        "Invalid account", "Invalid or unknown virtual user", "Nie ma takiego konta",
        "No mail box available for this user", "No one with that email address here", "no such email address",
        "No such mail drop defined", "No such person at this address", "Recipient not allowed",
        "server doesn't handle mail for that user", "This account is disabled",
        "This email address is not known to this system", "unknown address or alias", "Unknown local part",
        "User doesn't exist in this server", "user invalid", "User is suspended", "was not found in LDAP server",
        "We are sorry but the address is invalid", "Unable to find alias user",
        "Esta casilla ha expirado por falta de uso", "host name is unknown", "no such domain",
        "Old address no longer valid", "Mailbox currently suspended", "Account Inactive",
        "Adressat unbekannt oder Mailbox deaktiviert", "Destinataire inconnu ou boite aux lettres desactivee",
        "El usuario esta en estado: inactivo", "inactive user", "Mailbox disabled for this recipient",
        "mailbox has been blocked due to inactivity", "Mailbox Locked or Suspended",
        "Podane konto jest zablokowane administracyjnie lub nieaktywne",
        "Questo indirizzo e' bloccato per inutilizzo", "Recipient mailbox was disabled", "Domain name not found",
        "couldn't find any host named reader.example", "couldn't find any host by that name",
        "550 5.1.1 <a@libero.example> : Recipient address rejected: User unknown",
        "550 RCPT TO:<a@tiscali.example> Utente inesistente", "550 Account disattivato", "La casella non esiste",
        "La casella e' disattivata", "550 La cuenta no existe", "El destinatario no existe", "Cuenta deshabilitada",
        "La cuenta ha sido cancelada", "550 Usuario inexistente", "550 Conta inativa",
        "Conta bloqueada por inatividade", "Caixa postal inexistente", "Caixa postal desativada",
        "Endereço de e-mail não encontrado", "Destinatário não encontrado", "550 Konto nie istnieje",
        "Konto zablokowane", "Brak takiego uzytkownika", "Nie ma takiej skrzynki", "Użytkownik nie istnieje",
        "Schránka neexistuje", "Adresát neexistuje", "550 No such user! Такого пользователя нет",
        "Пользователь не существует", "Почтовый ящик не найден", "Такого адреса не существует", "Ящик заблокирован",
        "Почтовый ящик отключен", "user not found: Пользователь не зарегистрирован",
        "550 User not found: a@163.example", "收件人不存在", "用户不存在",
        "该用户已被注销", "此帐号已停用", "収信者が存在しません", "ユーザーが存在しません",
        "宛先のメールアドレスが存在しません", "該当するユーザはおりません", "존재하지 않는 사용자입니다",
        "수신자를 찾을 수 없습니다", "휴면 계정입니다", "Kullanıcı bulunamadı",
        "Alıcı adresi geçersiz", "Utilisateur inconnu", "Destinataire inconnu", "L'adresse électronique n'existe pas",
        "Compte inexistant", "Compte désactivé", "Compte suspendu", "Gebruiker onbekend", "Onbekende ontvanger",
        "Mailbox bestaat niet", "Benutzer unbekannt", "Der Empfänger existiert nicht", "Adresse unbekannt",
        "Das Postfach existiert nicht", "Empfänger nicht gefunden", "Mailbox deaktiviert", "Konto gesperrt",
        "Okänd mottagare", "Mottagaren finns inte", "Modtageren findes ikke", "Ukendt bruger", "Ukjent bruker",
        "Mottaker finnes ikke", "Vastaanottajaa ei löydy", "Tuntematon vastaanottaja", "A felhasználó nem létezik",
        "Ismeretlen felhasználó", "Utilizatorul nu există", "Destinatar necunoscut", "Ο χρήστης δεν υπάρχει",
        "المستخدم غير موجود", "המשתמש לא קיים", "Người dùng không tồn tại", "Pengguna tidak ditemukan",
        "550 5.1.1 The email account that you tried to reach does not exist.", "mailbox has been deactivated",
        "This account has been closed", "account is locked", "user has moved", "recipient no longer with us",
        "domain is parked", "domain expired", "550 The address is not valid", "no longer accepting mail",
        "This mailbox is no longer monitored and messages are not delivered; unknown recipient",
    ],
    "mailbox_full": [
        "mailbox is full: retry timeout exceeded", "Benutzer hat zuviele Mails auf dem Server",
        "exceeded storage allocation", "Mailbox quota usage exceeded", "User has exhausted allowed storage space",
        "550 user has Exceeded", "not enough storage space",
        "552 RCPT TO:<a@libero.example> Mailbox disk quota exceeded", "La casella di posta del destinatario e' piena",
        "Spazio su disco esaurito", "La cuenta de correo ha excedido su cuota", "Buzón de correo lleno",
        "Se ha superado la cuota del buzon", "Caixa postal cheia", "Cota excedida",
        "550 5.2.2 A caixa postal do destinatário está cheia", "Skrzynka przepelniona",
        "Przekroczony limit pojemnosci skrzynki", "Schránka je přeplněná", "Почтовый ящик получателя переполнен",
        "收件人邮箱已满", "对方邮箱容量不足", "メールボックスが一杯です",
        "受信者のメールボックスの容量を超えています", "메일함이 가득 찼습니다", "편지함 용량을 초과하였습니다",
        "Alıcının posta kutusu dolu", "Kotası dolmuş", "Boîte de réception pleine",
        "La boîte aux lettres du destinataire est pleine", "Quota de la boite depasse",
        "Mailbox van de ontvanger is vol", "De mailbox is vol", "Das Postfach des Empfängers ist überfüllt",
        "Speicherplatz erschöpft", "Postfach hat die maximale Größe erreicht", "Brevlådan är full",
        "Postkassen er fuld", "Postilaatikko on täynnä", "A postafiók megtelt", "Căsuța poștală este plină",
        "Το γραμματοκιβώτιο είναι πλήρες", "صندوق البريد ممتلئ", "תיבת הדואר מלאה", "Hộp thư đã đầy",
        "Kotak surat penuh", "recipient storage full", "User quota exhausted", "Mailbox is at its limit",
        "mailbox capacity exceeded", "Insufficient mailbox space", "552 5.2.2 Quota (over)",
        "452 4.2.2 user over quota limit", "Message would put user over quota", "no room in mailbox",
        "4.2.2 The recipient's mailbox is over its storage limit",
    ],
    "soft": [
        "delivery temporarily suspended", "450 Greylisted for 5 minutes", "Greylisting in action",
        "system load is too high", "Try later", "queue too long", "Temporary lookup failure",
        "can't connect to mx.reader.example", "Too many hops",
        "delivery temporarily suspended: connect to mx.reader.example[192.0.2.1]:25: Connection timed out",
        "lost connection with mx.reader.example[192.0.2.1] while receiving the initial server greeting",
        "conversation with mx.reader.example[192.0.2.1] timed out while sending end of data", "TLS handshake failed",
        "SSL_connect error", "mail for reader.example loops back to myself",
        "unable to look up host mx.reader.example: No address associated with hostname", "452 4.3.1 Out of memory",
        "452 4.3.1 insufficient system storage", "451 4.3.0 Temporary local problem - please try later",
        "451 4.3.5 Server configuration problem", "550 5.3.0 Rewrite error", "retry timeout exceeded",
        "all hosts have been failing for a long time (and retry time not reached)", "No route to host",
        "Message expired after 72 hours", "Giving up after 5 days",
    ],
    "policy": [
        "rejecting password protected file attachment", "552 5.3.4 Message too big", "Nachricht zu groß",
        "Message trop volumineux", "El mensaje es demasiado grande",
    ],
    "block policy": [
        "domain isn't in my list of allowed rcpthosts", "no relaying allowed",
        "This system is not configured to relay mail", "we do not relay", "exceeded the rate limit",
        "Local Policy Violation", "550 OU-001 ", "554 denied", "You have been blocked by the recipient",
        "requires that you verify", "conection refused", "Connection refused due to abuse",
        "dial-up or dynamic-ip denied", "Domain has received too many bounces", "failed several antispam checks",
        "found in a DNS blacklist", "IPs blocked", "is blocked by reader.example", "Mail Refused",
        "Message does not pass DomainKeys", "not allowed access from your location", "Rejected for policy reasons",
        "Rejecting banned content", "spam message discarded", "Wiadomosc zostala odrzucona przez system antyspamowy",
        "Your message was declared Spam", "Письмо отклонено как спам", "Ваше сообщение похоже на спам",
        "您的邮件被识别为垃圾邮件", "发信频率过高", "550 Blocked - see https://support.example/",
        "554 5.7.1 This message has been blocked because it contains a banned attachment type",
        "550 High probability of spam", "550 5.7.1 Gefahr: Die Nachricht wurde als SPAM eingestuft",
        "Ihre Nachricht wurde als Spam abgelehnt", "Votre message a été rejeté car considéré comme spam",
        "Mensaje rechazado por contenido", "Mensagem rejeitada por conter spam", "Messaggio rifiutato",
        "550 5.7.1 Relaying denied. IP name lookup failed", "550 Sender is not allowed",
        "550 Domain of sender address does not resolve", "550 Cannot verify sender",
        "553 5.1.8 Domain of sender does not exist", "550 No valid MX for sender domain",
        "550 Sender IP must resolve", "Absender unbekannt", "550 not authorised to send to this list",
        "message exceeds allowed size",
    ],
    "soft block": [
        "delivery temporarily suspended: host mx.reader.example[192.0.2.1] refused to talk to me: 421 too many connections",
        "Throttling", "Too much load",
    ],
}  # fmt: skip
CASES = [(kinds, words) for kinds, each in WORDS.items() for words in each]


@pytest.mark.parametrize(("kinds", "words"), CASES, ids=[words for _, words in CASES])
def test_the_words_tell_the_class(kinds: str, words: str) -> None:
    assert judge("", words)[0].value in kinds.split()


@pytest.mark.parametrize(("kinds", "words"), CASES, ids=[words for _, words in CASES])
def test_what_is_not_the_mailbox_is_not_with_a_code_before_it_either(kinds: str, words: str) -> None:
    if kinds != "hard" and not words[:3].isdigit():
        assert judge("", f"550 {words}")[0].value != "hard"
