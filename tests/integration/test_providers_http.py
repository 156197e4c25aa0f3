"""Every provider over HTTP, held against the same contract over real sockets."""

import asyncio
import json
import logging
import time
from typing import Any

import pytest

from scripted_http import ACCEPTED, CONFIGS, SECRETS, HttpWorld, Step, http_serving
from scripted_smtp import CheckingSource, Job, job, run
from tidings.delivery.providers import (
    Accepted,
    Deferred,
    Fault,
    HealthState,
    Provider,
    Rejected,
    Throttled,
    Unknown,
    Withdrawn,
    open_provider,
)

KINDS = ("ses", "sendgrid", "mailgun")
every_kind = pytest.mark.parametrize("kind", KINDS)


def letter(n: int) -> Job:
    text = (
        b"From: News <news@example.com>\r\nTo: =?utf-8?q?J=C3=B6?= <reader%d@reader.test>\r\nSubject: Hello\r\n"
        b"Date: Mon, 05 Jan 2026 10:00:00 +0000\r\nMessage-ID: <1.%d.2@example.com>\r\nMIME-Version: 1.0\r\n"
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nList-Unsubscribe: <https://t.example.com/u/abc>\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n..dot\r\n" % (n, n)
    )
    return job(n, text=text)


def provider_for(world: HttpWorld, **more: Any) -> Provider:
    config = {**CONFIGS[world.kind], "endpoint": f"http://127.0.0.1:{world.port}", "connections": 4, **more}
    return open_provider(world.kind, config, SECRETS[world.kind])


@every_kind
async def test_all_is_accepted_over_connections_that_are_kept(kind: str) -> None:
    async with http_serving(HttpWorld(kind)) as world:
        outcomes = await run(provider_for(world), CheckingSource([letter(n) for n in range(200)], withdrawn=(7,)))
    assert isinstance(outcomes.pop(7), Withdrawn)
    assert all(isinstance(one, Accepted) and one.reply.startswith("0102-abc") for one in outcomes.values())
    assert world.heard == dict.fromkeys(outcomes, 1)
    assert world.connections <= 6  # four, and one more for the withdrawn one


@every_kind
@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ((500, {}, b"oops"), Deferred),
        ((502, {}, b"<html>"), Deferred),
        ((504, {}, b""), Unknown),
        ((408, {}, b""), Deferred),
        ((500, {"Retry-After": "5"}, b"{not json"), Deferred),
        ((200, {}, b"[]"), Accepted),
        ((200, {}, b"\xff\xfe"), Accepted),
        ((400, {}, b"not json"), Rejected),
        ((413, {}, b""), Rejected),
        ((200, {}, b"{not json"), Accepted),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), Rejected),
        ("close", Unknown),
        ("reset", Unknown),
        ("half", Unknown),
        ("stall", Unknown),
        ("cut", Accepted),
    ],
)
async def test_what_an_answer_means(kind: str, step: Step, expected: type) -> None:
    async with http_serving(HttpWorld(kind, {1: [step]})) as world:
        outcomes = await run(
            provider_for(world, timeout_seconds=0.5), CheckingSource([letter(n) for n in range(1, 4)]), seconds=5
        )
    assert isinstance(outcomes[1], expected), outcomes[1]
    assert isinstance(outcomes[2], Accepted)
    assert isinstance(outcomes[3], Accepted)
    assert world.heard[1] == 1
    if isinstance(outcomes[1], Rejected):
        assert outcomes[1].fault is not Fault.RECIPIENT


@every_kind
@pytest.mark.parametrize("status", [429, 503])
async def test_throttled_with_and_without_a_time(kind: str, status: int) -> None:
    plans: dict[int, list[Step]] = {1: [(status, {"Retry-After": "1"}, b"slow")], 2: [(status, {}, b"slow")]}
    async with http_serving(HttpWorld(kind, plans)) as world:
        for n, least in ((1, 1.0), (2, 1.0)):
            source = CheckingSource([letter(n), letter(3)])
            provider = provider_for(world, connections=1)
            provider.start(source)
            await source.settled(1)
            found = source.outcomes[n]
            assert isinstance(found, Throttled)
            assert found.retry_after_seconds == least
            assert provider.health.state is HealthState.THROTTLED
            await asyncio.sleep(0.1)
            assert source.pulled == 1  # nothing more is pulled meanwhile
            await asyncio.wait_for(source.done.wait(), 3)
            assert isinstance(source.outcomes[3], Accepted)
            await provider.close(grace_seconds=1)
            assert source.broken == []


