"""Which words mean which class, where codes do not say it: lower-case pieces of servers' replies in many languages.

Sources: the public error references of Google, Microsoft, Yahoo, Apple, Comcast, T-Online, GMX, Orange, Free, Mail.ru,
Yandex and QQ, and what the replies of common mail servers say.
"""

MAILBOX_FULL = (
    "diskspace quota", "overdrawn", "out of space", "storage space", "no space in mailbox", "mailbox full",
    "mailbox is full", "mailbox for user is full", "mailbox has exceeded", "mailbox size limit", "mailbox exceeds",
    "mailbox quota", "over quota", "overquota", "over-quota", "quota exceed", "exceeded quota", "exceeds quota",
    "exceed the quota", "over its quota", "exceeded storage", "exceeded its storage", "exceeded his",
    "exceeded their", "out of storage", "storage limit", "over disk quota", "disk quota", "exceeds allowed size",
    "quota full", "insufficient disk space", "insufficient user space", "user is full", "account is full",
    "inbox is full", "inbox full", "no space left", "not enough space", "space not enough", "not enough storage",
    "too large a mailbox", "mailbox too large", "mailfolder is full", "user has exhausted",
    "is over the maximum allowed", "is over the quota", "would exceed mailbox", "maildir over", "disk space full",
    "full mailbox", "mailbox_full", "mbox full", "has too many messages on the server", "has exceeded the",
    "exceeded the quota", "disk full", "quotaexceeded", "quota violation", "above quota", "message quota",
    "mailbox-full", "mailboxfull", "disc quota", "over the quota", "exceed mailbox quota", "exceeding receive limit",
    "recipient's mailbox is full", "user's mailbox is full", "exceeded the maximum mailbox", "postfach ist voll",
    "postfach voll", "speicherplatz", "postfach des empfängers ist voll", "boîte pleine", "boite pleine",
    "boîte aux lettres pleine", "boite aux lettres pleine", "quota dépassé", "buzón lleno", "buzon lleno",
    "casilla llena", "cuota excedida", "caixa de correio cheia", "caixa postal cheia", "caixa cheia",
    "casella piena", "casella di posta piena", "postvak vol", "mailbox is vol", "przepełnion", "skrzynka pełna",
    "schránka je plná", "почтовый ящик переполнен", "ящик переполнен", "переполнен", "邮箱已满", "邮箱空间不足",
    "信箱已滿", "容量已满", "空间不足", "容量オーバー", "メールボックスがいっぱい", "容量を超え", "사서함이 가득",
    "용량 초과", "posta kutusu dolu", "kota aşıldı", "postkassen er fuld", "brevlådan är full", "megtelt",
    "est pleine", "est saturée", "está lleno", "está llena", "está cheia", "está cheio", "è piena", "jest pełna",
    "on täynnä",
)  # fmt: skip

BLOCK = (
    "spamhaus", "spamcop", "barracuda", "sorbs", "dnsbl", "rbl", "blacklist", "black list", "black-list",
    "blocklist", "block list", "block-list", "blocked", "reputation", "listed at", "is listed in",
    "currently listed", "listed by", "is listed on", "unsolicited", "spam", "junk mail", "bulk mail", "abuse",
    "banned", "bad sender", "throttl", "too many", "rate limit", "rate-limit", "ratelimit", "too fast",
    "too much mail", "unusual", "suspicious", "deferred due to", "user complaints", "complaint", "poor reputation",
    "low reputation", "senderscore", "senderbase", "talos", "proofpoint", "cloudmark", "trend micro",
    "mimecast.com/docs", "connection refused by policy", "your ip", "your host", "your server", "ip address is",
    "client host", "dynamic ip", "residential", "greylist", "graylist", "reverse dns", "ptr record", "ptr resource",
    "rdns", "no ptr", "helo command", "helo name", "helo host", "ehlo command", "invalid helo", "your helo",
    "helo/ehlo", "bad helo", "helo rejected", "ehlo name", "bulk email", "bulk e-mail", "mass mail", "uribl", "surbl",
    "requires confirmation", "not accepting mail from", "dul.", "uceprotect", "hostkarma", "invaluement",
    "message content rejected", "content reject", "message rejected due to content", "looks like", "phish", "fraud",
    "daily limit", "hourly limit", "max defers", "exceeds limit", "exceeded the max emails", "rate limit exceeded",
    "sending limit exceeded", "message limit exceeded", "maximum sending rate", "daily message quota",
    "daily user sending", "sending quota", "unwanted", "access denied", "connection rejected", "bad ip",
    "sender rejected", "refused to talk", "blocked using", "not whitelisted", "untrusted", "垃圾邮件", "屏蔽",
    "拒收", "频率", "黑名单", "スパム", "迷惑メール", "спам", "заблокирован", "in der sperrliste", "liste noire",
    "ofr_", "ofr00", "lpn", "lpnaaa", "wrd006", "stay in line", "mxipreject", "ip:频", "connection frequency",
    "mail content denied", "spf.aspx?",
)  # fmt: skip

