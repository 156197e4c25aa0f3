"""What the providers that speak HTTP share: pooled connections, pulling, time-outs, backing off, closing.

A subclass writes a request (`_request`) and says what an answer means (`_answer`); neither touches the network.
"""

import asyncio
import ssl
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import aiohttp
import orjson
from aiohttp.abc import AbstractStreamWriter

from tidings.delivery.providers._interface import HealthState, Outgoing, ProviderHealth, Source
from tidings.delivery.providers._outcomes import (
    Accepted,
    Deferred,
    Fault,
    Outcome,
    Rejected,
    Throttled,
    Unknown,
    Withdrawn,
)

_MOST_READ = 65_536
_KEEP_ALIVE_SECONDS = 15.0
"""Shorter than the providers keep an idle connection, lest a request meets one that is just being closed."""
_CONNECT_SECONDS = 30.0
_LONGEST_WAIT = 300.0
_AUTHENTICATION_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Request:
    """A POST that sends one message."""

    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The provider's answer; `body` may be cut short or be no JSON at all."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def text(self) -> str:
        """For people: the body on one line, of bounded length."""
        return " ".join(self.body[:400].decode("utf-8", "replace").split())

    @property
    def words(self) -> str:
        """For people: what the body says in its JSON (`message`, or those of `errors`), else all of it; of bounded length."""
        try:
            told: Any = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return self.text
        errors = cast("dict[str, Any]", told).get("errors") if isinstance(told, dict) else None
        found = [_message(one) for one in (cast("list[object]", errors) if isinstance(errors, list) else [told])]
        return " ".join("; ".join(filter(None, found))[:400].split()) or self.text


@dataclass(frozen=True, slots=True)
class Locked:
    """They do not let us in (credentials, a suspended account): nothing is sent until somebody mends it."""

    reply: str
    code: int


class _Body(aiohttp.BytesPayload):
    """Asks the source at the last moment, when a connection is there and the body is about to be written."""

    def __init__(self, value: bytes, source: Source, job: Outgoing) -> None:
        super().__init__(value)
        self._source, self._job = source, job
        self.begun = False
        self.withdrawn = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        self._ask()
        await super().write(writer)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self._ask()
        await super().write_with_length(writer, content_length)

    def _ask(self) -> None:
        if self.begun:
            return
        if not self._source.transmitting(self._job):
            self.withdrawn = True
            raise ConnectionAbortedError("withdrawn")
        self.begun = True


