"""An SMTP server that misbehaves as told, and a source that checks what a provider does with each message.

The server knows which message it hears about from the envelope sender (`7@sender.test`) and looks up that message's
`Plan`. Each reply names the message and the command that it answers, so a reply credited to another message shows.
"""

import asyncio
import ssl
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tidings.delivery.providers import Outcome, Outgoing, Provider

ESMTP = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 1000000", "ENHANCEDSTATUSCODES")


@dataclass(frozen=True, slots=True)
class Plan:
    """How the server treats one message: a reply for each command, or "close" or "stall" instead of it."""

    mail: str = "250 2.1.0"
    rcpt: str = "250 2.1.5"
    data: str = "354"
    dot: str = "250 2.0.0"
    data_without_recipient: str = "554 5.5.1"


class ScriptedServer(asyncio.Protocol):
    """One connection of the server."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.buffer = b""
        self.plan: Plan | None = None
        self.n = 0
        self.recipients = 0
        self.in_data = False
        self.stalled = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.world.connections += 1
        self.world.open.add(self)
        self.say(self.world.greeting)

    def connection_lost(self, exc: Exception | None) -> None:
        self.world.open.discard(self)
        if self.in_data and self.buffer:
            self.world.cut_short.append(self.n)

    def data_received(self, data: bytes) -> None:
        self.world.reads.append(data)
        self.buffer += data
        self.held: list[bytes] = []
        while not self.stalled and not self.transport.is_closing() and self.step():
            pass
        self.flush()

    def say(self, line: str) -> None:
        raw = line.encode() + b"\r\n"
        if hasattr(self, "held"):
            self.held.append(raw)
        else:
            self.transport.write(raw)

    def step(self) -> bool:
        if self.in_data:
            if self.buffer.startswith(b".\r\n"):
                text, self.buffer = b"", self.buffer[3:]
            else:
                end = self.buffer.find(b"\r\n.\r\n")
                if end < 0:
                    return False
                text, self.buffer = self.buffer[: end + 2], self.buffer[end + 5 :]
            self.in_data = False
            self.end_of_data(text)
            return True
        line, found, rest = self.buffer.partition(b"\r\n")
        if not found:
            return False
        self.buffer = rest
        self.command(line)
        return True

    def end_of_data(self, text: bytes) -> None:
        plan, n, recipients = self.plan, self.n, self.recipients
        self.plan, self.recipients = None, 0
        assert plan is not None
        if not recipients:
            self.say("554 5.5.1 no valid recipients")
            return
        self.world.texts.append((n, text))
        self.act(plan.dot, n, "dot")

    def act(self, reply: str, n: int, what: str) -> bool:
        """True if the reply is a positive one."""
        if reply == "close":
            self.close()
        elif reply == "stall":
            self.stalled = True
        elif reply.startswith("raw "):
            self.say(reply[4:])
        elif "|" in reply:  # several lines
            *lines, last = reply.split("|")
            code = last[:3]
            for line in lines:
                self.say(f"{code}-{line}")
            self.say(f"{last} n={n} {what}")
        else:
            self.say(f"{reply} n={n} {what}")
            if reply.startswith("421"):
                self.close()
        return reply.rpartition("|")[2][:1] in "23" and not reply.startswith("close")

    def flush(self) -> None:
        replies, self.held = b"".join(self.held), []
        if not replies:
            return
        if self.world.chop is None:
            self.transport.write(replies)
        else:
            self.world.chop(self, replies)

    def close(self) -> None:
        """Once everything has been said."""
        self.flush()
        self.stalled = True
        dripping = getattr(self, "dripping", None)
        if dripping is None:
            self.transport.close()
        else:
            dripping.add_done_callback(lambda _: self.transport.close())

    def command(self, line: bytes) -> None:
        verb = line[:4].upper()
        self.world.commands[verb.decode()] += 1
        match verb:
            case b"EHLO" if self.world.keywords is not None:
                lines = ["scripted.test", *self.world.keywords]
                for word in lines[:-1]:
                    self.say(f"250-{word}")
                self.say(f"250 {lines[-1]}")
            case b"EHLO":
                self.say("502 5.5.1 what?")
            case b"HELO":
                self.say("250 scripted.test")
            case b"MAIL" if self.plan is not None:
                self.say("503 5.5.1 nested MAIL command")
            case b"MAIL":
                n = int(line.partition(b"<")[2].partition(b"@")[0])
                self.world.announced[n] += 1
                plan = self.world.plans[n]
                if self.act(plan.mail, n, "mail"):
                    self.plan, self.n, self.recipients = plan, n, 0
            case b"RCPT" if self.plan is None:
                self.say("503 5.5.1 need MAIL")
            case b"RCPT":
                self.recipients += self.act(self.plan.rcpt, self.n, "rcpt")
            case b"DATA" if self.plan is None:
                self.say("503 5.5.1 need MAIL")
            case b"DATA" if not self.recipients:
                self.in_data = self.act(self.plan.data_without_recipient, self.n, "data")
            case b"DATA":
                self.in_data = self.act(self.plan.data, self.n, "data")
            case b"RSET":
                self.plan, self.recipients = None, 0
                self.say("250 2.0.0 reset")
            case b"QUIT":
                self.say("221 2.0.0 bye")
                self.close()
            case _:
                self.say("500 5.5.2 unknown command")


@dataclass
class World:
    """The server's settings, and what it saw."""

    plans: Mapping[int, Plan]
    keywords: Sequence[str] | None = ESMTP
    greeting: str = "220 scripted.test ESMTP"
    chop: Callable[[ScriptedServer, bytes], None] | None = None
    """Writes a run of replies to the transport in its own way."""
    connections: int = 0
    port: int = 0
    open: set[ScriptedServer] = field(default_factory=set)
    reads: list[bytes] = field(default_factory=list)
    texts: list[tuple[int, bytes]] = field(default_factory=list)
    """Messages whose final dot was read, with text, whatever was answered."""
    cut_short: list[int] = field(default_factory=list)
    announced: Counter[int] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)


