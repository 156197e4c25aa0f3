"""Asking to be on lists: what was asked for, by whom as far as one can tell, in answer to which words, and what came of it.

Until it is confirmed, a consent is all there is: whoever typed the address may be anybody, so no contact is made of it, and
none is changed. See docs/decisions/0090-a-stranger-is-no-contact.md.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, TypeAlias

import asyncpg

from tidings.audience.addresses import address_hash, address_key
from tidings.audience.fields import ContactFields
from tidings.audience.states import SubscriptionStatus, SuppressionReason
from tidings.core.crypto import Keyring
from tidings.core.db import Tx, sql
from tidings.core.errors import NotFound
from tidings.core.ids import ConsentId, ContactId, FormId, ListId, WorkspaceId, public_id

Source: TypeAlias = Literal["form", "api", "preferences"]
Values: TypeAlias = list[Any]

KEPT = timedelta(days=30)
"""How long what was never confirmed is kept after it could be."""

_COLUMNS = """id, contact_id, email, list_ids, source, form_id, answers, wording, language, ip, user_agent, at, expires_at,
    confirmed_at, confirm_ip, confirm_user_agent, declined_at"""
_WORDS = 1000
_COUNTED = timedelta(hours=1)
_FORGOTTEN_AT_ONCE = 5000


_OPEN = "confirmed_at IS NULL AND declined_at IS NULL AND expires_at IS NOT NULL"


class ConsentNotFound(NotFound):
    """There is no such consent in this workspace."""

    code = "consent_not_found"


class ConsentState(StrEnum):
    """Where a consent stands."""

    PENDING = "pending"
    """The address has still to confirm it."""
    GIVEN = "given"
    """Confirmed, or there was nothing to confirm."""
    EXPIRED = "expired"
    """It was not confirmed in time."""
    DECLINED = "declined"
    """The owner of the address said that it was not them."""


_STATES = {
    ConsentState.PENDING: f"{_OPEN} AND expires_at > $",
    ConsentState.EXPIRED: f"{_OPEN} AND expires_at <= $",
    ConsentState.GIVEN: "declined_at IS NULL AND (confirmed_at IS NOT NULL OR expires_at IS NULL)",
    ConsentState.DECLINED: "declined_at IS NOT NULL",
}
"""What `Consent.state` says, for the database; `$` is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The circumstances: where it came from, and the exact words that were shown. `network` is what limits count by."""

    source: Source
    wording: str
    form: FormId | None = None
    language: str = ""
    ip: str = ""
    network: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Consent:
    """One time that somebody asked to be on lists. `expires_at` is None where nothing needed confirming."""

    id: ConsentId
    contact_id: ContactId | None
    email: str
    list_ids: Sequence[ListId]
    source: Source
    form_id: FormId | None
    answers: dict[str, Any]
    wording: str
    language: str
    ip: str
    user_agent: str
    at: datetime
    expires_at: datetime | None
    confirmed_at: datetime | None
    confirm_ip: str
    confirm_user_agent: str
    declined_at: datetime | None

    def state(self, now: datetime) -> ConsentState:
        """Where it stands now."""
        if self.declined_at is not None:
            return ConsentState.DECLINED
        if self.confirmed_at is not None or self.expires_at is None:
            return ConsentState.GIVEN
        return ConsentState.PENDING if now < self.expires_at else ConsentState.EXPIRED


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an address: its contact, why it is suppressed, and where it stands with the lists asked for."""

    contact: ContactId | None
    suppressed: SuppressionReason | None
    lists: dict[ListId, SubscriptionStatus]

    @property
    def forbidden(self) -> bool:
        """They complained, or someone of the workspace shut them out: a form does not even write to them."""
        return self.suppressed in {SuppressionReason.COMPLAINED, SuppressionReason.MANUAL}

    @property
    def out(self) -> bool:
        """They left everything or one of the lists, or their address was dead: only a confirmation brings them back."""
        return self.suppressed is not None or SubscriptionStatus.UNSUBSCRIBED in self.lists.values()


