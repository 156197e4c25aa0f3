"""Merging contacts in the middle of a send: one of them is mailed, once."""

import asyncio
from pathlib import Path

from delivery_world import world
from merge_world import execute, fetch, leave, merge
from tidings import delivery
from tidings.audience.merging import Side
from tidings.campaigns import CampaignStatus, pause, resume
from tidings.core.clock import utc_now
from tidings.core.db import Database


async def test_of_two_in_a_send_under_way_one_is_mailed(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, chunk_size=4) as here:
        here.server.delay_seconds = 0.02
        people = await here.contacts(*(f"p{i:02}@x.test" for i in range(60)))
        campaign = await here.campaign()
        await here.launch(campaign)
        while len(here.server.accepted) < 6:
            await asyncio.sleep(0.005)
        # Pairs of the ends: the first is sent or in a worker's hands, the second mostly still to come; and the other way round.
        pairs = [(people[i], people[59 - i]) for i in range(30)]
        after: list[set[str]] = []
        held: list[int] = []
        for position, (low, high) in enumerate(pairs):
            held += await fetch(here, _HELD, [low, high])
            await merge(here, *((low, high) if position % 2 else (high, low)))
            after.append(set(here.server.recipients))
        await here.until(campaign, CampaignStatus.SENT)
        await here.check_counters()
        mailed = here.server.recipients
        assert len(mailed) == len(set(mailed))
        states = await fetch(here, "SELECT contact_id, state FROM deliveries")
        assert {state for _, state in states} == {"delivered", "skipped"}
        assert len(states) == 60
        twice = 0
        for i in range(30):
            got = {f"p{i:02}@x.test", f"p{59 - i:02}@x.test"} & set(mailed)
            assert got, i
            # Both only if both had been mailed when they became one, or were on their way then.
            assert len(got) == 1 or got <= after[i] or held[i] == 2, (i, got)
            twice += len(got) == 2
        assert twice < 30


_HELD = """
SELECT count(*) FROM deliveries AS d
JOIN chunks AS c ON c.workspace_id = d.workspace_id AND c.send_id = d.send_id AND d.n BETWEEN c.first_n AND c.last_n
WHERE d.contact_id = ANY ($1::bigint[]) AND d.state = 'pending' AND c.state = 'leased'
"""
"""How many of these are in a worker's hands."""


async def test_paused_pairs_are_mailed_once_whoever_stays(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, chunk_size=4, working=False) as here:
        people = await here.contacts(*(f"p{i}@x.test" for i in range(8)))
        campaign = await here.campaign()
        await here.launch(campaign)
        async with db.transaction() as tx:
            await delivery.prepare_next(tx, chunk_size=4, now=utc_now())
        await here.act(pause, campaign)
        here.go_to_work()
        await merge(here, people[0], people[7])
        await merge(here, people[6], people[1])
        await merge(here, people[2], people[5], address=Side.FROM)
        # Someone who is not in the send at all takes over the one who is.
        (fresh,) = await here.contacts("fresh@x.test")
        await merge(here, fresh, people[3])
        await leave(here, people[5])  # an old link, in the middle of it
        await here.act(resume, campaign)
        await here.until(campaign, CampaignStatus.SENT)
        await here.check_counters()
        got = here.server.recipients
        assert len(got) == len(set(got))
        assert sorted(got) == ["fresh@x.test", "p0@x.test", "p4@x.test", "p6@x.test"]
        details = await fetch(here, "SELECT DISTINCT detail FROM deliveries WHERE state = 'skipped'")
        assert "merged" in details


async def test_who_was_mailed_already_is_not_mailed_as_the_other(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as here:
        ann, old = await here.contacts("ann@x.test", "old@x.test")
        await execute(
            here,
            """INSERT INTO sends (workspace_id, id, campaign_id, provider_id, status, list_ids, created_at)
               SELECT $1, i, 1, $2, 'running', '{}', now() FROM generate_series(901, 905) i""",
            here.workspace,
            here.provider,
        )
        cases = {901: ("pending", "sent"), 902: ("sent", "pending"), 903: ("deferred", "unknown"), 904: (None, "sent")}
        for send, states in cases.items():
            for n, (whom, state) in enumerate(zip((ann, old), states, strict=True), 1):
                if state:
                    await execute(
                        here,
                        """INSERT INTO deliveries (workspace_id, send_id, n, contact_id, state)
                           VALUES ($1, $2, $3, $4, $5::text::delivery_state)""",
                        here.workspace,
                        send,
                        n,
                        whom,
                        state,
                    )
        await merge(here, ann, old)
        rows = await fetch(here, "SELECT send_id, state FROM deliveries WHERE contact_id = $1 ORDER BY 1", ann)
        assert rows == [(901, "sent"), (902, "sent"), (903, "unknown"), (904, "sent")]
        rows = await fetch(here, "SELECT send_id, state FROM deliveries WHERE contact_id = $1 ORDER BY 1", old)
        assert rows == [(901, "pending"), (902, "pending"), (903, "deferred")]
