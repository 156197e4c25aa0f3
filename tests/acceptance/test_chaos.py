"""Three providers that fail, throttle, stall and lie at random while workers are killed: nobody lost, and the sum holds.

One speaks SMTP, one as Amazon SES, one as Mailgun; the last two tell later what became of their messages, late, twice, in any
order, or never, to edges that are killed as well. Meanwhile people leave, and who was told so gets nothing any more.
"""

import asyncio
import contextlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chaos_world import ChaoticProvider, Leavers, SesEdge, chaotic_providers
from running_system import RunningSystem, running_system
from tidings import accounts, delivery
from tidings.accounts import SYSTEM
from tidings.bench._campaign import prepare
from tidings.core.clock import utc_now
from tidings.core.ids import CampaignId, ProviderId, WorkspaceId, public_id
from tidings.delivery import RouteMember, Strategy

STATES = ("pending", "sent", "delivered", "deferred", "bounced", "failed", "skipped", "unknown", "cancelled")
KINDS = ("smtp", "ses", "mailgun")
CONNECTIONS = 6
NAMES = {"gone": 97, "dead": 89, "angry": 83}
"""One recipient in so many: unknown to all providers at once; found to be unknown later; who complains."""


@pytest.fixture
def providers(tmp_path: Path) -> Iterator[list[ChaoticProvider]]:
    """One of each kind."""
    with chaotic_providers(tmp_path, KINDS) as found:
        yield found


async def test_chaos(tmp_path: Path, providers: list[ChaoticProvider]) -> None:
    await _survives(tmp_path, providers, recipients=3_000, kills=4, leavers=60, pace=200, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2))
async def test_chaos_among_a_hundred_thousand(tmp_path: Path, providers: list[ChaoticProvider], seed: int) -> None:
    await _survives(tmp_path, providers, recipients=100_000, kills=20, leavers=600, pace=1500, seed=seed)


async def _survives(
    folder: Path, providers: list[ChaoticProvider], *, recipients: int, kills: int, leavers: int, pace: int, seed: int
) -> None:
    data, dice = folder / "data", random.Random(seed)
    data.mkdir()
    async with running_system(data, TIDINGS_CHUNK_SIZE="300") as system:
        edge = SesEdge(system, folder / "edge")
        edge.start()
        try:
            workspace, campaign, key = await _campaign(system, providers, edge, recipients, pace)
            path = f"{system.api}/campaigns/{public_id('campaign', campaign)}"
            async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:
                async with session.post(path + "/send") as response:
                    assert response.status == 200, await response.text()
                watching = asyncio.ensure_future(_watch(session, path, recipients))
                seconds = recipients / pace / 2
                leaving = await Leavers.of(system, workspace=workspace, many=leavers, seconds=seconds, dice=dice)
                parting = asyncio.ensure_future(leaving.leave())
                await _hurt(system, edge, kills, providers, recipients, dice)
                await asyncio.wait_for(parting, 240)
                rows = await _end(system, workspace, providers, edge)
                looks = await _stopped(watching)
            async with system.database() as db, db.connection() as connection:
                standing = {
                    row["email"]: (row["status"], row["suppressed"]) for row in await connection.fetch(_STANDING)
                }
        finally:
            edge.stop()
    assert looks >= 5
    of = {row["email"]: row for row in rows}
    assert len(of) == recipients
    taken, by = _taken(providers)
    _judge_deliveries(of, taken, by, recipients)
    _judge_notices(of, taken, providers)
    _judge_people(of, by, leaving, standing, providers)
    told = Counter(one[1] for provider in providers for one in provider.lines("-told"))
    twice = sum(len(ids) > 1 for ids in taken.values())
    print(
        f"{recipients:,} recipients, {kills} kills, {len(leaving.gone)} left, {looks} looks:",
        f"{dict(Counter(row['state'] for row in rows))}, {twice} twice, {sum(bool(row['unknowns']) for row in rows)} once unknown;",
        f"taken by {dict(Counter(kind for times in by.values() for kind, *_ in times))}, told {dict(told)}",
    )


_STANDING = """
SELECT c.email, c.status::text AS status, s.reason::text AS suppressed FROM contacts AS c
LEFT JOIN suppressions AS s ON s.workspace_id = c.workspace_id AND s.address_hash = c.address_hash
"""

_Taken = dict[str, list[str]]
_By = dict[str, list[tuple[str, str, float]]]


def _taken(providers: list[ChaoticProvider]) -> tuple[_Taken, _By]:
    """By recipient: the Message-IDs that were taken, and by whom, how and when."""
    taken: defaultdict[str, list[str]] = defaultdict(list)
    by: defaultdict[str, list[tuple[str, str, float]]] = defaultdict(list)
    for provider in providers:
        for recipient, message_id, fate, at in provider.lines():
            taken[recipient].append(message_id)
            by[recipient].append((provider.kind, fate, float(at)))
    return taken, by


