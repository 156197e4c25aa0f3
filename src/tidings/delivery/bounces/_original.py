"""The message that a report is about: found as a part, or behind a line that announces it, and its headers read."""

import re
from collections.abc import Collection, Iterator

from tidings.delivery.bounces._addresses import addresses, is_daemon, redacted, same, tidy
from tidings.delivery.bounces._parts import Headers, Part, decode, get, headers_of

ENCLOSED = frozenset(
    {"message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global", "message/global-headers", "text/rfc822",
     "message/partial", "message/rfc-822", "message/delivery-original"}
)  # fmt: skip
"""Types of parts that carry a message."""

# What mail systems write before the message they give back, not of one that is attached; in lower case, looked
# for at a line's start or within.
_ANNOUNCED = (
    "below this line is a copy", "below the next line is a copy", "this is a copy of the message",
    "this is a copy of your message", "here is a copy of the first part of the message", "start of returned message",
    "original message follows", "original message follow", "message text follows", "message headers follow",
    "header of the source mail", "returned mail follows", "-- returned mail --", "- returned mail -",
    "here is your returned mail", "copy of the original message", "copy of the message follows",
    "the original message was included", "original message below", "original message:", "original message -",
    "- original message", "original message headers", "original message details",
    "original message as received", "message header follows", "message header:",
    "header of the original message is following", "the header of the original message",
    "the header and top 20 lines", "first 50 lines of your original message", "begin returned message",
    "returned message follows", "returned message -", "- message follows", "unsent message below",
    "unsent message follows", "unsent message", "undelivered message follows", "- message header",
    "message contents follow", "included is a copy of the message", "your message follows",
    "the following is a copy", "here is the header", "--- end of message", "** end of message **",
    "*     end of message     *", "old message:", "message reads", "received message headers", "the message headers",
    "headers of the message", "headers of your message", "your message reads", "original headers", "message was:",
    "the beginning of your message", "der header der nachricht", "ursprüngliche nachricht", "originalnachricht",
    "kopie der e-mail", "the header of the original message is following", "message d'origine",
    "en-têtes du message", "copie du message", "mensaje original", "mensagem original", "messaggio originale",
    "bericht volgt", "oorspronkelijk bericht", "исходное сообщение", "копия вашего", "это копия", "原邮件", "原信",
    "元のメール", "元のメッセージ", "original nachricht", "diagnostic information for administrators",
    "oprindelige meddelelse", "ursprungligt meddelande", "wiadomość oryginalna",
)  # fmt: skip
_HEADERS = re.compile(
    r"^(?:[>|][ \t]?)?(?:Return-Path|Received|DKIM-Signature|X-Received|Delivered-To|MIME-Version|Message-ID|X-Mailer):[ \t]?\S",
    re.MULTILINE | re.IGNORECASE,
)
_HOW_MANY_LINES = 300


def is_original(leaf: Part) -> bool:
    """Whether this part is a message: by its type, or because it begins with a message's own headers."""
    return leaf.type in ENCLOSED or ("received" in leaf.headers and "from" in leaf.headers)


def split(text: str) -> tuple[str, str]:
    """The notice, and what it quotes."""
    low = text.lower()
    if len(low) != len(text):  # a letter whose lower case is longer: offsets would not match
        low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    end = len(text)
    for words in _ANNOUNCED:
        found = low.find(words, 1, end)
        if found > 0:
            line = low.rfind("\n", 0, found) + 1
            if line and found - line < 60:
                end = line
    quoted = _HEADERS.search(text, 0, end)
    if quoted and quoted.start() > 20:
        end = quoted.start()
    return text[:end], text[end:]


