"""Whatever a server does to whichever messages, each is settled exactly once, with the outcome of its own reply."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripted_smtp import ESMTP, CheckingSource, Plan, World, byte_by_byte, job, run, serving
from tidings.delivery.providers import (
    Accepted,
    Deferred,
    Outcome,
    Rejected,
    Throttled,
    Unknown,
    Withdrawn,
    _smtp_pool,
    open_provider,
)

REFUSALS = [
    "450 4.2.0",
    "451 4.7.1 rate limit",
    "421 4.3.2",
    "550 5.1.1",
    "554 a|b|554 5.7.1",
    "550",
    "452",
    "554 5.6.0",
]
NONSENSE = ["close", "raw hello", "raw 334 x", "raw 25"]


def replies(good: str, share: int) -> st.SearchStrategy[str]:
    """`good` most of the time."""
    return st.sampled_from([good] * share + [f"{good} a|b|{good}"] + REFUSALS + NONSENSE)


PLANS = st.builds(
    Plan,
    mail=replies("250 2.1.0", 40),
    rcpt=replies("250 2.1.5", 20),
    data=replies("354", 40),
    dot=replies("250 2.0.0", 20),
    data_without_recipient=st.sampled_from(["554 5.5.1", "503", "354", "421 4.3.0", "close"]),
)


@pytest.fixture(autouse=True, scope="module")
def impatient() -> Iterator[None]:
    """Hundreds of reconnections: without the waits between them."""
    with (
        patch.object(_smtp_pool, "_LONGEST_WAIT_SECONDS", 0.001),
        patch.object(_smtp_pool, "_LONGEST_THROTTLE_SECONDS", 0.001),
    ):
        yield


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(
    plans=st.lists(PLANS, min_size=1, max_size=14),
    withdrawn=st.sets(st.integers(1, 14), max_size=3),
    pipelining=st.booleans(),
    drip=st.sampled_from([False, False, False, True]),
    connections=st.integers(1, 3),
    most=st.integers(1, 20),
)
def test_each_message_gets_the_outcome_of_its_own_reply(
    plans: list[Plan], withdrawn: set[int], pipelining: bool, drip: bool, connections: int, most: int
) -> None:
    world = World(
        dict(enumerate(plans, 1)),
        keywords=ESMTP if pipelining else ESMTP[1:],
        chop=byte_by_byte if drip else None,
    )
    source = CheckingSource([job(n) for n in world.plans], withdrawn=sorted(withdrawn))

    async def scenario() -> dict[int, Outcome]:
        async with serving(world):
            config = {
                "host": "127.0.0.1",
                "port": world.port,
                "tls": "none",
                "connections": connections,
                "messages_per_connection": most,
            }
            return await run(open_provider("smtp", config), source)

    outcomes = uvloop.run(scenario())
    texts = [n for n, _ in world.texts]
    for n, outcome in outcomes.items():
        check(n, world.plans[n], outcome, withdrawn=n in withdrawn)
        # Handed over once if its dot was reached, and never otherwise: what is in doubt is not sent again by itself.
        assert texts.count(n) == (reaches_the_dot(world.plans[n]) and n not in withdrawn)
    assert all(text == job(n).message for n, text in world.texts)


def reaches_the_dot(plan: Plan) -> bool:
    return all(reply.rpartition("|")[2].startswith(("250", "354")) for reply in (plan.mail, plan.rcpt, plan.data))


def check(n: int, plan: Plan, outcome: Outcome, *, withdrawn: bool) -> None:
    """By the plan alone, without looking at how the client works."""
    for stage in ("mail", "rcpt", "data", "dot"):
        if stage == "dot" and withdrawn:
            assert isinstance(outcome, Withdrawn)
            return
        reply = getattr(plan, stage)
        if reply == "close" or reply.startswith("raw"):
            assert isinstance(outcome, Unknown if stage == "dot" else Deferred), (plan, outcome)
            assert getattr(outcome, "code", 0) == 0
            return
        last = reply.rpartition("|")[2]
        if last[0] in "45":
            assert isinstance(outcome, Rejected | Deferred | Throttled), (plan, outcome)
            assert outcome.code == int(last[:3])
            assert outcome.reply.endswith(f" n={n} {stage}"), (plan, outcome)
            assert isinstance(outcome, Rejected) == (last[0] == "5" and not isinstance(outcome, Deferred))
            return
    assert isinstance(outcome, Accepted), (plan, outcome)
    assert outcome.reply.endswith(f" n={n} dot")
