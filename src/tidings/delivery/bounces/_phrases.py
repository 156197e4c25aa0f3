"""What mail systems say, as data: lower-case pieces of text, each long enough to mean one thing.

Collected from the notices that these systems send and from their public error references. Literal pieces, not patterns:
looking for a hundred of them in a notice costs microseconds, and no input makes it slow.
"""

SUBJECTS = (
    "error mail report", "delivery status", "sent blocked by", "配信できま", "postmaster notify",
    # English
    "undeliver", "returned mail", "delivery fail", "delivery status notification", "delivery notification",
    "mail delivery", "failure notice", "delivery report", "returned to sender", "return to sender",
    "could not be delivered", "not delivered", "delivery has failed", "non-delivery", "nondeliverable",
    "delivery error", "mail failure", "mail error", "email delivery", "message status", "failed mail",
    "warning: could not send", "message delayed", "delivery delayed", "delivery problem", "mail system error",
    "returning message to sender", "unable to deliver", "message undeliverable", "mail returned", "delivery warning",
    "delivery incomplete", "rejected mail", "rejected:", "permanent delivery failure", "bounced", "bounce message",
    "error sending", "mail could not", "returned message", "delivery unsuccessful", "not read: ndr", "user unknown",
    "recipient unknown", "failed delivery", "failed to deliver", "was not delivered", "mailbox full",
    "mailbox is full", "over quota", "failure delivery", "message not delivered", "deferred mail", "delayed mail",
    "mail warning", "nameserver error report", "[postmaster]", "mail not delivered", "mail rejected",
    "message rejected", "message blocked", "rejected message", "blocked message", "message held",
    "message notification", "unzustellbar", "mailstatus", "smtp error", "mail delivery problem", "error in mail",
    "mail undelivered", "message frozen", "error sending your mail", "notification d'état", "delivery attempt",
    "can't be delivered", "cannot be delivered",
    "non delivery", "delivery expired", "bounce notification", "bounce notice", "email bounce", "mail bounce",
    # German
    "nicht zugestellt", "nicht zustellbar", "zustellung fehlgeschlagen", "zustellungsbenachrichtigung",
    "fehlgeschlagen", "zurückgesandt", "übermittlung", "zustellfehler", "fehler bei der zustellung",
    "zustellung verzögert", "konnte nicht zugestellt",
    # French
    "non remis", "remise échou", "échec de remise", "échec de la remise", "non distribu", "notification d’état",
    "message en retard", "non délivr", "échec d", "retour de courrier", "courrier refusé", "remise retardée",
    "remise différée",
    # Spanish, Portuguese, Italian, Catalan
    "no entregado", "no se puede entregar", "no se pudo entregar", "error de entrega", "devuelto", "correo devuelto",
    "entrega fallida", "no se ha podido entregar", "fallo en la entrega", "no se entregó", "não entregue",
    "não foi entregue", "falha na entrega", "devolvid", "erro no envio", "falha de entrega", "mancato recapito",
    "mancata consegna", "recapito", "messaggio non consegnato", "non consegnat", "consegna fallita",
    "posta respinta", "no lliurat",
    # Dutch, Scandinavian, Finnish
    "onbestelbaar", "niet bezorgd", "kan niet worden bezorgd", "niet afgeleverd", "bezorging mislukt",
    "olevererbart", "ej levererat", "kunde inte levereras", "kan ikke leveres", "ikke leveret", "ikke levert",
    "ulevert", "ulevererbar", "ei voitu toimittaa", "toimittaminen epäonnistui", "toimittamaton", "leveransfel",
    "leveransproblem",
    # Polish, Czech, Slovak, Hungarian, Romanian, Greek, Turkish
    "niedostarcz", "nie dostarczono", "niedoręcz", "zwrot", "nedoručiteľn", "nedoruč", "nelze doručit",
    "kézbesíthetetlen", "kézbesítés", "sikertelen", "nelivr", "nu a putut fi livrat", "δεν παραδόθηκε", "αποτυχία",
    "teslim edilemedi", "iletilemedi", "teslim edilemeyen",
    # Russian, Ukrainian, Bulgarian
    "не доставлено", "недоставлен", "не удалось доставить", "не может быть доставлено", "ошибка доставки",
    "недоставка", "сбой доставки", "не может быть доставлен", "не доставлен", "возвращен", "возврат",
    "не доставлений", "не вдалося доставити", "неуспешна доставка",
    # Chinese, Japanese, Korean, Arabic, Hebrew
    "退信", "邮件传输失败", "投递失败", "发送失败", "无法投递", "未送达", "未能送达", "系统退信", "郵件傳送失敗",
    "無法傳遞", "無法投遞", "退件", "邮件被退回", "失败通知", "配信不能", "送信エラー", "配信できません",
    "送信できません", "配信エラー", "エラーメール", "戻りメール", "配達できません", "전송 실패", "배달되지 않음",
    "배달 실패", "반송", "발송 실패", "لم يتم التسليم", "تعذر تسليم", "לא נמסר", "לא ניתן למסור",
)  # fmt: skip
"""In the subject of a notice of failure or delay."""

