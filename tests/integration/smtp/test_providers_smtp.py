"""The SMTP provider against servers that misbehave, over real sockets: each message gets its own reply's outcome."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from scripted_smtp import ESMTP, CheckingSource, Plan, World, byte_by_byte, job, run, serving
from tidings.delivery.providers import (
    Accepted,
    Deferred,
    Fault,
    HealthState,
    Rejected,
    Throttled,
    Unknown,
    Withdrawn,
    _smtp_handshake,
    _smtp_pool,
    open_provider,
)

SOON = {"command": 0.3, "data": 0.3, "dot": 0.3}
LOCKSTEP = tuple(word for word in ESMTP if word != "PIPELINING")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of milliseconds where production waits for seconds."""
    monkeypatch.setattr(_smtp_pool, "_FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(_smtp_pool, "_LONGEST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(_smtp_pool, "_FIRST_THROTTLE_SECONDS", 0.02)
    monkeypatch.setattr(_smtp_pool, "_LONGEST_THROTTLE_SECONDS", 0.1)


def provider_for(world: World, **config: Any):
    timeouts = {"command": 5, "data": 5, "dot": 5, "block": 5, **config.pop("timeouts", {})}
    return open_provider(
        "smtp",
        {"host": "127.0.0.1", "port": world.port, "tls": "none", "connections": 1, "timeouts": timeouts, **config},
    )


async def outcomes_of(world: World, *, withdrawn: tuple[int, ...] = (), **config: Any):
    async with serving(world):
        source = CheckingSource([job(n) for n in world.plans], withdrawn=withdrawn)
        return await run(provider_for(world, **config), source), source


def plans(count: int, **special: Plan) -> dict[int, Plan]:
    """`count` well-treated messages, some of them (`n3=Plan(…)`) not."""
    return {n: special.get(f"n{n}", Plan()) for n in range(1, count + 1)}


def check_own_replies(outcomes: dict[int, Any]) -> None:
    """Whatever was said about a message named that message."""
    for n, outcome in outcomes.items():
        if isinstance(outcome, Accepted | Rejected | Throttled) or (isinstance(outcome, Deferred) and outcome.code):
            assert f"n={n} " in outcome.reply + " ", (n, outcome)


@pytest.mark.parametrize("keywords", [ESMTP, LOCKSTEP, (), None], ids=["pipelining", "lockstep", "bare", "helo"])
async def test_all_accepted_with_their_own_reply(keywords: tuple[str, ...] | None) -> None:
    world = World(plans(50), keywords=keywords)
    outcomes, _ = await outcomes_of(world)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes.values())
    check_own_replies(outcomes)
    assert sorted(n for n, _ in world.texts) == list(range(1, 51))
    assert all(text == job(n).message for n, text in world.texts)
    assert world.connections == 1
    assert world.commands["QUIT"] == 1


async def test_one_round_trip_a_message() -> None:
    world = World(plans(30))
    await outcomes_of(world)
    groups = [read for read in world.reads if b"DATA\r\n" in read]
    assert len(groups) == 30
    assert all(group.startswith(b"MAIL FROM") or b"\r\n.\r\nMAIL FROM:" in group for group in groups)
    assert all(group.endswith(b"DATA\r\n") for group in groups)


REFUSALS = [
    ("mail", "451 4.3.0", Throttled, None),
    ("mail", "550 5.1.8", Rejected, Fault.SENDER),
    ("rcpt", "450 4.2.0", Deferred, None),
    ("rcpt", "452 4.2.2", Deferred, None),
    ("rcpt", "550 5.1.1", Rejected, Fault.RECIPIENT),
    ("rcpt", "550 5.7.1", Rejected, Fault.SENDER),
    ("rcpt", "450 first line|450 4.2.0", Deferred, None),
    ("data", "451 4.3.0", Deferred, None),
    ("data", "554 5.6.0", Rejected, Fault.MESSAGE),
    ("dot", "451 4.3.0", Deferred, None),
    ("dot", "550 5.7.26", Rejected, Fault.SENDER),
    ("dot", "421 4.7.28", Throttled, None),
    ("dot", "554 line one|line two|554 5.6.0", Rejected, Fault.MESSAGE),
]


