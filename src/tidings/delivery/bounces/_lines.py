"""Lines that a notice gives to a recipient: `<user@example.com>: …`, `RCPT TO:<…>`, `Recipient: …`, and what it says of them."""

import re

from tidings.delivery.bounces._addresses import ADDRESS, addresses, is_daemon, tidy

_REASON = 500

# Each is anchored, or cheap to try, and has one place where it can vary in length.
_BULLET = r"[ \t>*•·\-+#]{0,24}(?:\d{1,3}[.)][ \t]{0,4})?"
_ADDR = ADDRESS.pattern
_ALONE = re.compile(
    rf"{_BULLET}[<\[\"'(]{{0,2}}(?:SMTP:|mailto:)?({_ADDR})[>\]\"')]{{0,2}}[ \t]*[.,;:]?[ \t]*$", re.IGNORECASE
)
_THEN = re.compile(
    rf"{_BULLET}[<\[(]{{0,2}}(?:SMTP:|mailto:)?({_ADDR})[>\])]{{0,2}}[ \t]*"
    r"(?:\.\.\.|[:;,)]|[ \t]-|[ \t]{2}|\t|[ \t][(\[])[ \t]*(.{1,600})",
    re.IGNORECASE,
)
_BRACKETED = re.compile(rf"{_BULLET}[<\[]({_ADDR})[>\]][ \t]*(.{{0,600}})", re.IGNORECASE)
_LABEL = re.compile(
    r"[ \t>*\-]{0,12}(?:final[- ]?recipient|original[- ]?recipient|failed[- ]recipients?|"
    r"intended[- ]recipients?|recipients?(?:\(s\))?|"
    r"recipient address|rcpt|undeliverable address|(?:bad |invalid |failed )?e?-?mail[- ]address|"
    r"failed address|address|mailbox|"
    r"user's mailbox is full|delivery failed|user mailbox exceeds allowed size|user mailbox is full|unknown user|"
    r"invalid final delivery userid|unknown host|error-for|delivery failed to|not delivered to|"
    r"invalid receiver address|no such user|could not deliver to|"
    r"destinataires?|destinatarios?|destinatário|destinatario|empfänger(?:adresse)?|adresat|"
    r"geadresseerde|mottagare|modtager|"
    r"получатель|адресат|收件人|收件者|宛先|送信先|受信者|수신자|alıcı|příjemce|címzett|the user\(s\) account|"
    r"addressed to|to address)"
    r"[ \t]{0,10}[:：=][ \t]*(.{3,400})",
    re.IGNORECASE,
)  # fmt: skip
_NAMED = re.compile(rf"{_BULLET}\"[^\"\n]{{1,100}}\"[ \t]*<({_ADDR})>[ \t]*[.,;:]?[ \t]*$")
# `Ada Lovelace (ada@example.com)` and `ada@example.com <ada@example.com>`, with nothing else on the line
_AFTER_NAME = re.compile(rf"{_BULLET}[^\n@<>():]{{1,60}}[ \t]\(({_ADDR})\)[ \t]*$")
_TWICE = re.compile(rf"{_BULLET}[^\s<>()@]{{1,128}}@[^\s<>()@]{{1,190}}[ \t]{{1,4}}<({_ADDR})>[ \t]*$")
_RCPT = re.compile(
    r"(?:RCPT TO|recipient)[ \t]{0,4}:?[ \t]{0,4}[<(]?[ \t]{0,2}(?:smtp:)?(" + _ADDR + r")", re.IGNORECASE
)
_REPLY_LINE = re.compile(r"[ \t]{0,20}(?:<<<|said:|\d{3} |[45]\d\d[ -])")
_SMTP_EQUALS = re.compile(r"(?:\bSMTP[=:])(" + _ADDR + r")", re.IGNORECASE)
_EXPANDED = re.compile(r"\(?(?:expanded|generated) from:?[ \t]*<?(" + _ADDR + r")", re.IGNORECASE)
SUMMARY = re.compile(
    r"[ \t>*|\-]{0,12}(?:from|sender|reply-to|to|cc|bcc|date|subject|sent|message-?id|von|an|de|"
    r"para|betreff|objet|asunto|"
    r"od|mail from|return-path|orig(?:inal)?[- ]message-?id|expéditeur|remitente|absender|"
    r"отправитель|от|тема|发件人|主题|差出人|reporting-mta|"
    r"received(?: from)?|envelope-from|発信者|de la part de|thread-\w+|x-[\w-]+|list-[\w-]+|errors-to|"
    r"message from)[ \t]{0,20}[:：]",
    re.IGNORECASE,
)  # fmt: skip