FAILED = (
    "you sent was rejected", "rejected and discarded", "reject reason",
    "failure reasons", "error message below", "had delivery errors", "had delivery problems", "could not be sent",
    "rejects mail", "failed to send", "permanent delivery errors", "non-delivered information",
    # sendmail, Postfix, Exim, qmail, Courier and their kin
    "following addresses had", "transcript of session follows", "could not be delivered", "couldn't be delivered",
    "undelivered mail returned", "this message was created automatically by mail delivery", "qmail-send program",
    "i'm afraid i wasn't able to deliver", "wasn't able to deliver the following",
    "this is a permanent error; i've given up", "this is the qmail", "delivery to the following recipient",
    "del(i|e)very to the following", "delevery to the following", "following address(es) failed",
    "following addresses failed", "failed addresses follow", "failed recipients", "failed recipient:",
    "list of failed recipients", "recipients could not be reached", "recipient(s) could not be reached",
    "could not be reached", "did not reach the following", "did not reach some or all",
    "did not receive a copy of your message", "following recipients did not receive", "unable to deliver",
    "unable to send", "undeliverable", "was not delivered", "wasn't delivered", "not be delivered",
    "delivery has failed", "delivery failed", "failed to deliver", "failed permanently", "mail delivery failed",
    "message delivery failed", "returned to sender", "returned because", "has been returned", "is being returned",
    "cannot be delivered", "can't be delivered", "can not be delivered", "encountered delivery problems",
    "problems delivering", "error delivering", "this is the deliver program at", "this is the email server at",
    "machine generated message from mail service", "invalid final delivery userid", "error-for:",
    "user's mailbox is full", "undeliverable address", "failure delivering", "intended recipient:", "no such user",
    "user unknown", "unknown user", "unknown recipient", "not delivered to the following", "could not deliver",
    "automatically rejected", "a message that you sent was rejected", "was rejected by", "delivery failure",
    "delivery problem", "delivery error", "delivery unsuccessful", "was undeliverable", "mail delivery system",
    "invalid receiver address", "were not delivered", "non-delivery", "message blocked", "message was blocked",
    "rejected your message", "does not exist", "did not exactly match", "delivery of your message",
    "no longer active", "message not delivered", "undelivered", "mailbox unavailable", "the following recipients",
    "not able to deliver", "message delivery to", "mailbox exceeds", "user mailbox", "over quota", "overquota",
    "delivery status notification", "could not send", "rejected the message", "rejected for the following", "<<< 5",
    "<<< 4", "your message to", "returned message", "mail is rejected", "host unknown", "address was not found",
    "message you sent", "cannot deliver", "can't deliver", "failed after", "failed because", "delivery attempt",
    "message has been rejected", "has been blocked", "refused by", "your mail to", "mail could not",
    "couldn't deliver", "could not be found", "was not found", "an error occurred while", "error while sending",
    "mail server responded", "message was not delivered", "your email was not delivered",
    "recipient address rejected", "has exceeded", "rcpt to", "smtp error", "not a valid user",
    # German
    "nicht zugestellt", "nicht zustellbar", "nicht ausgeliefert", "konnte nicht", "konnten nicht", "unzustellbar",
    "zustellung der nachricht",
    # French
    "n'a pas pu être", "n'ont pas pu", "n'a pu être", "non remis", "non distribu", "échec de la remise",
    "n’a pas pu", "impossible de remettre",
    # Spanish, Portuguese, Italian
    "no se pudo entregar", "no ha podido", "no se ha podido", "no pudo ser entregado", "no fue posible",
    "não pôde ser", "não foi possível", "não foi entregue", "nao foi possivel", "non è stato possibile",
    "impossibile recapitare", "non può essere", "non e' stato possibile", "impossibile consegnare", "non consegnat",
    "non è stato recapitato",
    # Dutch, Scandinavian, Polish, Czech, Hungarian, Turkish
    "kon niet worden", "niet worden bezorgd", "niet afgeleverd", "kunde inte levereras", "kunne ikke leveres",
    "nie mogła zostać", "nie została dostarczona", "nie udało się", "nie może", "nebylo možné doručit",
    "nelze doručit", "nem kézbesíthető", "teslim edilemedi", "iletilemedi", "nie została", "nemohla být doručena",
    # Russian, Chinese, Japanese, Korean
    "не может быть доставлено", "не удалось доставить", "не было доставлено", "не доставлено",
    "невозможно доставить", "не могла быть доставлена", "к сожалению", "无法送达", "无法发送", "退信", "未能送达",
    "被退回", "无法投递", "不存在", "无法被", "失败", "無法", "配信できません", "送信できません", "届けられません",
    "お届け", "エラー", "お送りできません", "配信不能", "전송하지 못", "배달되지", "전달되지", "邮件",
)  # fmt: skip
"""In the text of a notice of failure. Alone they prove nothing: see `_notice.is_notice`."""