@asynccontextmanager
async def serving(world: World, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[World]:
    """The server on a free port of loopback."""
    server = await asyncio.get_running_loop().create_server(
        lambda: ScriptedServer(world), "127.0.0.1", world.port, ssl=tls
    )
    world.port = server.sockets[0].getsockname()[1]
    try:
        yield world
    finally:
        server.close()
        for connection in tuple(world.open):
            connection.transport.abort()
        await server.wait_closed()


def byte_by_byte(connection: ScriptedServer, replies: bytes) -> None:
    """Each byte in a packet of its own (as far as the kernel lets us)."""
    loop = asyncio.get_running_loop()

    async def drip() -> None:
        for index in range(len(replies)):
            if connection.transport.is_closing():
                return
            connection.transport.write(replies[index : index + 1])
            await asyncio.sleep(0)

    # One after the other, also when more commands come meanwhile.
    previous = getattr(connection, "dripping", None)

    async def queue() -> None:
        if previous is not None:
            await previous
        await drip()

    connection.dripping = loop.create_task(queue())


@dataclass(slots=True, eq=False)
class Job(Outgoing):
    """A message with its number."""

    n: int = 0


def job(n: int, *, text: bytes = b"", recipient: bytes = b"", utf8: bool = False) -> Job:
    """Message `n`, told apart by its sender and its text."""
    message = text or b"Subject: %d\r\n\r\nmessage %d\r\n" % (n, n)
    return Job(b"%d@sender.test" % n, recipient or b"reader%d@reader.test" % n, message, utf8, n=n)


class CheckingSource:
    """Hands out jobs and fails the test when a provider breaks the contract of `Source`."""

    def __init__(self, jobs: Sequence[Job], *, withdrawn: Sequence[int] = ()) -> None:
        self.queue = deque(jobs)
        self.total = len(jobs)
        self.withdrawn = set(withdrawn)
        self.held: set[int] = set()
        self.in_doubt: set[int] = set()
        self.outcomes: dict[int, Outcome] = {}
        self.given_back: Counter[int] = Counter()
        self.pulled = 0
        self.broken: list[str] = []
        self._milestones: dict[int, asyncio.Event] = {}
        self.done = asyncio.Event()
        if not jobs:
            self.done.set()

    def next(self) -> Job | None:
        if not self.queue:
            return None
        taken = self.queue.popleft()
        self.held.add(taken.n)
        self.pulled += 1
        return taken

    def transmitting(self, job: Outgoing) -> bool:
        assert isinstance(job, Job)
        if job.n not in self.held or job.n in self.in_doubt:
            self.broken.append(f"transmitting({job.n}) out of turn")
        if job.n in self.withdrawn:
            return False
        self.in_doubt.add(job.n)
        return True

    def settle(self, job: Outgoing, outcome: Outcome) -> None:
        assert isinstance(job, Job)
        self._release(job, "settled")
        if job.n in self.outcomes:
            self.broken.append(f"{job.n} settled twice")
        self.outcomes[job.n] = outcome
        self.in_doubt.discard(job.n)
        if len(self.outcomes) == self.total:
            self.done.set()
        if (reached := self._milestones.get(len(self.outcomes))) is not None:
            reached.set()

    async def settled(self, count: int) -> None:
        """Wait until so many messages have their outcome."""
        if len(self.outcomes) < count:
            await self._milestones.setdefault(count, asyncio.Event()).wait()

    def give_back(self, job: Outgoing) -> None:
        assert isinstance(job, Job)
        self._release(job, "given back")
        if job.n in self.in_doubt:
            self.broken.append(f"{job.n} given back although it was transmitted")
        self.given_back[job.n] += 1
        self.queue.append(job)

    def _release(self, job: Job, what: str) -> None:
        if job.n not in self.held:
            self.broken.append(f"{job.n} {what}, but was not handed out")
        self.held.discard(job.n)


async def run(provider: Provider, source: CheckingSource, *, seconds: float = 10.0) -> dict[int, Outcome]:
    """Send everything, close, check the contract; the outcomes by number."""
    provider.start(source)
    try:
        async with asyncio.timeout(seconds):
            await source.done.wait()
    finally:
        await provider.close(grace_seconds=2)
    assert source.broken == []
    assert source.held == set()
    return source.outcomes
