"""Deliveries that were handed over, for what comes back: a send with contacts in whatever states a test wants."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tidings import delivery
from tidings.core.db import Database
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery import DeliveryState, Feedback
from tidings.delivery.providers import FailureClass, Happening

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass
class Sent:
    """A send; contact of n is `contacts[n - 1]`, at `reader{n}@example.com`."""

    db: Database
    workspace: WorkspaceId
    send: SendId
    contacts: list[int]
    provider: int = 0

    async def apply(self, *reports: Feedback, now: datetime = NOW) -> delivery.FeedbackCounts:
        """In a transaction of its own."""
        async with self.db.transaction() as tx:
            return await delivery.apply_feedback(tx, workspace=self.workspace, reports=reports, now=now)

    def report(self, n: int, happening: Happening, bounce: FailureClass | None = None, /, **more: Any) -> Feedback:
        """About the delivery `n`."""
        values: dict[str, Any] = {
            "happening": happening,
            "bounce": bounce,
            "at": NOW,
            "address": f"reader{n}@example.com",
            "send": self.send,
            "n": n,
            "message_id": "",
            "event_id": f"{n}:{happening}:{bounce}",
            "source": "ses",
            "raw": {"n": n},
        }
        return Feedback(**(values | more))

    async def rows(self) -> dict[int, Any]:
        """Deliveries by n."""
        async with self.db.connection() as connection:
            rows = await connection.fetch(
                "SELECT *, state::text AS state FROM deliveries WHERE workspace_id = $1 AND send_id = $2",
                self.workspace,
                self.send,
            )
        return {row["n"]: row for row in rows}

    async def states(self) -> list[str]:
        """In the order of n."""
        return [row["state"] for _, row in sorted((await self.rows()).items())]

    async def counts(self) -> delivery.SendCounts:
        """What the counters say; they must add up, and say what the deliveries say."""
        async with self.db.connection() as connection:
            counts = (await delivery.send_counts(connection, workspace=self.workspace, sends=[self.send]))[self.send]
        seen = Counter(await self.states())
        assert {state: getattr(counts, state) for state in DeliveryState if getattr(counts, state)} == dict(seen)
        assert sum(seen.values()) == counts.recipients
        return counts

    async def statuses(self) -> dict[int, str]:
        """Of contacts, by n."""
        return {
            self.contacts.index(row["id"]) + 1: row["status"]
            for row in await self.fetch("SELECT id, status::text AS status FROM contacts WHERE workspace_id = $1")
        }

    async def events(self, kind: str = "") -> list[Any]:
        """What was recorded."""
        return await self.fetch(
            f"SELECT * FROM events WHERE workspace_id = $1 AND type LIKE '{kind or '%'}' ORDER BY at, id"  # noqa: S608
        )

    async def fetch(self, query: str, *more: Any) -> list[Any]:
        """A query whose $1 is the workspace."""
        async with self.db.connection() as connection:
            return await connection.fetch(query, self.workspace, *more)


async def sent(
    db: Database, workspace: int, states: Sequence[str], *, attempts: Mapping[int, int] | None = None, kind: str = "ses"
) -> Sent:
    """A send whose deliveries are in these states; `attempts` by n, else one each (none for the pending)."""
    async with db.transaction() as tx:
        provider = await tx.fetchval(
            """INSERT INTO providers (workspace_id, name, kind, config, is_default, created_at, updated_at)
               VALUES ($1, 'p' || random(), $2, '{}', false, now(), now()) RETURNING id""",
            workspace,
            kind,
        )
        send = await tx.fetchval(
            """INSERT INTO sends (workspace_id, campaign_id, provider_id, status, list_ids, recipients, created_at)
               VALUES ($1, 1, $2, 'running', '{}', $3, now()) RETURNING id""",
            workspace,
            provider,
            len(states),
        )
        rows = await tx.fetch(
            """INSERT INTO contacts (workspace_id, email, address_hash, created_at, updated_at)
               SELECT $1, 'reader' || i || '@example.com', decode(md5(i::text), 'hex'), now(), now()
               FROM generate_series(1, $2::integer) AS i
               ON CONFLICT (workspace_id, email) DO UPDATE SET updated_at = now() RETURNING id""",
            workspace,
            len(states),
        )
        contacts = sorted(row["id"] for row in rows)
        await tx.executemany(
            """INSERT INTO deliveries (workspace_id, send_id, n, contact_id, state, at, attempts, unknowns)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
            [
                (workspace, send, n, contacts[n - 1], state, NOW, tried, 1 if state == "unknown" else 0)
                for n, state in enumerate(states, 1)
                for tried in [(attempts or {}).get(n, 0 if state == "pending" else 1)]
            ],
        )
        counted = Counter(states)
        await tx.execute(
            f"""INSERT INTO send_counters (workspace_id, send_id, writer, {", ".join(counted)})
                VALUES ($1, $2, 0, {", ".join(map(str, counted.values()))})""",  # noqa: S608
            workspace,
            send,
        )
    return Sent(db, WorkspaceId(workspace), SendId(send), contacts, provider)
