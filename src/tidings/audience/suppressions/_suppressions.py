"""The suppression list: addresses that are never to be mailed, anywhere or through one list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg

from tidings.accounts import Principal, audit, audit_each
from tidings.audience.addresses import address_hash, address_key, normalise_email, normalise_suppressed
from tidings.audience.leaving import announce_withdrawn
from tidings.audience.states import SuppressionReason
from tidings.core.crypto import Keyring
from tidings.core.db import Tx, sql
from tidings.core.errors import FieldProblem, Invalid, NotFound
from tidings.core.ids import ContactId, ListId, WorkspaceId, public_id
from tidings.events import Event, EventType, record

_LOCK_LIST = "SELECT true FROM lists WHERE workspace_id = $1 AND id = $2 FOR UPDATE"

# Each is asked for as the next address, which one index alone can answer: the statistics of a workspace that is just being
# filled say that it has one contact, and to read all of them for each address would seem cheap.
_LOCK_PEOPLE = """
SELECT id, email FROM contacts
WHERE workspace_id = $1 AND email = ANY ($2::text[]) AND id = ANY (ARRAY(
    SELECT c.id
    FROM unnest($2::text[]) AS t (email)
    CROSS JOIN LATERAL (
        SELECT id, email FROM contacts WHERE workspace_id = $1 AND email >= t.email ORDER BY email LIMIT 1
    ) AS c
    WHERE c.email = t.email))