@pytest.mark.parametrize("keywords", [ESMTP, LOCKSTEP], ids=["pipelining", "lockstep"])
@pytest.mark.parametrize(("stage", "reply", "kind", "fault"), REFUSALS)
async def test_refused_at_each_command(
    keywords: tuple[str, ...], stage: str, reply: str, kind: type, fault: Fault | None
) -> None:
    world = World(plans(7, n3=Plan(**{stage: reply}), n4=Plan(**{stage: reply})), keywords=keywords)
    outcomes, _ = await outcomes_of(world)
    check_own_replies(outcomes)
    for n, outcome in outcomes.items():
        if n in {3, 4}:
            assert isinstance(outcome, kind), outcome
            assert outcome.code == int(reply.rpartition("|")[2][:3])
            assert (outcome.fault if isinstance(outcome, Rejected) else None) == fault
        else:
            assert isinstance(outcome, Accepted), (n, outcome)


async def test_354_without_a_recipient_gets_the_dot_alone_and_the_connection_lives_on() -> None:
    refused = Plan(rcpt="550 5.1.1", data_without_recipient="354")
    world = World(plans(6, n1=refused, n3=refused, n4=refused))
    outcomes, _ = await outcomes_of(world)
    check_own_replies(outcomes)
    assert {n for n, outcome in outcomes.items() if isinstance(outcome, Rejected)} == {1, 3, 4}
    assert sorted(n for n, _ in world.texts) == [2, 5, 6]
    assert world.connections == 1


@pytest.mark.parametrize("keywords", [ESMTP, LOCKSTEP], ids=["pipelining", "lockstep"])
async def test_closing_after_the_dot_is_unknown_and_concerns_that_message_only(keywords: tuple[str, ...]) -> None:
    world = World(plans(6, n3=Plan(dot="close")), keywords=keywords)
    outcomes, source = await outcomes_of(world)
    assert isinstance(outcomes[3], Unknown)
    assert all(isinstance(outcomes[n], Accepted) for n in (1, 2, 4, 5, 6))
    assert sorted(n for n, _ in world.texts) == [1, 2, 3, 4, 5, 6]
    assert source.given_back.keys() <= {4}


@pytest.mark.parametrize("what", ["close", "stall"])
@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
async def test_a_message_that_makes_the_server_hang_up_is_deferred_in_the_end(stage: str, what: str) -> None:
    world = World(plans(5, n3=Plan(**{stage: what})))
    outcomes, source = await outcomes_of(world, timeouts=SOON)
    assert isinstance(outcomes[3], Deferred)
    assert outcomes[3].code == 0
    assert source.given_back[3] == 2
    assert world.announced[3] == 3
    assert all(isinstance(outcomes[n], Accepted) for n in (1, 2, 4, 5))


async def test_stalling_after_the_dot_is_unknown() -> None:
    outcomes, _ = await outcomes_of(World(plans(4, n2=Plan(dot="stall"))), timeouts=SOON)
    assert isinstance(outcomes[2], Unknown)
    assert "0.3 s" in outcomes[2].reason
    assert all(isinstance(outcomes[n], Accepted) for n in (1, 3, 4))


async def test_replies_byte_by_byte() -> None:
    special = {"n2": Plan(rcpt="550 5.1.1"), "n3": Plan(dot="554 a|b|554 5.6.0"), "n5": Plan(data="451 4.3.0")}
    outcomes, _ = await outcomes_of(World(plans(8, **special), chop=byte_by_byte))
    check_own_replies(outcomes)
    assert [n for n, outcome in outcomes.items() if not isinstance(outcome, Accepted)] == [2, 3, 5]


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("mail", "raw 354 what?"),
        ("mail", "raw hello"),
        ("mail", "raw 250-one\r\n550 two"),
        ("mail", "raw 199 one"),
        ("rcpt", "raw 334 what?"),
        ("data", "raw 250 what?"),
        ("data", "raw 354 go\r\n250 already"),
        ("data", "raw 334 what?"),
    ],
)
async def test_nonsense_before_the_text_hands_nothing_over(stage: str, said: str) -> None:
    world = World(plans(4, n2=Plan(**{stage: said})))
    outcomes, _ = await outcomes_of(world)
    assert isinstance(outcomes[2], Deferred)
    assert outcomes[2].code == 0
    assert sorted(n for n, _ in world.texts) == [1, 3, 4]
    check_own_replies({n: outcomes[n] for n in (1, 3, 4)})


@pytest.mark.parametrize("said", ["raw 354 what?", "raw \x00\x01", "raw 2500 x", "raw " + "x" * 100_000])
async def test_nonsense_after_the_dot_is_unknown(said: str) -> None:
    outcomes, _ = await outcomes_of(World(plans(4, n2=Plan(dot=said))))
    assert isinstance(outcomes[2], Unknown)
    check_own_replies({n: outcomes[n] for n in (1, 3, 4)})