@dataclass(frozen=True, slots=True)
class Counts:
    """How many consents of the address there were lately and when the last, and attempts of its network and through the form."""

    address: int
    network: int
    form: int
    last_at: datetime | None


async def standing(tx: Tx, *, workspace: WorkspaceId, email: str, lists: Sequence[ListId], keys: Keyring) -> Standing:
    """What is known of a normalised address. Others who ask for it, and its leaving, wait until this transaction ends."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, $2))", email, workspace)
    await tx.execute("SELECT FROM contacts WHERE workspace_id = $1 AND email = $2 FOR NO KEY UPDATE", workspace, email)
    row = await tx.fetchrow(
        sql(__package__, "_standing"), workspace, email, address_hash(address_key(keys), email), lists
    )
    assert row is not None
    return Standing(
        None if row["contact_id"] is None else ContactId(row["contact_id"]),
        None if row["reason"] is None else SuppressionReason(row["reason"]),
        {ListId(id_): SubscriptionStatus(status) for id_, status in zip(row["list_ids"], row["statuses"], strict=True)},
    )


async def recent_consents(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    email: str,
    network: str,
    form: FormId | None,
    most: int,
    now: datetime,
) -> Counts:
    """Consents of the address in the last day, and attempts from its network and through the form in the last hour.

    Notes this attempt, whatever comes of it: limits must not tell who is refused. Counting attempts stops at `most`.
    """
    row = await tx.fetchrow(sql(__package__, "_recent"), workspace, email, network, form, now, most)
    assert row is not None
    return Counts(row["address"], row["network"], row["form"], row["last_at"])


async def ask_consent(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    email: str,
    lists: Sequence[ListId],
    answers: ContactFields,
    proof: Proof,
    expires_at: datetime | None,
    contact: ContactId | None,
    now: datetime,
) -> ConsentId:
    """Keep what was asked for. With `expires_at` it waits for `confirm_consent`, and subscriptions of a contact that is there
    already are pending; without, it counts at once."""
    number = await tx.fetchval(
        """INSERT INTO consents (workspace_id, contact_id, email, list_ids, source, form_id, answers, wording, language, ip,
                                 network, user_agent, at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id""",
        workspace,
        contact,
        email,
        lists,
        proof.source,
        proof.form,
        {name: value for name, value in asdict(answers).items() if value is not None and name != "email"},
        proof.wording,
        proof.language,
        proof.ip,
        proof.network,
        storable(proof.user_agent),
        now,
        expires_at,
    )
    if contact is not None and expires_at is not None:
        await tx.execute(
            """INSERT INTO subscriptions (workspace_id, list_id, contact_id, status, subscribed_at)
               SELECT $1, l.id, $2, 'pending', $4 FROM lists AS l WHERE l.workspace_id = $1 AND l.id = ANY ($3::bigint[])
               ORDER BY l.id FOR KEY SHARE OF l
               ON CONFLICT DO NOTHING""",
            workspace,
            contact,
            lists,
            now,
        )
    return ConsentId(number)


async def get_consent(tx: Tx, *, workspace: WorkspaceId, consent: ConsentId, lock: bool = False) -> Consent:
    """The consent; with `lock`, nobody else confirms or declines it meanwhile. Raises ConsentNotFound."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM consents WHERE workspace_id = $1 AND id = $2{' FOR UPDATE' if lock else ''}",  # noqa: S608
        workspace,
        consent,
    )
    if row is None:
        raise ConsentNotFound(f"there is no {public_id('consent', consent)}")
    return consent_of_row(row)