ORDER BY id FOR NO KEY UPDATE
"""

# Read in the index of search. Of a domain that most have these are many; each is told to the workers.
_PEOPLE_OF_DOMAINS = """
SELECT c.id
FROM unnest($2::text[]) AS t (address)
CROSS JOIN LATERAL (
    SELECT id FROM contacts WHERE workspace_id = $1 AND email LIKE '%' || t.address AND status = 'active'
) AS c
"""

_Ids: TypeAlias = list[ContactId]  # `list` is a parameter below

_HIGHEST = 2**63 - 1
_ONE_BY_ONE = 0


class SuppressionNotFound(NotFound):
    """There is no such suppression in this workspace."""

    code = "suppression_not_found"


class ConsentRequired(Invalid):
    """The person left or complained by themselves: only their consent lifts it (GDPR art. 7, 21(3); CAN-SPAM § 5(a)(4))."""

    code = "consent_required"


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that is not to be mailed: anywhere, or through `list_id`. `email` is None once the address was erased, and
    `@example.com` for a whole domain."""

    id: int
    email: str | None
    list_id: ListId | None
    reason: SuppressionReason
    detail: str
    source: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ToSuppress:
    """An address or `@domain`, normalised, and why: `detail` in words."""

    email: str
    reason: SuppressionReason = SuppressionReason.MANUAL
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """What became of addresses: id by address of all, how many were new, raised to a stronger reason, or there already.

    `withdrawn` are contacts that may be mailed less now: after the commit the caller waits for them at
    `compliance.withdraw_barrier`.
    """

    ids: dict[str, int]
    added: int
    raised: int
    already: int
    withdrawn: list[ContactId]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which suppressions: of everything or of one list, and only those that fit what is given."""

    list: ListId | None = None
    email: str | None = None
    reason: SuppressionReason | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def clean_emails(emails: Sequence[str], *, domains: bool = False) -> list[str]:
    """Normalised, each once; with `domains` also `@example.com`. Raises Invalid naming each at fault as `emails[3]`."""
    normalise = normalise_suppressed if domains else normalise_email
    clean: dict[str, None] = {}
    problems: list[FieldProblem] = []
    for position, email in enumerate(emails):
        try:
            clean[normalise(email)] = None
        except Invalid as error:
            problems.append(FieldProblem(f"emails[{position}]", error.fields[0].message))
    if problems:
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems[:5]), fields=tuple(problems))
    return list(clean)


async def suppress_addresses(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    addresses: Sequence[ToSuppress],
    list: ListId | None = None,  # noqa: A002 - it is one
    source: str,
    keys: Keyring,
    by: Principal | None = None,
    now: datetime,
) -> Suppressed:
    """Never mail these addresses again, anywhere or through one list; contacts or not. A stronger reason that is there stays.

    A whole domain (`@example.com`, not those below it) is suppressed everywhere and by hand: its contacts keep their status,
    and are left out when something is sent. Raises Invalid for one that is not, and if the list does not exist. The caller
    writes the audit entry of the deed; where it was someone's of the workspace (`by`), each contact whose address was not there
    as strongly has one of its own, which their timeline shows.
    """
    for one in addresses:
        if problem := domain_problem(one, list):
            raise Invalid.at(*problem)
    if list is not None and not await tx.fetchval(_LOCK_LIST, workspace, list):
        raise Invalid.at("list_id", f"there is no list {public_id('list', list)}")
    once = {one.email: one for one in sorted(addresses, key=lambda one: _STRENGTH[one.reason])}
    if not once:
        return Suppressed({}, 0, 0, 0, [])
    people = {row["email"]: row["id"] for row in await tx.fetch(_LOCK_PEOPLE, workspace, [*once])}
    key = address_key(keys)
    hashes = {email: address_hash(key, email) for email in once}
    told = ([*once], [*hashes.values()], [one.reason for one in once.values()], [one.detail for one in once.values()])
    withdrawn: _Ids = []
    if list is None:
        rows = await tx.fetch(sql(__package__, "_addresses"), workspace, *told, source, now)
        for reason in dict.fromkeys(one.reason for one in once.values()):
            some = [email for email, one in once.items() if one.reason is reason]
            out = await tx.fetch(
                sql(__package__, "_follow"),
                workspace,
                [people[email] for email in some if email in people],
                [hashes[email] for email in some],
                reason,
                now,
            )
            withdrawn += [ContactId(row["id"]) for row in out]
    else:
        known = [people.get(email) for email in once]
        rows = await tx.fetch(sql(__package__, "_on_list"), workspace, *told, known, source, now, list)
        withdrawn += [ContactId(row["withdrawn"]) for row in rows if row["withdrawn"] is not None]
    if domains := [row["email"] for row in rows if row["email"].startswith("@") and row["outcome"] != "already"]:
        withdrawn += [ContactId(row["id"]) for row in await tx.fetch(_PEOPLE_OF_DOMAINS, workspace, domains)]
    await announce_withdrawn(tx, workspace=workspace, contacts=withdrawn)
    if by is not None:
        for reason in dict.fromkeys(one.reason for one in once.values()):
            told_of = [
                public_id("contact", people[row["email"]])
                for row in rows
                if row["outcome"] != "already" and row["email"] in people and once[row["email"]].reason is reason
            ]
            where = {} if list is None else {"list_id": public_id("list", list)}
            detail = {"reason": reason, "source": source} | where
            await audit_each(tx, by=by, action="contact.suppressed", subjects=told_of, detail=detail, now=now)
    outcomes = [row["outcome"] for row in rows]
    return Suppressed(
        {row["email"]: row["id"] for row in rows},
        *(outcomes.count(word) for word in ("added", "raised", "already")),
        withdrawn=withdrawn,
    )


def domain_problem(one: ToSuppress, list: ListId | None) -> tuple[str, str] | None:  # noqa: A002 - it is one
    """Which field of a whole domain is wrong, and why."""
    if not one.email.startswith("@"):
        return None
    if list is not None:
        return "list_id", f"a whole domain ({one.email}) is suppressed everywhere, not on one list: leave the list out"
    if one.reason is not SuppressionReason.MANUAL:
        return "reason", f"a whole domain ({one.email}) is suppressed by hand: its reason is manual"
    return None


async def list_suppressions(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    wanted: Wanted,
    keys: Keyring,
    before: int | None = None,
    offset: int = 0,
    limit: int,
) -> list[Suppression]:
    """A page of suppressions, newest first; `before` is the id to continue below."""
    where, values = filters(workspace, wanted, keys)
    values += [_HIGHEST if before is None else before, offset, limit]
    at = len(values)
    rows = await tx.fetch(
        f"SELECT {_columns(wanted)} FROM {table(wanted)} AS s WHERE {where} AND s.id < ${at - 2}"  # noqa: S608 - our own words
        f" ORDER BY s.id DESC OFFSET ${at - 1} LIMIT ${at}",
        *values,
    )
    return [_of_row(row) for row in rows]


async def count_suppressions(tx: Tx, *, workspace: WorkspaceId, wanted: Wanted, keys: Keyring) -> int:
    """How many `list_suppressions` has in all."""
    where, values = filters(workspace, wanted, keys)
    return await tx.fetchval(f"SELECT count(*) FROM {table(wanted)} AS s WHERE {where}", *values)  # noqa: S608 - our own words


async def get_suppressions(tx: Tx, *, workspace: WorkspaceId, ids: Sequence[int]) -> list[Suppression]:
    """Those of these ids that exist, of everything or of one list."""
    rows = await tx.fetch(
        """SELECT id, address AS email, NULL::bigint AS list_id, reason, detail, source, created_at
           FROM suppressions WHERE workspace_id = $1 AND id = ANY ($2::bigint[])
           UNION ALL
           SELECT id, address, list_id, reason, detail, source, created_at
           FROM list_suppressions WHERE workspace_id = $1 AND id = ANY ($2::bigint[])""",
        workspace,
        ids,
    )
    return [_of_row(row) for row in rows]


async def get_suppression(tx: Tx, *, workspace: WorkspaceId, id: int) -> Suppression:  # noqa: A002 - it is one
    """The suppression. Raises SuppressionNotFound."""
    found = await get_suppressions(tx, workspace=workspace, ids=[id])
    if not found:
        raise SuppressionNotFound(f"there is no suppression {public_id('suppression', id)}")
    return found[0]


async def lift_suppressions(
    tx: Tx, *, workspace: WorkspaceId, ids: Sequence[int], reason: str, consent: str, by: Principal, now: datetime
) -> list[Suppression]:
    """Let addresses be mailed again; returns what was lifted. `reason` and `consent` go into the audit trail.

    A contact is active again, and where it stood with a list before a manual or bounced suppression; subscriptions that a
    person left stay left. Raises Invalid naming each that does not exist, and ConsentRequired if a person left or complained
    by themselves and `consent` does not say how they asked to come back.
    """
    ids = list(dict.fromkeys(ids))
    # Locked in the order in which whoever suppresses does it: people first.
    people = await tx.fetch(
        """SELECT id, email FROM contacts
           WHERE workspace_id = $1 AND (
               email = ANY (SELECT address FROM suppressions WHERE workspace_id = $1 AND id = ANY ($2::bigint[])
                            UNION ALL
                            SELECT address FROM list_suppressions WHERE workspace_id = $1 AND id = ANY ($2::bigint[])))
           ORDER BY id FOR NO KEY UPDATE""",
        workspace,
        ids,
    )
    found = {one.id: one for one in await get_suppressions(tx, workspace=workspace, ids=ids)}
    if missing := [(position, id_) for position, id_ in enumerate(ids) if id_ not in found]:
        problems = tuple(
            FieldProblem(f"suppression_ids[{position}]", f"there is no suppression {public_id('suppression', id_)}")
            for position, id_ in missing
        )
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems[:5]), fields=problems)
    own = [one for one in found.values() if _STRENGTH[one.reason] >= _STRENGTH[SuppressionReason.UNSUBSCRIBED]]
    if own and not consent.strip():
        message = (
            f"{public_id('suppression', own[0].id)} is there because the person {_DEED[own[0].reason]}: say how, when and"
            " where they asked to be mailed again"
        )
        raise ConsentRequired(f"consent: {message}", fields=(FieldProblem("consent", message),))
    rows = await tx.fetch(sql(__package__, "_lift"), workspace, ids, now, [row["id"] for row in people])
    own_ids = {one.id for one in own}
    returned = [ContactId(row["contact"]) for row in rows if row["contact"] is not None and row["id"] in own_ids]
    data = {"source": "suppression_list", "consent": consent}
    await record(
        tx,
        events=[
            Event(workspace=workspace, type=EventType.RESUBSCRIBED, at=now, contact=contact, data=data)
            for contact in returned
        ],
        writer=_ONE_BY_ONE,
    )
    contacts = {row["email"]: public_id("contact", row["id"]) for row in people}
    for one in found.values():
        detail: dict[str, Any] = {"was": one.reason, "reason": reason}
        if one.id in own_ids:
            detail["consent"] = consent
        if one.list_id is not None:
            detail["list"] = public_id("list", one.list_id)
        await audit(
            tx, by=by, action="suppression.lifted", subject=public_id("suppression", one.id), detail=detail, now=now
        )
        if one.email in contacts:  # their timeline says it, too, without what was said: that is of the suppression
            told = {"was": one.reason, "suppression_id": public_id("suppression", one.id)}
            told |= {} if one.list_id is None else {"list_id": public_id("list", one.list_id)}
            await audit(tx, by=by, action="contact.lifted", subject=contacts[one.email], detail=told, now=now)
    return [found[id_] for id_ in ids]


async def forget_addresses(tx: Tx, *, workspace: WorkspaceId, emails: Sequence[str], keys: Keyring) -> int:
    """Erase these addresses (normalised) from the suppression list, which goes on holding by hash; returns how many (GDPR art. 17).

    What people or servers said about it (`detail`) goes along, as it may tell who it was.
    """
    hashes = [address_hash(address_key(keys), email) for email in emails]
    return await tx.fetchval(
        """WITH everywhere AS (
               UPDATE suppressions SET address = NULL, detail = ''
               WHERE workspace_id = $1 AND address_hash = ANY ($2::bytea[]) AND address IS NOT NULL RETURNING 1
           ), lists AS (
               UPDATE list_suppressions SET address = NULL, detail = ''
               WHERE workspace_id = $1 AND address_hash = ANY ($2::bytea[]) AND address IS NOT NULL RETURNING 1
           )
           SELECT (SELECT count(*) FROM everywhere) + (SELECT count(*) FROM lists)""",
        workspace,
        hashes,
    )


def table(wanted: Wanted) -> str:
    """Where these suppressions are."""
    return "suppressions" if wanted.list is None else "list_suppressions"


def filters(workspace: WorkspaceId, wanted: Wanted, keys: Keyring) -> tuple[str, list[Any]]:
    """The condition, of `s`, and its values; $1 is the workspace."""
    conditions = (
        ("s.list_id =", wanted.list),
        ("s.address_hash =", None if wanted.email is None else address_hash(address_key(keys), wanted.email)),
        ("s.reason =", wanted.reason),
        ("s.source =", wanted.source),
        ("s.created_at >=", wanted.since),
        ("s.created_at <", wanted.until),
    )
    where = "s.workspace_id = $1"
    values: list[Any] = [workspace]
    for condition, value in conditions:
        if value is not None:
            values.append(value)
            where += f" AND {condition} ${len(values)}"
    return where, values


def _columns(wanted: Wanted) -> str:
    list_id = "NULL::bigint AS list_id" if wanted.list is None else "s.list_id"
    return f"s.id, s.address AS email, {list_id}, s.reason, s.detail, s.source, s.created_at"


def _of_row(row: asyncpg.Record) -> Suppression:
    values: dict[str, Any] = dict(row)
    values["reason"] = SuppressionReason(row["reason"])
    return Suppression(**values)


_STRENGTH = {reason: strength for strength, reason in enumerate(SuppressionReason)}
_DEED = {SuppressionReason.UNSUBSCRIBED: "unsubscribed", SuppressionReason.COMPLAINED: "complained"}
