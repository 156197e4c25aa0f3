"""Addresses in headers, in fields of reports and in prose."""

import re

ADDRESS = re.compile(
    r"(?:\"[^\"\n@]{1,64}\"|[^\s<>()\[\]:;,\"@\\（）：；，、。【】「」]{1,128})@(?:[^\W_][\w.-]{0,252}|\[[0-9A-Fa-f.:IPv]{2,60}\])"
)
_TRIM_LEFT = "'`*=.-|/“”‘’«»＜（"
_TRIM_RIGHT = ".-_'`*"
_CHINESE = "\u3000-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_BEFORE = re.compile(f"^[{_CHINESE}]+(?=[A-Za-z0-9])")
_BEHIND = re.compile(f"(?<=\\.)([A-Za-z0-9-]+)[{_CHINESE}].*$", re.DOTALL)
"""Words of languages that put no space around an address."""
_UNICODE = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


def addresses(text: str) -> list[str]:
    """The addresses in a piece of text, in order, each once."""
    if "@" not in text:
        return []
    found: dict[str, None] = {}
    for match in ADDRESS.finditer(text):
        clean = tidy(match[0])
        if clean:
            found.setdefault(clean)
    return list(found)


def tidy(address: str) -> str:
    """An address without what surrounds it; "" if it is none."""
    address = address.strip()
    if _elided(address):
        return ""
    if not address.startswith('"'):
        address = address.lstrip(_TRIM_LEFT)
    address = address.rstrip(_TRIM_RIGHT)
    if not address.isascii():
        address = _BEFORE.sub("", _BEHIND.sub(r"\1", address))
    local, at, domain = address.rpartition("@")
    return address if at and local and domain and "@" not in local.strip('"') else ""


def _elided(address: str) -> bool:
    """Whether an archive cut it short: `david...@example.com`, `list@david...`."""
    local, _, domain = address.rpartition("@")
    return local.endswith("...") or (domain.endswith("...") and "." not in domain.rstrip("."))


def field_address(value: str) -> str:
    """The address of a field `rfc822; user@example.com` or `utf-8; …` (RFC 6533), however it is wrapped; "" if none.

    X.400 and other address types name nobody we could have mailed.
    """
    kind, semicolon, rest = value.partition(";")
    if semicolon and "@" not in kind:
        if kind.strip().lower() not in {
            "rfc822",
            "utf-8",
            "smtp",
            "rfc-822",
            "rfc822-address",
            "local",
            "unknown",
            "email",
            "addr",
        }:
            return ""
        value = rest
    value = value.strip()
    if value.lower().startswith("rfc822;"):
        value = value[7:].strip()
    if "\\x{" in value:  # utf-8-addr-unitext is written with \x{HEX} where the report must be ASCII (RFC 6533 §3)
        value = _UNICODE.sub(
            lambda m: chr(min(int(m[1], 16), 0x10FFFF)) if not 0xD800 <= int(m[1], 16) < 0xE000 else "", value
        )
    if "+" in value and value.lower().startswith("imceaex"):
        return ""
    found = addresses(value)
    return found[0] if found else ""


def same(a: str, b: str) -> bool:
    """Whether two spellings are one mailbox for all we can tell: case and a trailing dot do not count."""
    return a.rstrip(".").lower() == b.rstrip(".").lower()


def redacted(address: str) -> bool:
    """Whether a complaint's sender put something else in the recipient's place."""
    low = address.lower()
    return "redacted" in low or "undisclosed" in low or low.startswith(("xxxx@", "hidden@", "anonymized")) or "*" in low


def is_daemon(address: str) -> bool:
    """Whether this is a mail system, not a mailbox that anybody would send a newsletter to."""
    local = address.rpartition("@")[0].lower().strip('"')
    return local.startswith(_DAEMONS)


_DAEMONS = (
    "mailer-daemon", "mailerdaemon", "mailer_daemon", "mail-daemon", "maildaemon", "postmaster", "post.master",
    "mdaemon", "mailadmin", "mail-admin", "microsoftexchange", "mail.delivery.system", "maildeliverysystem",
    "mail-delivery", "delivery-subsystem", "mailer-demon", "post_master", "mail_daemon", "system.administrator",
    "mailsystem",
)  # fmt: skip