async def test_one_reply_too_many_never_makes_a_message_accepted_by_another_ones_reply() -> None:
    # The extra 250 passes for MAIL's reply; MAIL's for RCPT's; then DATA would be answered by 250: out of turn.
    world = World(plans(6, n2=Plan(dot="raw 250 2.0.0 n=2 dot\r\n250 2.0.0 extra")))
    outcomes, _ = await outcomes_of(world)
    check_own_replies(outcomes)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes.values())
    assert sorted(n for n, _ in world.texts) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("keywords", [ESMTP, LOCKSTEP], ids=["pipelining", "lockstep"])
async def test_one_reply_too_many_after_the_last_message(keywords: tuple[str, ...]) -> None:
    world = World(plans(1, n1=Plan(dot="raw 250 2.0.0 n=1 dot\r\n250 2.0.0 extra")), keywords=keywords)
    async with serving(world):
        source = CheckingSource([job(1)])
        provider = provider_for(world)
        provider.start(source)
        await source.done.wait()
        world.plans = plans(3)
        source.queue.extend([job(2), job(3)])
        source.total = 3
        source.done.clear()
        provider.wake()
        await asyncio.wait_for(source.done.wait(), 5)
        await provider.close(grace_seconds=1)
    check_own_replies(source.outcomes)
    assert source.broken == []
    assert world.connections == 2  # a server that cannot count is left


class Once(dict[int, Plan]):
    """A special plan for one message, the first time that the server hears of it."""

    def __init__(self, usual: Mapping[int, Plan], *, n: int, plan: Plan) -> None:
        super().__init__(usual)
        self.special = {n: plan}

    def __getitem__(self, n: int) -> Plan:
        return self.special.pop(n, None) or super().__getitem__(n)


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "dot"])
async def test_421_in_the_middle(stage: str) -> None:
    world = World(plans(6))
    world.plans = Once(world.plans, n=4, plan=Plan(**{stage: "421 4.3.2"}))
    outcomes, _ = await outcomes_of(world)
    if stage == "mail":  # that connection had done its share: the message goes over another
        assert isinstance(outcomes[4], Accepted)
    else:
        assert isinstance(outcomes[4], Throttled)
    assert all(isinstance(outcomes[n], Accepted) for n in (1, 2, 3, 5, 6))
    assert world.connections >= 2


async def run_to_end(provider: Any, source: CheckingSource) -> None:
    await asyncio.wait_for(source.done.wait(), 10)
    await provider.close(grace_seconds=1)
    assert source.broken == []
    assert source.held == set()


async def test_a_withdrawn_message_is_never_handed_over_not_even_empty() -> None:
    world = World(plans(8))
    outcomes, _ = await outcomes_of(world, withdrawn=(1, 4, 5))
    assert {n for n, outcome in outcomes.items() if isinstance(outcome, Withdrawn)} == {1, 4, 5}
    assert sorted(n for n, _ in world.texts) == [2, 3, 6, 7, 8]
    assert not any(text == b"" for _, text in world.texts)
    assert all(isinstance(outcomes[n], Accepted) for n in (2, 3, 6, 7, 8))


async def test_an_unreachable_server_burns_nothing_and_health_says_why() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    world = World(plans(3), port=port)
    source = CheckingSource([job(n) for n in world.plans])
    provider = provider_for(world)
    provider.start(source)
    await asyncio.sleep(0.2)
    assert source.pulled == 0
    health = provider.health
    assert health.state is HealthState.UNREACHABLE
    assert "refused" in health.detail.lower()
    assert health.retry_in_seconds is not None
    async with serving(world):  # it comes back
        await run_to_end(provider, source)
    assert all(isinstance(outcome, Accepted) for outcome in source.outcomes.values())
    assert not source.given_back


@pytest.mark.parametrize("greeting", ["554 go away", "421 busy", "hello", "220-a\r\n554 b"])
async def test_a_server_that_does_not_want_us(greeting: str) -> None:
    world = World(plans(1), greeting=greeting)
    async with serving(world):
        source = CheckingSource([job(1)])
        provider = provider_for(world)
        provider.start(source)
        await asyncio.sleep(0.1)
        assert provider.health.state is HealthState.UNREACHABLE
        assert source.pulled == 0
        world.greeting = "220 hello"
        await run_to_end(provider, source)