class HttpProvider(ABC):
    """Sends each message with a request of its own, `connections` at a time, over connections that are kept."""

    largest: int
    """Bytes of the largest message that they take, complete with its attachments as they travel."""

    def __init__(self, *, connections: int, timeout_seconds: float, tls: ssl.SSLContext | None = None) -> None:
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds))
        self._tls = tls
        self._source: Source | None = None
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._queued = False
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._health = ProviderHealth(HealthState.OK)
        self._failures = 0

    @abstractmethod
    def _request(self, job: Outgoing) -> Request | Rejected:
        """How this message is sent, or why it cannot be through this provider."""

    @abstractmethod
    def _answer(self, answer: Answer) -> Outcome | Locked:
        """What an answer other than a 2xx, 408, 413, 429 or 5xx means."""

    @abstractmethod
    def _reply(self, answer: Answer) -> str:
        """Of an acceptance: what is worth keeping, the provider's id of the message first."""

    def _wait(self, answer: Answer) -> float | None:
        """Of an answer that says to slow down: for how many seconds; None if it does not say."""
        found = retry_after(answer.headers)
        return rate_limit_reset(answer.headers) if found is None else found

    def start(self, source: Source) -> None:
        """Begin to pull from `source`."""
        self._source = source
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=_KEEP_ALIVE_SECONDS, ssl=self._tls or True
            ),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
        )
        self.wake()

    def wake(self) -> None:
        """The source has something again."""
        if self._source is not None and not self._queued and not self._closed and self._timer is None:
            self._queued = True
            asyncio.get_running_loop().call_soon(self._pull)

    async def close(self, *, grace_seconds: float) -> None:
        """Stop pulling; whatever is unanswered after the grace is `Unknown`, whatever was not written is given back."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._session is not None:
            await self._session.close()

    @property
    def health(self) -> ProviderHealth:
        """Its state at this moment."""
        if self._timer is None:
            return self._health
        left = max(0.0, self._timer.when() - asyncio.get_running_loop().time())
        return ProviderHealth(self._health.state, self._health.detail, left)

    def _pull(self) -> None:
        self._queued = False
        source = self._source
        assert source is not None
        while not self._closed and self._timer is None and len(self._tasks) < self._connections:
            job = source.next()
            if job is None:
                return
            task = asyncio.get_running_loop().create_task(self._send(source, job))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.wake()

    async def _send(self, source: Source, job: Outgoing) -> None:
        body: _Body | None = None
        try:
            if len(job.message) > self.largest:
                reply = f"the message has {len(job.message)} bytes, the provider takes at most {self.largest}"
                source.settle(job, Rejected(reply, 552, "5.3.4", Fault.MESSAGE))
                return
            request = self._request(job)
            if isinstance(request, Rejected):
                source.settle(job, request)
                return
            body = _Body(request.body, source, job)
            answer = await self._post(request, body)
        except asyncio.CancelledError:
            # Only `close` cancels.
            self._unanswered(source, job, body, "closed before the answer came")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._unanswered(source, job, body, _named(error))
        except Exception as error:  # noqa: BLE001 - a job must be settled whatever happens; the message may hold secrets
            self._unanswered(source, job, body, f"internal error: {type(error).__name__}")
        else:
            self._settle(source, job, answer)

    async def _post(self, request: Request, body: _Body) -> Answer:
        assert self._session is not None
        async with self._session.post(
            request.url, data=body, headers=request.headers, allow_redirects=False
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            try:
                text = await response.content.read(_MOST_READ) if response.status != 204 else b""
                while len(text) < _MOST_READ and (more := await response.content.read(_MOST_READ - len(text))):
                    text += more
            except (aiohttp.ClientError, OSError, TimeoutError):
                text = b""  # the status line is the answer; what would have followed only explains it
            return Answer(response.status, headers, text)

    def _unanswered(self, source: Source, job: Outgoing, body: _Body | None, reason: str) -> None:
        if body is not None and body.withdrawn:
            source.settle(job, Withdrawn())
        elif body is not None and body.begun:
            source.settle(job, Unknown(reason))
        else:
            source.give_back(job)
            if not self._closed:
                self._pause(HealthState.UNREACHABLE, reason, None)

    def _settle(self, source: Source, job: Outgoing, answer: Answer) -> None:
        outcome = self._meaning(answer)
        if isinstance(outcome, Locked):
            detail = f"they do not let us in, look at the credentials and settings: {outcome.reply}"
            self._pause(HealthState.UNREACHABLE, detail, _AUTHENTICATION_WAIT)
            outcome = Throttled(outcome.reply, outcome.code, "", _AUTHENTICATION_WAIT)
        elif isinstance(outcome, Throttled):
            wait = self._pause(HealthState.THROTTLED, outcome.reply, outcome.retry_after_seconds)
            outcome = Throttled(outcome.reply, outcome.code, outcome.status, wait, outcome.slower)
        elif isinstance(outcome, Accepted) and self._timer is None:
            self._failures = 0
            self._health = ProviderHealth(HealthState.OK)
            if answer.headers.get("x-ratelimit-remaining") == "0" and (wait := rate_limit_reset(answer.headers)):
                # The next would be refused: nobody has to be told twice.
                self._pause(HealthState.THROTTLED, "their limit for requests is reached", wait)
        source.settle(job, outcome)

    def _meaning(self, answer: Answer) -> Outcome | Locked:
        status = answer.status
        if 200 <= status < 300:
            return Accepted(self._reply(answer))
        reply = f"HTTP {status} {answer.words}".strip()
        match status:
            case 429 | 503:
                wait = self._wait(answer)
                used_up = wait is not None and wait >= _LONGEST_WAIT
                return Throttled(reply, status, "", wait, status == 429 and not used_up)
            case 504:
                return Unknown(reply)  # a gateway handed it on and never heard the answer
            case 408:
                return Deferred(reply, status, "")
            case 413:
                return Rejected(reply, status, "5.3.4", Fault.MESSAGE)
            case _ if status >= 500:
                return Deferred(reply, status, "", retry_after(answer.headers), Fault.SENDER)
            case _:
                return self._answer(answer)

    def _pause(self, state: HealthState, detail: str, seconds: float | None) -> float:
        if self._timer is None:
            self._failures += 1
        wait = seconds if seconds is not None else min(2.0 ** min(self._failures - 1, 8), 60.0)
        wait = min(max(wait, 0.05), _LONGEST_WAIT)
        self._health = ProviderHealth(state, detail)
        if not self._closed:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(wait, self._resume)
        return wait

    def _resume(self) -> None:
        self._timer = None
        self._health = ProviderHealth(
            HealthState.OK if self._health.state is HealthState.THROTTLED else HealthState.CONNECTING
        )
        self.wake()


def _message(told: object) -> str:
    """What it says, with the field that it is about."""
    if not isinstance(told, dict):
        return ""
    found = cast("dict[str, object]", told)
    message = found.get("message") or found.get("Message")
    field = found.get("field")
    return "" if not isinstance(message, str) else f"{field}: {message}" if isinstance(field, str) else message


def unstuffed(message: bytes) -> bytes:
    """The message as it is, without the dots that SMTP doubles (RFC 5321 §4.5.2)."""
    text = message.replace(b"\r\n..", b"\r\n.")
    return text[1:] if text.startswith(b"..") else text


def message_id(message: bytes) -> str:
    """The Message-ID without angle brackets; "" if there is none."""
    head = b"\r\n" + message.partition(b"\r\n\r\n")[0]
    at = head.lower().find(b"\r\nmessage-id:")
    if at < 0:
        return ""
    return head[at + 13 :].partition(b"\r\n")[0].strip().strip(b"<>").decode("ascii", "replace")


def retry_after(headers: dict[str, str]) -> float | None:
    """Seconds to wait (RFC 9110 §10.2.3: a number or a date); None if they do not say."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, min((moment - datetime.now(UTC)).total_seconds(), _LONGEST_WAIT))


def rate_limit_reset(headers: dict[str, str]) -> float | None:
    """Seconds until `X-RateLimit-Reset`, a moment in seconds or milliseconds since 1970; None if they do not say.

    https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits
    """
    value = headers.get("x-ratelimit-reset", "").strip()
    if not value.isascii() or not value.isdigit() or len(value) > 13:
        return None
    moment = int(value) / 1000 if len(value) == 13 else int(value)
    wait = moment - datetime.now(UTC).timestamp()
    # A moment long past is none: some send what is left of the period instead, which says nothing we could rely on.
    return min(wait, _LONGEST_WAIT) if wait > 0 else None


def _named(error: Exception) -> str:
    # Not str(error): it may quote the request.
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {error.host}:{error.port}"
    return f"connection lost ({type(error).__name__})"
