"""Who runs the mailboxes of the domains that no table knows by name: by their MX records, looked up in the background.

Conductors gather domains from contacts and ask the DNS; workers read what is known, and never wait for the DNS.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta

from tidings.core.clock import steady
from tidings.core.db import Database, Tx, sql
from tidings.delivery.domains import Resolver, Unanswered
from tidings.delivery.limits._mailbox_providers import by_domain, by_mx

_CONTACTS_AT_ONCE = 20_000
_RESTS = timedelta(hours=1)  # between two rounds through all contacts
_LOOKUPS_AT_ONCE = 200
_SIDE_BY_SIDE = 20
_CLAIMED = timedelta(minutes=5)  # a conductor that dies with look-ups leaves them to others after this
_KNOWN = timedelta(days=14)
_NOBODYS = timedelta(days=3)
_UNANSWERED, _LONGEST_UNANSWERED = timedelta(minutes=10), timedelta(days=1)
_LONGEST_DOMAIN = 253
_MANY = 100_000
_BELIEVED_SECONDS = 600.0

_NOTE = """
INSERT INTO recipient_domains (domain, due_at) SELECT domain, $2 FROM unnest($1::text[]) AS d (domain) ORDER BY domain
ON CONFLICT DO NOTHING
"""
_CLAIM = """
UPDATE recipient_domains AS d SET due_at = $1::timestamptz + $3::interval
FROM (SELECT domain FROM recipient_domains WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due
WHERE d.domain = due.domain RETURNING d.domain
"""
_ANSWERED = """
UPDATE recipient_domains AS d
SET mailbox_provider = a.name, failures = 0, due_at = $3::timestamptz + CASE a.name WHEN '' THEN $5::interval ELSE $4::interval END
FROM unnest($1::text[], $2::text[]) AS a (domain, name) WHERE d.domain = a.domain
"""
_FAILED = """
UPDATE recipient_domains
SET failures = least(failures + 1, 20), due_at = $2::timestamptz + least($3::interval * power(2, least(failures, 20)), $4::interval)
WHERE domain = ANY ($1::text[])
"""


class MailboxProviders:
    """What a worker knows of who runs which domain. `of` is cheap and knows the tables' names, and what was learned."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[str, str] = {}
        self._until = steady() + _BELIEVED_SECONDS
        self.version = 0
        """Another whenever answers may be others than before."""

    def of(self, domain: str) -> str:
        """The mailbox provider; '' if none is known."""
        return by_domain(domain) or self._known.get(domain, "")

    async def learn(self, domains: Iterable[str]) -> None:
        """Read what is known of these, and have the others looked up. One query, or none."""
        if steady() > self._until or len(self._known) > _MANY:
            self._known, self._until = {}, steady() + _BELIEVED_SECONDS
            self.version += 1
        unknown = [one for one in set(domains) if one not in self._known and not by_domain(one)]
        if not unknown:
            return
        async with self._db.connection() as connection:
            rows = await connection.fetch(
                "SELECT domain, mailbox_provider FROM recipient_domains WHERE domain = ANY ($1::text[])", unknown
            )
        found: dict[str, str] = {row["domain"]: row["mailbox_provider"] for row in rows}
        self._known |= {one: found.get(one, "") for one in unknown}
        if any(found.values()):
            self.version += 1


async def collect_domains(tx: Tx, *, now: datetime) -> bool:
    """Note the domains of the next contacts, to be looked up. False: nothing is to be done for now."""
    at = await tx.fetchrow(
        "SELECT workspace_id, contact_id FROM recipient_domain_walks WHERE rests_until <= $1 FOR UPDATE SKIP LOCKED",
        now,
    )
    if at is None:
        return False
    row = await tx.fetchrow(
        sql(__package__, "_collect_domains"), at["workspace_id"], at["contact_id"], _CONTACTS_AT_ONCE
    )
    if row is None:
        await tx.execute(
            "UPDATE recipient_domain_walks SET workspace_id = 0, contact_id = 0, rests_until = $1", now + _RESTS
        )
        return False
    await tx.execute(
        "UPDATE recipient_domain_walks SET workspace_id = $1, contact_id = $2", row["workspace_id"], row["id"]
    )
    domains = [one for one in row["domains"] if len(one) <= _LONGEST_DOMAIN and not by_domain(one)]
    await tx.execute(_NOTE, domains, now)
    return True


async def look_up_domains(db: Database, resolver: Resolver, *, now: datetime) -> bool:
    """Ask the DNS for the MX records of domains that are due. True: there may be more, and the DNS answers."""
    async with db.transaction() as tx:
        rows = await tx.fetch(_CLAIM, now, _LOOKUPS_AT_ONCE, _CLAIMED)
    if not rows:
        return False
    places = asyncio.Semaphore(_SIDE_BY_SIDE)
    answers = await asyncio.gather(*(_ask(resolver, row["domain"], places) for row in rows))
    told = {row["domain"]: answer for row, answer in zip(rows, answers, strict=True) if answer is not None}
    silent = [row["domain"] for row in rows if row["domain"] not in told]
    async with db.transaction() as tx:
        await tx.execute(_ANSWERED, list(told), list(told.values()), now, _KNOWN, _NOBODYS)
        await tx.execute(_FAILED, silent, now, _UNANSWERED, _LONGEST_UNANSWERED)
    return len(rows) == _LOOKUPS_AT_ONCE and len(told) > len(silent)


async def _ask(resolver: Resolver, domain: str, places: asyncio.Semaphore) -> str | None:
    """The mailbox provider, '' for nobody in the table, None without an answer."""
    async with places:
        try:
            return by_mx(await resolver.lookup(domain, "MX")) or ""
        except Unanswered:
            return None