async def test_throttling_pauses_pulling_and_is_told() -> None:
    world = World(plans(20, n2=Plan(dot="451 4.7.1 too fast")))
    async with serving(world):
        source = CheckingSource([job(n) for n in world.plans])
        provider = provider_for(world)
        provider.start(source)
        begun = time.monotonic()
        await source.settled(2)
        health = provider.health
        assert health.state is HealthState.THROTTLED
        assert "n=2" in health.detail
        assert source.pulled <= 4
        await run_to_end(provider, source)
        assert time.monotonic() - begun >= 0.1
    assert isinstance(source.outcomes[2], Throttled)
    assert provider.health.state is HealthState.OK


async def test_throttled_again_and_again_it_waits_longer_each_time() -> None:
    slow = Plan(mail="451 4.3.0")
    begun = time.monotonic()
    outcomes, _ = await outcomes_of(World(plans(4, n1=slow, n2=slow, n3=slow)))
    assert [type(outcomes[n]) for n in range(1, 5)] == [Throttled, Throttled, Throttled, Accepted]
    assert time.monotonic() - begun >= 0.02 + 0.04 + 0.08


async def test_connections_grow_with_the_work_up_to_the_limit() -> None:
    world = World(plans(2000))
    await outcomes_of(world, connections=5)
    assert world.connections == 5
    assert world.commands["QUIT"] == 5


async def test_one_message_needs_one_connection() -> None:
    world = World(plans(1))
    await outcomes_of(world, connections=5)
    assert world.connections == 1


async def test_a_limit_of_messages_a_connection() -> None:
    world = World(plans(10))
    outcomes, _ = await outcomes_of(world, messages_per_connection=4)
    assert len(outcomes) == 10
    assert world.connections == 3
    assert world.commands["QUIT"] == 3


async def test_idle_connections_say_goodbye_and_stay_away() -> None:
    world = World(plans(3))
    async with serving(world):
        source = CheckingSource([job(n) for n in world.plans])
        provider = provider_for(world, timeouts={"idle": 0.1})
        provider.start(source)
        await source.done.wait()
        await asyncio.sleep(0.4)
        assert not world.open
        assert world.connections == 1
        assert world.commands["QUIT"] == 1
        await provider.close(grace_seconds=1)


async def test_a_server_that_closes_an_unused_connection_is_not_unreachable() -> None:
    world = World(plans(2))
    async with serving(world):
        source = CheckingSource([])
        provider = provider_for(world)
        provider.start(source)  # connects to see whether there is anything, and there is not
        await asyncio.sleep(0.05)
        assert world.connections == 1
        for connection in tuple(world.open):
            connection.transport.abort()
        await asyncio.sleep(0.05)
        assert provider.health.state is HealthState.OK
        assert world.connections == 1
        source.queue.extend([job(1), job(2)])
        source.total = 2
        source.done.clear()
        provider.wake()
        await run_to_end(provider, source)
    check_own_replies(source.outcomes)


async def test_closing_finishes_what_is_in_flight_and_gives_the_rest_up() -> None:
    world = World(plans(5, n2=Plan(dot="stall")))
    async with serving(world):
        source = CheckingSource([job(n) for n in world.plans])
        provider = provider_for(world, timeouts={"dot": 60, "command": 60})
        provider.start(source)
        await asyncio.sleep(0.1)
        await provider.close(grace_seconds=0.1)
        assert isinstance(source.outcomes[1], Accepted)
        assert isinstance(source.outcomes[2], Unknown)
        assert source.given_back[3] == 1
        assert source.held == set()
        assert source.pulled == 3


async def test_closing_in_the_middle_of_a_run_loses_nothing() -> None:
    world = World(plans(5000))
    async with serving(world):
        source = CheckingSource([job(n) for n in world.plans])
        provider = provider_for(world, connections=3)
        provider.start(source)
        await source.settled(500)
        await provider.close(grace_seconds=2)
        assert source.held == set()
        assert source.broken == []
        assert all(isinstance(outcome, Accepted) for outcome in source.outcomes.values())
        assert source.pulled < 550
        assert sorted(n for n, _ in world.texts) == sorted(source.outcomes)
        assert world.commands["QUIT"] == world.connections


async def test_large_messages_arrive_whole() -> None:
    text = b"Subject: large\r\n\r\n" + (b"y" * 998 + b"\r\n") * 700
    world = World(plans(20))
    async with serving(world):
        source = CheckingSource([job(n, text=text) for n in world.plans])
        await run(provider_for(world, connections=3), source)
    assert len(world.texts) == 20
    assert all(received == text for _, received in world.texts)