def _judge_deliveries(of: dict[str, dict[str, Any]], taken: _Taken, by: _By, recipients: int) -> None:
    """Whoever counts as reached was; whoever was not reached does not count as reached, and is no more than a few."""
    states = Counter(row["state"] for row in of.values())
    assert set(states) <= {"sent", "delivered", "bounced", "failed", "skipped", "unknown"}, states
    assert {email for email, row in of.items() if row["state"] in {"sent", "delivered"}} <= set(taken)
    refused = {email for email, row in of.items() if row["state"] == "failed" and email not in taken}
    assert len(refused) <= recipients * 0.02 + recipients / NAMES["gone"], refused
    twice = {email for email, ids in taken.items() if len(ids) > 1}
    flagged = {email for email, row in of.items() if row["possible_duplicate"] or row["unknowns"]}
    assert all(len(set(ids)) == 1 for ids in taken.values()), "a second copy has another Message-ID"
    unseen = [(email, of[email], by[email]) for email in sorted(twice - flagged)[:5]]
    assert not unseen, f"twice, and nobody knows: {unseen}"
    assert {email for email, row in of.items() if row["state"] == "bounced"} <= {
        email for email in of if email.startswith(("gone", "dead"))
    }


def _judge_notices(of: dict[str, dict[str, Any]], taken: _Taken, providers: list[ChaoticProvider]) -> None:
    """What was told is what became of them: the gravest of it, in whatever order it came."""
    told: defaultdict[str, set[str]] = defaultdict(set)
    for provider in providers:
        for recipient, what in provider.lines("-told"):
            told[recipient].add(what)
    through_smtp = {line[0] for provider in providers if provider.kind == "smtp" for line in provider.lines()}
    wrong: list[tuple[str, str, set[str], dict[str, Any]]] = []
    for email, row in of.items():
        if email not in taken or email in through_smtp:
            continue
        words = told[email]
        wanted = (
            {"bounced"} if "bounced" in words
            else {"failed"} if "blocked" in words
            else {"delivered"} if "delivered" in words
            # Of these nothing was heard but the answer, and that not always.
            else {"sent", "failed", "unknown", "skipped"} if row["unknowns"] or row["possible_duplicate"]
            else {"sent"}
        )  # fmt: skip
        if row["state"] not in wanted:
            wrong.append((email, row["state"], words, row))
    assert not wrong, (len(wrong), wrong[:5])


def _judge_people(
    of: dict[str, dict[str, Any]],
    by: _By,
    leaving: Leavers,
    standing: dict[str, tuple[str, str | None]],
    providers: list[ChaoticProvider],
) -> None:
    """Nobody is suppressed but who is dead, complained or left; and who left got nothing after having been told so."""
    suppressed = {email for email, (_, reason) in standing.items() if reason is not None}
    may = {email for email in of if email.startswith(("gone", "dead", "angry"))} | set(leaving.gone)
    assert suppressed <= may, f"suppressed for what was no fault of theirs: {sorted(suppressed - may)[:5]}"
    told = {(one[0], one[1]) for provider in providers for one in provider.lines("-told")}
    bounced = {email for email, what in told if what == "bounced"}
    complained = {email for email, what in told if what == "complained"}
    assert bounced | complained | set(leaving.gone) <= suppressed
    assert {standing[email][0] for email in complained} == {"complained"}
    late = {
        email: (at, by[email])
        for email, at in leaving.gone.items()
        if any(taken > at for *_, taken in by.get(email, ()))
    }
    assert not late, f"mailed after they left: {late}"
    assert sum(of[email]["state"] == "skipped" for email in leaving.gone) > 0, "nobody left in time: nothing was tried"


async def _campaign(
    system: RunningSystem, providers: list[ChaoticProvider], edge: SesEdge, recipients: int, pace: int
) -> tuple[WorkspaceId, CampaignId, str]:
    limits: dict[str, Any] = {"connections": CONNECTIONS, "rate_per_second": pace, "retry_first_seconds": 1.0}
    async with system.database() as db:
        workspace, campaign = await prepare(
            db, system.keys, recipients=recipients, size="5kb", provider=providers[0].config | limits
        )
        by, now = SYSTEM(workspace), utc_now()
        async with db.transaction() as tx:
            for name, one_in in NAMES.items():
                await tx.execute(
                    """UPDATE contacts SET email = $3 || id || '@example.com'
                       WHERE workspace_id = $1 AND id % $2 = 0 AND email LIKE 'reader%'""",
                    workspace,
                    one_in,
                    name,
                )
            await tx.execute(
                "UPDATE workspaces SET pause_failed_percent = 0, pause_bounced_percent = 0, pause_complained_percent = 0"
            )
            ids = [await tx.fetchval("SELECT id FROM providers WHERE workspace_id = $1", workspace)]
            for number, provider in enumerate(providers[1:], 1):
                made = await delivery.add_provider(
                    tx,
                    workspace=workspace,
                    name=f"provider {number}",
                    kind=provider.kind,
                    config=provider.config | limits,
                    secret=provider.secret,
                    is_default=False,
                    keys=system.keys,
                    by=by,
                    now=now,
                )
                ids.append(made.id)
                tail = "/n/" + delivery.NotificationTokens(system.keys).make(workspace, made.id)
                port = edge.port if provider.kind == "ses" else int(system.environment["TIDINGS_EDGE_PORT"])
                provider.notify(f"http://127.0.0.1:{port}{tail}", edge.key if provider.kind == "ses" else "")
            route = await delivery.add_route(
                tx,
                workspace=workspace,
                name="all three",
                strategy=Strategy.ROUND_ROBIN,
                members=[RouteMember(ProviderId(id_), 1, 1) for id_ in ids],
                is_default=True,
                by=by,
                now=now,
            )
            await tx.execute("UPDATE campaigns SET provider_id = NULL, route_id = $1", route.id)
            key = await accounts.create_api_key(tx, workspace=workspace, name="test", scopes=["*"], now=now)
    return workspace, campaign, key