PROGRAMS = (
    "this is the qmail-send program", "this message was created automatically by mail delivery",
    "this is the mail system at host", "this is the postfix program", "the original message was received at",
    "transcript of session follows", "this is an automatically generated delivery status notification",
    "generated by the mail system", "------ failed recipients ------", "this is an advisory-only email",
    "message from interscan", "delivery status notification (failure)",
    "this is a delivery failure notification message", "wir konnten ihre nachricht",
    "diese nachricht wurde automatisch erzeugt", "your message did not reach some or all of the intended recipients",
    "did not reach the following recipient(s)", "message from yahoo", "yahoo! mail", "mailenable: message",
    "the following addresses had permanent", "hi. this is the", "generated automatically by mailer",
    "message from the mail delivery system", "mail delivery failed", "this report relates to a message you sent",
    "returned mail", "this e-mail is generated by",
)  # fmt: skip
"""Sentences that only a mail system writes."""

DELAYED = (
    "has not yet been delivered", "have yet to be delivered", "has been frozen", "not yet been delivered",
    "will continue to try", "will keep trying",
    "still trying", "has been delayed", "attempts will continue", "delivery delayed", "message delayed",
    "warning message only", "you do not need to resend", "no action is required", "transient non-fatal",
    "had transient", "delayed for", "will continue trying", "is delayed", "delay in delivery",
    "temporarily deferred", "still being attempted", "will be retried", "will retry",
    "delivery attempts will continue", "could not send message for past", "has been postponed", "queued for",
    "not been delivered yet", "delivery temporarily", "continue to be attempted", "further attempts",
    "will try again", "will keep on trying", "try to deliver it again", "wird weiterhin versucht",
    "noch nicht zugestellt", "verzögert", "retardé", "en retard", "n'a pas encore été", "aún no se ha entregado",
    "se ha retrasado", "ritardo", "non è stato ancora", "nog niet bezorgd", "vertraagd", "еще не доставлено",
    "задержк", "задерж", "延迟", "延遲", "遅延", "지연", "opóźnion", "atrasad",
    "delivery to the following recipients has been delayed", "message is in queue", "remains undelivered",
    "mail queue for", "fördröj", "forsinket", "viivästy",
)  # fmt: skip
"""In the text or subject of a notice that nobody has failed yet."""

DELIVERED = (
    "successfully delivered to", "was relayed to these recipients", "was relayed to the following",
    "successfully relayed to", "was delivered to the following", "has been delivered to the following",
    "wurde erfolgreich zugestellt", "a été remis", "ha sido entregado", "è stato consegnato",
)  # fmt: skip
"""In a notice that all went well, which servers without RFC 3464 send as prose."""

GIVEN_UP = (
    "given up", "giving up", "failed permanently", "permanent error", "permanent fatal", "permanent failure",
    "returned to sender", "undeliverable", "retry timeout exceeded", "has failed", "delivery failed",
    "delivery failure", "maximum delivery attempts", "too many hops", "expired",
    "after 30 attempt", "delivery time expired", "too old", "mail queue too long",
)  # fmt: skip
"""Beside a sentence about delay: it was one, and now it is over."""
