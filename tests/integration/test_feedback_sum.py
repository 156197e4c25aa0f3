"""Random reports in random order, some of them again, against a model that looks at each delivery by itself."""

import asyncio
import random
from datetime import timedelta

import pytest
from tests.feedback_world import NOW, Sent, sent

from tidings.core.db import Database
from tidings.delivery import DeliveryState, Feedback
from tidings.delivery.providers import FailureClass, Happening

_RECIPIENTS = 120


def _model(before: str, attempts: int, told: set[str]) -> str:
    """The state in words: whatever order they came in, the gravest that was told; what we believed only holds until then."""
    if "bounced" in told or before == "bounced":
        final = "bounced"
    elif "failed" in told:
        final = "failed"
    elif "delivered" in told:
        final = "delivered"
    else:
        return before
    return before if before in {"skipped", "cancelled"} and attempts == 0 else final


def _told(report: Feedback) -> str | None:
    if report.happening is Happening.BOUNCED:
        return "failed" if report.bounce in {FailureClass.BLOCK, FailureClass.POLICY} else "bounced"
    return {Happening.DELIVERED: "delivered", Happening.REJECTED: "failed"}.get(report.happening)


@pytest.mark.parametrize("seed", range(4))
async def test_the_sum_holds_at_every_moment(db: Database, workspace: int, seed: int) -> None:
    rng = random.Random(seed)
    before = [rng.choice([*DeliveryState, "sent", "sent", "sent"]) for _ in range(_RECIPIENTS)]
    attempts = {n: rng.choice([0, 1, 2]) if s in {"skipped", "cancelled"} else 1 for n, s in enumerate(before, 1)}
    here = await sent(db, workspace, before, attempts=attempts)
    told: dict[int, set[str]] = {n: set() for n in range(1, _RECIPIENTS + 1)}
    reports: list[Feedback] = []
    for number in range(6 * _RECIPIENTS):
        n, happening = rng.randint(1, _RECIPIENTS), rng.choice([*Happening, Happening.DELIVERED, Happening.BOUNCED])
        bounce = rng.choice([*FailureClass, None]) if happening is Happening.BOUNCED else None
        at = NOW - timedelta(seconds=rng.randint(0, 9999))
        reports.append(here.report(n, happening, bounce, event_id=str(number), at=at))
    # Providers repeat themselves: a quarter comes twice, and nothing comes in order.
    reports += rng.sample(reports, len(reports) // 4)
    rng.shuffle(reports)
    while reports:
        batches = [reports[:size] for size in (rng.randint(1, 90), rng.randint(1, 90))]
        batches[1] = reports[len(batches[0]) : len(batches[0]) + len(batches[1])]
        del reports[: sum(map(len, batches))]
        # Two processes at once, as on two hosts.
        await asyncio.gather(*(here.apply(*batch) for batch in batches))
        for report in (report for batch in batches for report in batch):
            assert report.n is not None
            if (state := _told(report)) is not None:
                told[report.n].add(state)
        await here.counts()
        assert await here.states() == [_model(s, attempts[n], told[n]) for n, s in enumerate(before, 1)]
    await _facts_are_exact(here, before, attempts, told)


async def _facts_are_exact(here: Sent, before: list[str], attempts: dict[int, int], told: dict[int, set[str]]) -> None:
    """Each delivery that went to bounced is one fact, and rollups count facts."""
    facts = await here.events("bounced")
    wanted = [n for n, s in enumerate(before, 1) if s != "bounced" and _model(s, attempts[n], told[n]) == "bounced"]
    assert sorted(fact["n"] for fact in facts) == wanted
    rollups = await here.fetch(
        "SELECT type, sum(total)::int, sum(uniques)::int FROM rollups WHERE workspace_id = $1 GROUP BY 1"
    )
    events = await here.fetch(
        "SELECT type, count(*)::int FROM events WHERE workspace_id = $1 AND send_id IS NOT NULL GROUP BY 1"
    )
    assert {row[0]: row[1] for row in rollups} == {row[0]: row[1] for row in events}
    complained = await here.fetch("SELECT n FROM events WHERE workspace_id = $1 AND type = 'complained'")
    assert len(complained) == len({row["n"] for row in complained})