def enclosed(root: Part) -> Headers:
    """The headers of the message that the report gives back as a part of its own; empty if it does not."""
    for leaf in root.walk():
        if leaf is root or not is_original(leaf):
            continue
        if leaf.type not in ENCLOSED or "message-id" in leaf.headers:
            return leaf.headers  # its own headers follow those of the part without a blank line, or there are none
        if leaf.body:
            encoding = leaf.get("content-transfer-encoding")
            body = (
                decode(leaf.body, encoding, "latin-1")
                if encoding.lower() in {"base64", "quoted-printable"}
                else leaf.body
            )
            found = headers_of(body.lstrip("\n "))
            if found:
                return found
    return {}


def quoted(text: str) -> Headers:
    """The headers in a quotation: the first run of header lines in it."""
    start = re.search(r"^(?:[>|][ \t]?)?[A-Z][A-Za-z-]{1,40}:[ \t]", text[:20_000], re.MULTILINE)
    if start is None:
        return {}
    rest = text[start.start() :][:40_000]
    if rest[0] in ">|":
        rest = re.sub(r"^[>|][ \t]?", "", rest, flags=re.MULTILINE)
    return headers_of(rest)


def senders(headers: Headers) -> list[str]:
    """Whose message it was: these addresses did not fail."""
    return [
        address
        for name in ("from", "sender", "reply-to", "return-path", "errors-to", "x-sender")
        for value in headers.get(name, ())
        for address in addresses(value)
    ]


_ENVELOPE = (
    "x-failed-recipients", "x-hmxmroriginalrecipient", "x-original-to", "x-envelope-to", "envelope-to", "x-rcpt-to",
    "delivered-to", "x-delivered-to", "apparently-to", "resent-to", "x-recipient",
)  # fmt: skip
_RECEIVED_FOR = re.compile(r"\bfor[ \t]{1,10}<?([^\s<>;@]{1,128}@[^\s<>;]{1,255}?)>?(?=[ \t;]|$)", re.IGNORECASE)


def recipients(headers: Headers, but: Collection[str] = (), *, but_of: Collection[str] = ()) -> list[str]:
    """Whom it was sent to, none of `but` and of the domains `but_of`; at most one.

    By the headers that mail systems note the envelope in; else To, if there is one address and no Cc; else Received and VERP.
    """
    for found in _candidates(headers):
        left = [a for a in drop(found, but) if a.rpartition("@")[2].lower() not in but_of]
        if left:
            return left[:1]
    return []


def _candidates(headers: Headers) -> Iterator[list[str]]:
    for name in _ENVELOPE:
        yield _usable(addresses(" ".join(headers.get(name, ())[:3])))
    found = _usable(addresses(" ".join(headers.get("to", ())[:2])))
    if len(found) == 1 and "cc" not in headers:
        yield found
    for value in headers.get("received", ())[:30]:
        match = _RECEIVED_FOR.search(value)
        if match:
            yield _usable([address] if (address := tidy(match[1])) else [])
    verp = _from_return_path(headers)
    if verp:
        yield [verp]


def message_id(headers: Headers) -> str:
    """Its Message-ID with angle brackets; "" if it is not told."""
    value = get(headers, "message-id").partition(">")[0].partition("<")[2]
    return f"<{value}>" if value and " " not in value else ""


def _usable(found: list[str]) -> list[str]:
    return [a for a in found if not is_daemon(a) and not redacted(a)]


# Groups with digits before the recipient's name are a list's or a campaign's number.
_VERP = re.compile(r"[+-](?:[0-9a-f]{0,12}[0-9][0-9a-f]{0,12}-){0,4}([^@=+]{1,64})=([^@=]{1,190}\.[A-Za-z]{2,24})@")


def _from_return_path(headers: Headers) -> str:
    """`bounces+user=example.com@sender.example`: the recipient as ezmlm, Mailman and many others write it (VERP)."""
    for name in ("return-path", "errors-to", "sender"):
        match = _VERP.search(" ".join(headers.get(name, ())[:2]))
        if match:
            return f"{match[1]}@{match[2]}"
    return ""


def drop(found: list[str], others: Collection[str]) -> list[str]:
    """`found` without `others` and without mail systems."""
    return [a for a in found if not is_daemon(a) and not any(same(a, other) for other in others)]