POLICY = (
    "spf", "dkim", "dmarc", "authenticat", "unauthenticated", "relay", "relaying", "not permitted", "not authorized",
    "not authorised", "unauthorized", "policy", "starttls", "tls required", "must issue", "encryption required",
    "virus", "malware", "attachment", "message size", "too large", "size limit", "exceeds maximum",
    "message too big", "maximum message size", "message length", "restricted", "permission", "prohibited",
    "forbidden", "violat", "administrative", "not allowed", "disallowed", "only accepts",
    "does not accept mail from", "sender address rejected", "sender verify failed", "sender verification",
    "domain of sender", "invalid sender", "sender domain", "mail from", "8bit", "smtputf8", "rfc 5322", "rfc5322",
    "rfc 2822", "non-rfc", "from: header", "list only", "moderat", "transport rules", "filter",
    "too many recipients", "executable", "unacceptable", "rejected by recipient", "delivery restrictions",
    "not accept messages", "not accepted here", "sender id", "bannedsubject", "message refused",
)  # fmt: skip

TOO_LARGE = (
    "message size exceed", "max message size", "maximum message size", "message too large", "message is too large",
    "message too big", "message is too big", "exceeds size limit", "message size limit", "message length exceeds",
    "exceeds the maximum size", "exceeds the size limit", "larger than the current system limit",
)  # fmt: skip
"""The message is too large for them: that outweighs a status about the mailbox."""

NOBODY = (
    "not a valid user", "no matches to nameserver query", "not listed in public", "wasn't found at", "unknown to address",
    "address couldn't be found",
    "user unknown", "unknown user", "unknown recipient", "recipient unknown", "unknown address", "address unknown",
    "unknown mailbox", "no such user", "no such recipient", "no such mailbox", "no such address", "no such account",
    "no such person", "nosuchuser", "no mailbox here", "unknown local", "unrouteable address", "unroutable address",
    "user not found", "recipient not found", "addressee unknown", "recipientnotfound", "address not found",
    "account not found", "mailbox not found", "invalid mailbox", "unknown or illegal", "user doesn't exist",
    "user does not exist", "recipient does not exist", "mailbox does not exist", "account does not exist",
    "address does not exist", "doesn't have a", "account has been disabled", "is not a known user",
    "no longer valid", "empfaenger unbekannt", "empfänger unbekannt", "utilisateur inconnu",
    "usuario desconocido",
)  # fmt: skip
"""The plainest words for it, which outweigh a mention of policy further on."""