async def _watch(session: aiohttp.ClientSession, path: str, recipients: int) -> int:
    """Look at the report all the time: whenever it answers, it adds up. Returns how often, when cancelled."""
    looks = 0
    try:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(path + "/analytics") as response:
                    if response.status == 200:
                        counts = (await response.json())["counts"]
                        if counts["total_recipients"]:
                            parts = [counts[f"{name}_count"] for name in STATES if name != "sent"]
                            total = sum(parts) + counts["awaiting_count"]
                            assert total == counts["total_recipients"] == recipients, counts
                            looks += 1
            await asyncio.sleep(0.2)
    except asyncio.CancelledError:
        return looks


async def _stopped(watching: "asyncio.Task[int]") -> int:
    watching.cancel()
    return await watching


async def _hurt(
    system: RunningSystem,
    edge: SesEdge,
    kills: int,
    providers: list[ChaoticProvider],
    recipients: int,
    dice: random.Random,
) -> None:
    """Kill something, whenever another part of the messages has been taken."""
    victims = ["send", "postgres", "edge", "conduct"] * kills
    for number in range(kills):
        goal = recipients * (number + dice.random()) / (kills + 1)
        async with asyncio.timeout(240):
            while sum(provider.count() for provider in providers) < goal:
                edge.keep()
                await asyncio.sleep(0.01)
        async with asyncio.timeout(30):
            while not system.kill(victims[number]):
                await asyncio.sleep(0.01)
        if victims[number] == "edge":
            edge.kill()


async def _end(
    system: RunningSystem, workspace: int, providers: list[ChaoticProvider], edge: SesEdge
) -> list[dict[str, Any]]:
    """Wait until nothing is left to do, retries included; then every delivery, and the counters say the same."""
    async with asyncio.timeout(400):
        while True:
            with contextlib.suppress(OSError):
                async with system.database() as db, db.connection() as connection:
                    # In the order in which a report goes: told, on an edge's disk, in the inbox, applied.
                    owed, told = (sum(one.count(of) for one in providers) for of in ("-owed", "-told"))
                    spools = [
                        file for where in (system.data_dir, edge.folder) for file in where.glob("spool-*/*.spool")
                    ]
                    on_disk = sum(file.stat().st_size for file in spools)
                    busy = await connection.fetchval(
                        """
                        SELECT (SELECT count(*) FROM retries) + (SELECT count(*) FROM chunks WHERE state <> 'done')
                            + (SELECT count(*) FROM notification_inbox)
                            + (SELECT count(*) FROM campaigns WHERE status <> 'sent')
                        """
                    )
                    # No less was kept; what nobody heard acknowledged is kept twice.
                    kept = await connection.fetchval("SELECT count(*) FROM feedback")
                    if busy == on_disk == 0 and owed == told <= kept:
                        break
                    await connection.execute(  # minutes of waiting, gone by at once
                        "UPDATE retries SET due_at = now() WHERE due_at BETWEEN now() AND now() + interval '1 day'"
                    )
            edge.keep()
            await asyncio.sleep(0.5)
    # Of one moment: what was kept twice may be told of others that lie on an edge's disk still, and are applied in between.
    async with (
        system.database() as db,
        db.connection() as connection,
        connection.transaction(isolation="repeatable_read"),
    ):
        rows = await connection.fetch(
            """
            SELECT c.email, d.state::text AS state, d.possible_duplicate, d.unknowns, d.detail FROM deliveries AS d
            JOIN contacts AS c ON c.workspace_id = d.workspace_id AND c.id = d.contact_id WHERE d.workspace_id = $1
            """,
            workspace,
        )
        sums = await connection.fetchrow(
            f"SELECT {', '.join(f'sum({name})::int AS {name}' for name in STATES)} FROM send_counters WHERE workspace_id = $1",  # noqa: S608
            workspace,
        )
    assert sums is not None
    assert +Counter({name: sums[name] for name in STATES}) == Counter(row["state"] for row in rows)
    return [dict(row) for row in rows]