@every_kind
async def test_a_wrong_key_burns_nobodys_attempts_and_is_never_shown(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with http_serving(HttpWorld(kind, {1: [(403, {}, b'{"message":"bad key"}')]})) as world:
        provider = provider_for(world, connections=1)
        source = CheckingSource([letter(1), letter(2)])
        provider.start(source)
        await source.settled(1)
        assert isinstance(source.outcomes[1], Throttled)
        assert provider.health.state is HealthState.UNREACHABLE
        assert source.pulled == 1
        shown = repr(provider) + repr(vars(provider).get("_config")) + repr(provider.health) + caplog.text
        assert "very-secret" not in shown
        await provider.close(grace_seconds=1)


ERRORS: list[tuple[str, Step, type, bool]] = [
    # Names and codes: AWS's model of SendEmail (botocore, data/sesv2/2019-09-27/service-2.json)
    *(
        (
            "ses",
            (400, {"x-amzn-ErrorType": f"{name}:http://internal.amazon.com/x"}, b'{"message":"no"}'),
            Throttled,
            held,
        )
        for name, held in (
            ("LimitExceededException", True),
            ("AccountSuspendedException", True),
            ("SendingPausedException", True),
            ("MailFromDomainNotVerifiedException", True),
        )
    ),
    ("ses", (404, {"x-amzn-ErrorType": "NotFoundException"}, b'{"message":"no such set"}'), Throttled, True),
    (
        "ses",
        (400, {}, b'{"__type":"BadRequestException","message":"Configuration set x does not exist"}'),
        Throttled,
        True,
    ),
    ("ses", (400, {}, b'{"__type":"BadRequestException","message":"Illegal address"}'), Rejected, False),
    ("ses", (400, {}, b'{"__type":"com.amazon#MessageRejected","message":"virus"}'), Rejected, False),
    (
        "ses",
        (429, {}, b'{"__type":"TooManyRequestsException","message":"Daily message quota exceeded"}'),
        Throttled,
        True,
    ),
    ("ses", (500, {}, b'{"__type":"InternalServiceErrorException"}'), Deferred, False),
    # https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/responses
    *(
        ("sendgrid", (status, {}, b'{"errors":[{"message":"m","field":null,"help":null}]}'), outcome, held)
        for status, outcome, held in (
            (400, Rejected, False),
            (401, Throttled, True),
            (403, Throttled, True),
            (405, Throttled, True),
            (406, Throttled, True),
            (451, Throttled, True),
        )
    ),
    # Their front server answers in HTML, whatever was asked for: https://github.com/sendgrid/sendgrid-nodejs/issues/370
    (
        "sendgrid",
        (413, {"Content-Type": "text/html"}, b"<html><head><title>413 Request Entity Too Large"),
        Rejected,
        False,
    ),
    ("sendgrid", (401, {}, b'{"errors":[{"message":"Maximum credits exceeded"}]}'), Throttled, True),
    # https://documentation.mailgun.com/docs/mailgun/quickstart-guide/responses
    *(
        ("mailgun", (status, {}, b'{"message":"m"}'), outcome, held)
        for status, outcome, held in (
            (400, Rejected, False),
            (401, Throttled, True),
            (402, Throttled, True),
            (404, Throttled, True),
        )
    ),
    # https://github.com/mailgun/mailgun-java/issues/50
    (
        "mailgun",
        (
            420,
            {},
            b'{"message":"Domain x is not allowed to send: limit exceeded, try again after Fri, 31 Dec 2100 07:00:31 UTC"}',
        ),
        Throttled,
        True,
    ),
    ("mailgun", (401, {"Content-Type": "text/plain"}, b"Forbidden"), Throttled, True),
    (
        "mailgun",
        (400, {}, b'{"message":"Domain mg.example.com is not allowed to send: The domain is unverified"}'),
        Throttled,
        True,
    ),
    ("mailgun", (400, {}, b'{"message":"\'to\' parameter is not a valid address"}'), Rejected, False),
]


@pytest.mark.parametrize(("kind", "step", "expected", "held"), ERRORS)
async def test_documented_errors(kind: str, step: Step, expected: type, held: bool) -> None:
    """`held`: nothing more is sent for a minute at least, because the next message would fare no better."""
    async with http_serving(HttpWorld(kind, {1: [step]})) as world:
        source = CheckingSource([letter(1)])
        provider = provider_for(world, connections=1)
        provider.start(source)
        await source.settled(1)
        found = source.outcomes[1]
        assert isinstance(found, expected), found
        assert (provider.health.state in {HealthState.UNREACHABLE, HealthState.THROTTLED}) is held
        if held:
            assert (provider.health.retry_in_seconds or 0) > 55
        if isinstance(found, Rejected):
            assert found.fault is not Fault.RECIPIENT
        await provider.close(grace_seconds=1)


@every_kind
async def test_a_limit_that_is_reached_is_waited_for_before_they_refuse(kind: str) -> None:
    status, headers, body = ACCEPTED[kind]
    reset = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int((time.time() + 1) * 1000))}
    async with http_serving(HttpWorld(kind, {1: [(status, headers | reset, body)]})) as world:
        source = CheckingSource([letter(1), letter(3)])
        provider = provider_for(world, connections=1)
        provider.start(source)
        await source.settled(1)
        assert isinstance(source.outcomes[1], Accepted)
        assert provider.health.state is HealthState.THROTTLED
        await asyncio.sleep(0.1)
        assert source.pulled == 1
        await asyncio.wait_for(source.done.wait(), 3)
        await provider.close(grace_seconds=1)