HARD = (
    *NOBODY, "user unknown", "unknown user", "unknown recipient", "recipient unknown", "unknown address",
    "address unknown", "unknown mailbox", "no such user", "no such recipient", "no such mailbox", "no such address",
    "no such account", "no such person", "nosuchuser", "no user", "no mailbox", "unknown local",
    "unrouteable address", "unroutable address", "unrouteable mail domain", "unroutable mail domain",
    "user not found", "recipient not found", "recipientnotfound",
    "address not found", "account not found", "mailbox not found", "not found", "does not exist", "doesn't exist",
    "doesn t exist", "not exist", "doesnt exist", "doesn't have a", "doesn't have an account", "is not a known user",
    "not a known user", "not a valid user", "not a valid recipient", "not a valid mailbox", "not a valid address",
    "invalid recipient", "invalid user", "invalid mailbox", "invalid address", "invalid receiver", "bad address",
    "bad recipient", "bad destination", "illegal user", "nonexistent", "non-existent", "non existent",
    "user is unknown", "is unknown", "is invalid", "is not valid", "mailbox unavailable", "mailbox is unavailable",
    "account unavailable", "user unavailable", "mailbox disabled", "mailbox is disabled", "account disabled",
    "account is disabled", "account has been disabled", "user disabled", "disabled", "inactive", "no longer active",
    "no longer valid", "no longer exist", "no longer available", "no longer in use", "no longer on server",
    "no longer with", "not active", "suspended", "deactivated", "has been closed", "account closed",
    "account expired", "account that you tried to reach", "terminated", "cancelled", "canceled account",
    "host unknown", "unknown host", "domain not found", "domain does not exist", "no such domain", "host not found",
    "name or service not known", "hostname unknown", "unknown domain", "domain unknown", "nxdomain", "no mx",
    "no mail exchange", "null mx", "nullmx", "does not accept mail", "not listed in", "isn't in my list",
    "not listed in domino directory", "no account", "user doesn't",
    "delivery to the following recipient failed permanently", "recipient rejected", "recipient address rejected",
    "name is not recognized", "not recognized", "unrecognized", "unknown or illegal", "unknown or invalid",
    "not a mailbox", "is not local", "not our customer", "no match", "is not in the directory",
    "did not exactly match", "no recipient", "unable to validate recipient", "recipient is not",
    "recipients are not a valid", "not handled here", "addressee unknown", "user_unknown", "userunknown", "moved",
    "has left", "recipnotfound", "aosn", "mailbox does not", "sorry, no mailbox", "unknown-recipient", "unbekannt",
    "existiert nicht", "ungültig", "empfänger unbekannt", "kein solcher", "nicht bekannt", "gibt es nicht",
    "wurde nicht gefunden", "konnte nicht gefunden werden", "n'a pas été trouvé", "n’a pas été trouvé", "introuvable",
    "no se encontró", "no se ha encontrado", "não foi encontrad", "non è stato trovato", "niet gevonden",
    "n'existe pas", "inconnu", "adresse invalide", "utilisateur inconnu",
    "adresse d au moins un destinataire invalide", "destinataire invalide", "n’existe pas", "no existe",
    "usuario desconocido", "dirección no válida", "desconocid", "não existe", "inexistente", "usuário desconhecido",
    "desconhecid", "utente sconosciuto", "non esiste", "sconosciuto", "destinatario non valido", "bestaat niet",
    "onbekend", "findes ikke", "finns inte", "okänd", "ukendt", "ukjent", "nie istnieje", "nieznany", "neexistuje",
    "nincs ilyen", "ismeretlen", "nu există", "bulunamadı", "mevcut değil", "не существует",
    "пользователь не найден", "нет такого", "не найден", "неизвестн", "недоступен", "不存在", "收件人", "用户不存在",
    "无效", "查無此人", "無此", "見つかりません", "ありません", "存在しません", "宛先不明", "不明", "없습니다",
    "존재하지 않", "찾을 수 없", "غير موجود", "לא קיים",
)  # fmt: skip

LOOPS = ("too many hops", "hop count", "mail loop", "looping", "loops back", "forwarding loop", "mail forwarding loop")
"""A loop on the far side, which "too many" and "policy" have nothing to do with."""

SOFT = (
    "timed out", "timeout", "time out", "try again", "temporar", "connection refused", "connection reset",
    "connection lost", "connection failed", "connection dropped", "could not connect", "can't connect",
    "cannot connect", "unable to connect", "no route to host", "network is unreachable", "network unreachable",
    "unreachable", "not responding", "no answer from host", "service unavailable", "unavailable",
    "system not accepting", "queue", "retry time", "retry timeout", "delivery expired", "expired", "message expired",
    "too old", "delivery time", "could not be reached", "lookup failure", "servfail", "dns",
    "name service error", "name server", "nameserver",
    "have been failing for a long time", "resolve", "busy",
    "overload", "resources", "congest", "deferred", "hop count", "too many hops", "loops back", "mail loop",
    "closed connection", "broken pipe", "i/o error", "internal error", "local error", "system error",
    "configuration error", "not been collected", "connection", "later", "host name lookup",
    "cannot find your reverse", "zeitüberschreitung", "vorübergehend", "temporaire", "indisponible", "temporal",
    "temporâ", "temporane", "tijdelijk", "временно", "позже", "稍后", "暂时", "超时", "一時的", "일시적",
)  # fmt: skip