async def decline_consent(tx: Tx, *, workspace: WorkspaceId, consent: ConsentId, now: datetime) -> None:
    """The owner of the address says that it was not them: nothing that anybody asked for in their name can be confirmed."""
    row = await tx.fetchrow(
        """UPDATE consents AS o SET declined_at = $3
           FROM consents AS c
           WHERE c.workspace_id = $1 AND c.id = $2 AND o.workspace_id = $1 AND o.email = c.email
             AND o.confirmed_at IS NULL AND o.declined_at IS NULL AND o.expires_at IS NOT NULL
           RETURNING o.email""",
        workspace,
        consent,
        now,
    )
    if row is not None:
        await tx.execute(
            """DELETE FROM subscriptions AS b USING contacts AS c
               WHERE c.workspace_id = $1 AND c.email = $2 AND b.workspace_id = $1 AND b.contact_id = c.id
                 AND b.status = 'pending'""",
            workspace,
            row["email"],
        )


async def contact_consents(tx: Tx, *, workspace: WorkspaceId, contact: ContactId) -> list[Consent]:
    """Every consent of a contact, newest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM consents WHERE workspace_id = $1 AND contact_id = $2 ORDER BY id DESC LIMIT 1000",  # noqa: S608
        workspace,
        contact,
    )
    return [consent_of_row(row) for row in rows]


async def list_consents(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    list: ListId | None = None,  # noqa: A002 - it is one
    form: FormId | None = None,
    email: str | None = None,
    state: ConsentState | None = None,
    before: int | None = None,
    offset: int = 0,
    limit: int,
    now: datetime,
) -> list[Consent]:
    """A page of consents, newest first; `email` is a normalised address, `before` the id to continue below."""
    where = ["workspace_id = $1", "id < $2"]
    values: Values = [workspace, 2**63 - 1 if before is None else before, limit, offset]
    for condition, value in (
        ("form_id = $", form),
        ("email = $", email),
        ("list_ids @> ARRAY[$::bigint]", list),
    ):
        if value is not None:
            values.append(value)
            where.append(condition.replace("$", f"${len(values)}"))
    if state is not None:
        where.append(_STATES[state].replace("$", f"${len(values) + 1}"))
        values += [now] if "$" in _STATES[state] else []
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM consents WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT $3 OFFSET $4",  # noqa: S608
        *values,
    )
    return [consent_of_row(row) for row in rows]


async def forget_unconfirmed(tx: Tx, *, now: datetime) -> int:
    """Delete what was never confirmed and cannot be any more for a month, and subscriptions that wait for nothing; how many.

    Attempts to sign up that no limit counts any more go, too.
    """
    await tx.execute("DELETE FROM signup_attempts WHERE at < $1", now - _COUNTED)
    rows = await tx.fetch(
        """DELETE FROM consents AS c
           USING (SELECT workspace_id, id FROM consents
                  WHERE confirmed_at IS NULL AND expires_at IS NOT NULL AND expires_at < $1
                  ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS old
           WHERE c.workspace_id = old.workspace_id AND c.id = old.id
           RETURNING c.workspace_id, c.contact_id""",
        now - KEPT,
        _FORGOTTEN_AT_ONCE,
    )
    known = [row for row in rows if row["contact_id"] is not None]
    await tx.execute(
        """DELETE FROM subscriptions AS b USING unnest($1::bigint[], $2::bigint[]) AS gone (workspace_id, contact_id)
           WHERE b.workspace_id = gone.workspace_id AND b.contact_id = gone.contact_id AND b.status = 'pending'
             AND NOT EXISTS (SELECT FROM consents AS c
                             WHERE c.workspace_id = b.workspace_id AND c.contact_id = b.contact_id
                               AND c.list_ids @> ARRAY[b.list_id] AND c.confirmed_at IS NULL AND c.expires_at IS NOT NULL)""",
        [row["workspace_id"] for row in known],
        [row["contact_id"] for row in known],
    )
    return len(rows)


def consent_of_row(row: asyncpg.Record) -> Consent:
    """A consent from a row."""
    return Consent(**row)


def storable(text: str) -> str:
    """Words of strangers: what PostgreSQL cannot hold is left out, and all of it kept short."""
    return text[:_WORDS].encode("utf-8", "replace").decode().replace("\0", "")