@every_kind
@pytest.mark.parametrize(("reset", "least", "most"), [(30, 28, 30), (30_000, 300, 300), (-5, 1, 1)])
async def test_a_refusal_that_names_the_moment(kind: str, reset: int, least: float, most: float) -> None:
    headers = {"X-RateLimit-Reset": str(int(time.time()) + reset)}
    async with http_serving(HttpWorld(kind, {1: [(429, headers, b"slow")]})) as world:
        source = CheckingSource([letter(1)])
        provider = provider_for(world, connections=1)
        provider.start(source)
        await source.settled(1)
        found = source.outcomes[1]
        assert isinstance(found, Throttled)
        assert found.retry_after_seconds is not None
        assert least <= found.retry_after_seconds <= most
        await provider.close(grace_seconds=1)


@every_kind
async def test_a_message_that_is_too_large_never_leaves(kind: str) -> None:
    async with http_serving(HttpWorld(kind)) as world:
        provider = provider_for(world)
        provider.largest = 2000  # type: ignore[attr-defined]
        large = job(1, text=letter(1).message + b"x" * 2000 + b"\r\n")
        outcomes = await run(provider, CheckingSource([large, letter(2)]))
    found = outcomes[1]
    assert isinstance(found, Rejected)
    assert (found.fault, found.status) == (Fault.MESSAGE, "5.3.4")
    assert "at most 2000" in found.reply
    assert isinstance(outcomes[2], Accepted)
    assert world.heard == {2: 1}


@every_kind
async def test_nobody_there_gives_everything_back(kind: str) -> None:
    world = HttpWorld(kind, port=1)
    provider, source = provider_for(world), CheckingSource([letter(1)])
    provider.start(source)
    while not source.given_back[1]:
        await asyncio.sleep(0.01)
    assert provider.health.state is HealthState.UNREACHABLE
    assert (provider.health.retry_in_seconds or 0) > 0
    await provider.close(grace_seconds=1)
    assert not source.outcomes
    assert not source.held
    assert source.broken == []


@every_kind
async def test_closing_while_an_answer_is_awaited(kind: str) -> None:
    async with http_serving(HttpWorld(kind, {1: ["stall"]})) as world:
        provider, source = provider_for(world), CheckingSource([letter(1)])
        provider.start(source)
        while not world.heard[1]:
            await asyncio.sleep(0.01)
        await provider.close(grace_seconds=0.05)
    assert isinstance(source.outcomes[1], Unknown)
    assert source.broken == []


async def test_sendgrid_is_told_all_of_the_message() -> None:
    async with http_serving(HttpWorld("sendgrid")) as world:
        await run(provider_for(world), CheckingSource([letter(5)]))
    told = json.loads(world.bodies[5])
    assert told["personalizations"] == [
        {
            "to": [{"email": "reader5@reader.test", "name": "Jö"}],
            "custom_args": {"tidings_message_id": "1.5.2@example.com"},
        }
    ]
    assert told["from"] == {"email": "news@example.com", "name": "News"}
    assert told["subject"] == "Hello"
    assert told["content"][0]["value"].strip() == ".dot"
    assert told["headers"] == {
        "Message-ID": "<1.5.2@example.com>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Unsubscribe": "<https://t.example.com/u/abc>",
    }
