"""Settings of providers: a wrong one is refused with the name of its field; and what the sandbox answers."""

import asyncio
from typing import Any

import pytest

from scripted_smtp import CheckingSource, job, run
from tidings.core.errors import Invalid
from tidings.delivery.providers import (
    KINDS,
    Accepted,
    Deferred,
    Fault,
    Rejected,
    Withdrawn,
    check_config,
    open_provider,
)
from tidings.delivery.providers._smtp_config import SmtpConfig

GOOD = {"host": "smtp.example.com", "port": 587, "tls": "starttls", "username": "me"}
SECRET = {"password": "hidden"}


def field_of(kind: str, config: dict[str, Any], secret: dict[str, Any] | None = None) -> str:
    with pytest.raises(Invalid) as caught:
        check_config(kind, config, secret)
    with pytest.raises(Invalid):
        open_provider(kind, config, secret)
    assert caught.value.fields
    assert caught.value.fields[0].message
    return caught.value.fields[0].field


def test_good_settings() -> None:
    check_config("smtp", GOOD, SECRET)
    check_config("smtp", {"host": "127.0.0.1", "port": 2525, "tls": "none"})
    check_config("smtp", {"host": "::1", "tls": "tls", "port": 465, "rate_per_second": 14.5, "connections": 50})
    check_config("smtp", {**GOOD, "helo": "[192.0.2.1]", "verify": False, "timeouts": {"dot": 900}}, SECRET)
    check_config("sandbox", {"reject_rate": 0.1, "defer_rate": 0.9})
    assert KINDS == ("smtp", "ses", "sendgrid", "mailgun", "sandbox")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"host": "https://smtp.example.com"}, "host"),
        ({"host": "smtp.example.com:587"}, "host"),
        ({"host": "1.2.3"}, "host"),
        ({"host": ""}, "host"),
        ({"host": 5}, "host"),
        ({"host": None}, "host"),
        ({"port": 0}, "port"),
        ({"port": "587"}, "port"),
        ({"port": True}, "port"),
        ({"tls": "ssl"}, "tls"),
        ({"tls": "none"}, "tls"),  # the password would travel in clear
        ({"starttls": "maybe"}, "starttls"),
        ({"connections": 0}, "connections"),
        ({"messages_per_connection": 1.5}, "messages_per_connection"),
        ({"rate_per_second": 0}, "rate_per_second"),
        ({"rate_per_second": "fast"}, "rate_per_second"),
        ({"verify": "no"}, "verify"),
        ({"helo": "not a name"}, "helo"),
        ({"username": ""}, "username"),
        ({"username": "a\0b"}, "username"),
        ({"ca_certificates": "not PEM"}, "ca_certificates"),
        ({"ca_certificates": 1}, "ca_certificates"),
        ({"timeouts": {"dot": -1}}, "timeouts.dot"),
        ({"timeouts": {"nap": 1}}, "timeouts.nap"),
        ({"timeouts": 5}, "timeouts"),
        ({"password": "shown"}, "password"),
        ({"hostname": "x"}, "hostname"),
    ],
)
def test_a_wrong_setting_names_its_field(change: dict[str, Any], field: str) -> None:
    assert field_of("smtp", GOOD | change, SECRET) == field


def test_secrets() -> None:
    assert field_of("smtp", GOOD, {}) == "password"
    assert field_of("smtp", GOOD, {"token": "x"}) == "token"
    assert field_of("smtp", {"port": 25}, {}) == "host"
    assert "hidden" not in repr(SmtpConfig.parse(GOOD, SECRET))


def test_a_password_in_clear_only_to_this_machine_or_on_request() -> None:
    check_config("smtp", {"host": "localhost", "tls": "none", "username": "me"}, SECRET)
    check_config("smtp", GOOD | {"tls": "none", "allow_plaintext_auth": True}, SECRET)


def test_unknown_kinds_and_sandbox_settings() -> None:
    assert field_of("pigeon", {}) == "kind"
    assert field_of("sandbox", {"reject_rate": 2}) == "reject_rate"
    assert field_of("sandbox", {"reject_rate": 0.6, "defer_rate": 0.6}) == "defer_rate"
    assert field_of("sandbox", {"host": "x"}) == "host"
    assert field_of("sandbox", {"rate_per_second": -1}) == "rate_per_second"
    assert field_of("sandbox", {}, {"password": "x"}) == "password"


async def test_the_sandbox_refuses_the_share_asked_for_and_the_same_ones_each_time() -> None:
    numbers = range(1, 2001)
    runs = []
    for _ in range(2):
        provider = open_provider("sandbox", {"reject_rate": 0.1, "defer_rate": 0.2})
        outcomes = await run(provider, CheckingSource([job(n) for n in numbers], withdrawn=(5,)))
        runs.append({n: type(outcome) for n, outcome in outcomes.items()})
        assert isinstance(outcomes[5], Withdrawn)
        assert all(outcome.fault is Fault.RECIPIENT for outcome in outcomes.values() if isinstance(outcome, Rejected))
    assert runs[0] == runs[1]
    kinds = list(runs[0].values())
    assert 150 < kinds.count(Rejected) < 250
    assert 330 < kinds.count(Deferred) < 470


async def test_the_sandbox_accepts_the_second_attempt_and_more_after_waking() -> None:
    provider = open_provider("sandbox", {"defer_rate": 1.0})
    source = CheckingSource([job(1)])
    provider.start(source)
    await asyncio.wait_for(source.done.wait(), 5)
    assert isinstance(source.outcomes.pop(1), Deferred)
    source.done.clear()
    source.queue.append(job(1))
    provider.wake()
    await asyncio.wait_for(source.done.wait(), 5)
    assert isinstance(source.outcomes[1], Accepted)
    await provider.close(grace_seconds=0)
    source.queue.append(job(1))
    provider.wake()
    await asyncio.sleep(0.01)
    assert source.queue