def own_lines(lines: list[str], others: set[str]) -> dict[str, str]:
    """Recipients that have a line of their own, with what is said of each; `others` only if there is nobody else."""
    strong: dict[str, str] = {}
    weak: dict[str, str] = {}
    for at, line in enumerate(lines):
        if "@" not in line:
            continue
        if ("expanded from" in line or "generated from" in line) and (origin := _EXPANDED.search(line)):
            # The address that was mailed, not what it was expanded to on this line or on one above.
            told = ""
            above = next((found for before in lines[max(0, at - 4) : at][::-1] if (found := addresses(before))), [])
            for inner in (*addresses(line)[:1], *above[:1]):
                if inner != origin[1]:
                    told = strong.pop(inner, "") or told
            add(strong, origin[1], line.partition("):")[2].strip() or told or following(lines, at, origin[1]))
        elif (match := _SMTP_EQUALS.search(line)) and "mailto" not in line:
            add(strong, match[1], following(lines, at, match[1]))
        elif (match := _RCPT.search(line)) and not _REPLY_LINE.match(line):
            add(weak, match[1], following(lines, at, match[1]))
        elif match := _LABEL.match(line):
            for address in addresses(match[1])[:50]:
                add(strong, address, _after(match[1], address) or following(lines, at, address))
        elif SUMMARY.match(line):
            continue
        elif match := _alone(line):
            add(strong, match[1], following(lines, at, match[1]))
        elif (match := _BRACKETED.match(line)) or (match := _THEN.match(line)):
            rest = match[2].strip(" :-")
            add(strong, match[1], f"{rest} {following(lines, at, match[1])}")
    found = strong or weak
    # The sender's own address and a postmaster's fail, too, but not beside others'.
    return {a: r for a, r in found.items() if a.lower() not in others and not is_daemon(a)} or found


def _alone(line: str) -> "re.Match[str] | None":
    return _ALONE.match(line) or _NAMED.match(line) or _AFTER_NAME.match(line) or _TWICE.match(line)


def add(found: dict[str, str], raw: str, reason: str) -> None:
    """Take an address up once; the first words about it stay."""
    address = tidy(raw)
    if not address:
        return
    reason = " ".join(reason.split())[:_REASON]
    known = next((a for a in found if a.lower() == address.lower()), address) if len(found) < 200 else address
    found[known] = found.get(known) or reason


def _after(rest: str, address: str) -> str:
    return rest.partition(address)[2].strip(" \t>)]:,;-\"'.")


def following(lines: list[str], at: int, address: str) -> str:
    """The lines after this one up to a blank line or another recipient: what is said of it."""
    told: list[str] = []
    for line in lines[at + 1 : at + 16]:
        bare = line.strip()
        if not bare or bare.startswith(("---", "***", "===", "___")):
            # A blank line ends it, but for one right below the address, or below a line that says "because:".
            if (told and not told[-1].endswith(":")) or (not bare and not told and line is not lines[at + 1]):
                break
            continue
        if "@" in bare and (_ALONE.match(line) or (bare.startswith("<") and ">:" in bare)) and address not in bare:
            break
        told.append(bare)
    return " ".join(told)[:_REASON]