async def test_what_a_server_cannot_carry_is_refused_without_blaming_the_recipient() -> None:
    world = World(plans(6), keywords=("PIPELINING", "SIZE 1000"))
    jobs = [
        job(1, utf8=True, recipient="jürgen@reader.test".encode()),
        job(2, text="Subject: ü\r\n\r\n".encode()),
        job(3, text=b"Subject: x\r\n\r\n" + b"x\r\n" * 500),
        job(4, recipient=b"a@b>\r\nRCPT TO:<victim@reader.test"),
        job(5, text=b"Subject: no end"),
        job(6),
    ]
    async with serving(world):
        outcomes = await run(provider_for(world), CheckingSource(jobs))
    statuses = {n: outcome.status for n, outcome in outcomes.items() if isinstance(outcome, Rejected)}
    assert statuses == {1: "5.6.7", 2: "5.6.3", 3: "5.3.4", 4: "5.1.3", 5: "5.6.0"}
    assert all(outcomes[n].fault is Fault.MESSAGE for n in statuses)
    assert isinstance(outcomes[6], Accepted)
    assert [n for n, _ in world.texts] == [6]


async def test_parameters_of_mail_follow_what_was_announced() -> None:
    world = World(plans(3))
    eight_bit = "Subject: ü\r\n\r\n".encode()
    jobs = [job(1), job(2, text=eight_bit), job(3, text=eight_bit, utf8=True, recipient="jürgen@reader.test".encode())]
    async with serving(world):
        await run(provider_for(world), CheckingSource(jobs))
    said = b"".join(world.reads)
    assert b"MAIL FROM:<1@sender.test> SIZE=%d\r\nRCPT TO:<reader1@reader.test>\r\n" % len(jobs[0].message) in said
    assert b"MAIL FROM:<2@sender.test> SIZE=%d BODY=8BITMIME\r\n" % len(eight_bit) in said
    assert b"MAIL FROM:<3@sender.test> SIZE=%d BODY=8BITMIME SMTPUTF8\r\n" % len(eight_bit) in said


@asynccontextmanager
async def reading_nothing(answer: bytes) -> AsyncIterator[int]:
    """A server that answers the text of a message before it has read it; its port."""
    conversations: list[asyncio.Task[None]] = []
    over = asyncio.Event()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(asyncio.create_task(talk(reader, writer)))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"220 hello\r\n")
            await reader.readline()
            writer.write(b"250-hello\r\n250 PIPELINING\r\n")
            for _ in range(3):
                await reader.readline()
            writer.write(b"250 n=1 mail\r\n250 n=1 rcpt\r\n354 go\r\n")
            await asyncio.sleep(0.1)
            writer.write(answer)
            await over.wait()
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    over.set()
    await asyncio.gather(*conversations)
    await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [(b"250 2.0.0 n=1 dot\r\n", Deferred, 0), (b"552 5.3.4 n=1 dot\r\n", Rejected, 552), (b"", Deferred, 0)],
    ids=["accepted", "refused", "silent"],
)
async def test_a_text_answered_before_its_dot_was_sent(answer: bytes, kind: type, code: int) -> None:
    """It cannot have been accepted; it can have been refused; and nothing is in doubt while we hold the dot."""
    source = CheckingSource([job(1, text=b"Subject: large\r\n\r\n" + b"x" * 30_000_000 + b"\r\n")])
    timeouts = {"block": 0.15, "dot": 0.15} if not answer else {"block": 5, "dot": 5}
    async with reading_nothing(answer) as port:
        settings = {"host": "127.0.0.1", "port": port, "tls": "none", "timeouts": timeouts}
        outcomes = await run(open_provider("smtp", settings), source)
    assert type(outcomes[1]) is kind
    assert outcomes[1].code == code
    assert source.given_back == {}


async def test_another_address_of_the_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(plans(2))

    async def two_addresses(host: str, port: int) -> list[str]:
        assert (host, port) == ("mail.test", world.port)
        return ["127.0.0.77", "127.0.0.1"]

    async with serving(world):
        provider = open_provider("smtp", {"host": "mail.test", "port": world.port, "tls": "none"})
        source = CheckingSource([job(n) for n in world.plans])
        monkeypatch.setattr(_smtp_handshake, "_resolve", two_addresses)
        outcomes = await run(provider, source)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes.values())
