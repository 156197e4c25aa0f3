"""What a spam filter of one's own says of a message: rspamd over HTTP, or SpamAssassin's spamd."""

import asyncio
import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiohttp
import orjson

from tidings.core.errors import Invalid, Unavailable

_SECONDS = 30.0
_LARGEST = 2 * 2**20
"""Bytes of an answer."""


class SpamFilterUnavailable(Unavailable):
    """The spam filter gave no answer that can be read."""

    code = "spam_filter_unavailable"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A rule of the filter that matched, and what it adds to the score."""

    name: str
    score: float
    description: str = ""


@dataclass(frozen=True, slots=True)
class SpamScore:
    """The verdict on one message. `action` is the filter's own word for what it would do."""

    engine: str
    score: float
    threshold: float
    action: str
    is_spam: bool
    symbols: tuple[Symbol, ...]


class SpamFilter(Protocol):
    """Who judges."""

    async def judge(self, message: bytes, *, sender: str, recipient: str) -> SpamScore:
        """A whole message, as it would be sent. Raises SpamFilterUnavailable."""
        ...


def spam_filter(url: str) -> SpamFilter | None:
    """`rspamd://[:password@]host[:11333]` or `spamd://[user@]host[:783]`; None for ''. Raises Invalid."""
    if not url:
        return None
    field = "TIDINGS_SPAM_CHECK_URL"
    try:
        parsed = urlsplit(url)
        host, port = parsed.hostname, parsed.port
    except ValueError:
        host, port, parsed = None, None, urlsplit("")
    if not host or parsed.scheme not in {"rspamd", "spamd"}:
        raise Invalid.at(field, "must be rspamd://host:11333 or spamd://host:783")
    if parsed.scheme == "rspamd":
        return Rspamd(host, port or 11333, password=unquote(parsed.password or ""))
    return Spamd(host, port or 783, user=unquote(parsed.username or ""))


class Rspamd:
    """rspamd's normal worker or controller (https://docs.rspamd.com/developers/protocol)."""

    def __init__(self, host: str, port: int, *, password: str = "") -> None:
        bracketed = f"[{host}]" if ":" in host else host
        self._place = f"{bracketed}:{port}"
        self._url = f"http://{self._place}/checkv2"
        self._password = password

    async def judge(self, message: bytes, *, sender: str, recipient: str) -> SpamScore:
        """See SpamFilter."""
        headers = {"Content-Type": "text/plain", "From": _token(sender), "Rcpt": _token(recipient), "Pass": "all"}
        if self._password:
            headers["Password"] = self._password
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS), trust_env=False) as session,
                session.post(self._url, data=message, headers=headers, allow_redirects=False) as answer,
            ):
                body = await answer.content.read(_LARGEST)
                while len(body) < _LARGEST and (more := await answer.content.read(_LARGEST)):
                    body += more
                if answer.status != 200:
                    raise SpamFilterUnavailable(
                        f"rspamd answered {answer.status}: {body[:200].decode(errors='replace')}"
                    )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unreached("rspamd", self._place, error) from None
        return read_rspamd(body)


def read_rspamd(body: bytes) -> SpamScore:
    """An answer of /checkv2. Raises SpamFilterUnavailable."""
    try:
        told = orjson.loads(body)
        symbols = [
            Symbol(str(one["name"]), float(one.get("score") or 0) + 0.0, str(one.get("description") or ""))
            for one in (told.get("symbols") or {}).values()
        ]
        action = str(told["action"])
        score, threshold = float(told["score"]), float(told["required_score"])
        # It skips too what its first look decides, such as the pattern of GTUBE: that is a verdict.
        if told.get("is_skipped") and action == "no action":
            raise SpamFilterUnavailable("rspamd skipped the message, by its settings")
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        raise SpamFilterUnavailable("rspamd's answer cannot be read") from None
    spam = action not in {"no action", "greylist"}
    return SpamScore("rspamd", score, threshold, action, spam, _worst(symbols))


class Spamd:
    """SpamAssassin's daemon (spamd/PROTOCOL of its distribution, version 1.5)."""

    def __init__(self, host: str, port: int, *, user: str = "") -> None:
        self._host, self._port, self._user = host, port, user

    async def judge(self, message: bytes, *, sender: str, recipient: str) -> SpamScore:  # noqa: ARG002 - it reads the message only
        """See SpamFilter."""
        user = f"User: {_token(self._user)}\r\n" if self._user else ""
        head = f"REPORT SPAMC/1.5\r\nContent-length: {len(message)}\r\n{user}\r\n"
        try:
            async with asyncio.timeout(_SECONDS):
                reader, writer = await asyncio.open_connection(self._host, self._port, limit=_LARGEST)
                try:
                    writer.write(head.encode() + message)
                    await writer.drain()
                    if writer.can_write_eof():
                        writer.write_eof()
                    body = bytearray()
                    while len(body) < _LARGEST and (more := await reader.read(65536)):
                        body += more
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise _unreached("spamd", f"{self._host}:{self._port}", error) from None
        if not body.startswith(b"SPAMD/"):
            raise _unreached("spamd", f"{self._host}:{self._port}", None)
        return read_spamd(bytes(body))


_STATUS = re.compile(r"SPAMD/[\d.]{1,5} (\d{1,5}) ?(.{0,200})")
_SCORE = re.compile(
    r"^Spam: *(True|False|Yes|No) *; *(-?\d{1,6}(?:\.\d{1,4})?) */ *(-?\d{1,6}(?:\.\d{1,4})?)",
    re.IGNORECASE | re.MULTILINE,
)
_LINE = re.compile(r"^[ *]{0,3}(-?\d{1,4}(?:\.\d{1,4})?) ([A-Z][A-Z0-9_]{1,80}) +(.{0,200})$", re.MULTILINE)


def read_spamd(answer: bytes) -> SpamScore:
    """An answer to REPORT. Raises SpamFilterUnavailable."""
    text = answer.decode("utf-8", "replace").replace("\r\n", "\n")
    head, _, report = text.partition("\n\n")
    status = _STATUS.match(head)
    if status is None or int(status[1]) != 0:
        raise SpamFilterUnavailable(f"spamd answered {head[:200] or 'nothing'}")
    found = _SCORE.search(head)
    if found is None:
        raise SpamFilterUnavailable("spamd's answer has no score")
    spam = found[1].lower() in {"true", "yes"}
    symbols = [Symbol(line[1], float(line[0]) + 0.0, line[2].strip()) for line in _LINE.findall(report)]
    return SpamScore(
        "spamassassin", float(found[2]), float(found[3]), "spam" if spam else "no action", spam, _worst(symbols)
    )


def _worst(symbols: list[Symbol]) -> tuple[Symbol, ...]:
    return tuple(sorted(symbols, key=lambda one: -one.score)[:50])


def _unreached(engine: str, place: str, error: Exception | None) -> SpamFilterUnavailable:
    """Why nothing was heard, and the setting that says where to ask. `error` None: somebody else answers there."""
    if error is None or isinstance(error, aiohttp.ClientResponseError | aiohttp.ServerDisconnectedError):
        why = f"what answers there is no {engine}"
    elif isinstance(error, TimeoutError):
        why = "it did not answer in time"
    else:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return SpamFilterUnavailable(f"{engine} at {place}: {why}; see TIDINGS_SPAM_CHECK_URL")


def _token(text: str) -> str:
    return re.sub(r"[^\x21-\x7e]", "", text)[:320]
