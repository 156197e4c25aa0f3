"""Being put on lists by one's own act: at once where that is enough, and by confirming where it is not.

Confirming is the one way back for those who left: it comes from the owner of the address, so it lifts what they or their
server said. What others said of them (a complaint, someone of the workspace) it does not lift.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidings.audience.addresses import address_hash, address_key
from tidings.audience.consents._consents import Consent, ConsentState, Source, Standing, get_consent, standing, storable
from tidings.audience.contacts import insert_contact
from tidings.audience.fields import ContactFields, clean_contact
from tidings.audience.states import SubscriptionStatus
from tidings.core.crypto import Keyring
from tidings.core.db import Tx
from tidings.core.errors import Conflict, Invalid
from tidings.core.ids import ConsentId, ContactId, ListId, WorkspaceId, public_id
from tidings.events import Event, EventType, record

_TEXTS = ("first_name", "last_name", "phone", "language", "time_zone")

_ONE_BY_ONE = 0
"""The rollup shard of events that come one at a time."""

_LOCK_LISTS = "SELECT FROM lists WHERE workspace_id = $1 AND id = ANY ($2::bigint[]) ORDER BY id FOR KEY SHARE"

# Those of the lists that are there, and that nobody but the person keeps them from. They stay so until the transaction ends.
_JOINABLE = """
SELECT l.id FROM lists AS l
WHERE l.workspace_id = $1 AND l.id = ANY ($2::bigint[]) AND NOT EXISTS (
    SELECT FROM list_suppressions AS s
    WHERE s.workspace_id = $1 AND s.list_id = l.id AND s.address_hash = $3 AND s.reason NOT IN ('unsubscribed', 'bounced'))
ORDER BY l.id
FOR KEY SHARE OF l
"""


class ConsentRefused(Conflict):
    """This address may not be put on lists: its owner complained, left, or was shut out."""

    code = "consent_refused"


class Verdict(StrEnum):
    """What came of pressing the button in a confirmation."""

    CONFIRMED = "confirmed"
    """They are on the lists."""
    ALREADY = "already"
    """It was confirmed before. It does not count a second time: they may have left since."""
    EXPIRED = "expired"
    """Too late, or declined."""
    REFUSED = "refused"
    """They complained, or someone of the workspace shut them out."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The verdict, and the consent that it is about."""

    verdict: Verdict
    consent: Consent


async def confirm_consent(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    consent: ConsentId,
    ip: str,
    user_agent: str,
    keys: Keyring,
    now: datetime,
) -> Confirmation:
    """The owner of the address confirms what was asked for. Raises ConsentNotFound.

    Makes the contact or brings it back, puts it on the lists that are still there, and keeps the answers. Any number of
    presses at once count once; with leaving at the same moment, the later of the two counts.
    """
    asked = await get_consent(tx, workspace=workspace, consent=consent)
    # Lists, then the person, then what is known of them: the order of whoever suppresses on a list, merges or deletes.
    await tx.execute(_LOCK_LISTS, workspace, asked.list_ids)
    known = await standing(tx, workspace=workspace, email=asked.email, lists=asked.list_ids, keys=keys)
    asked = await get_consent(tx, workspace=workspace, consent=consent, lock=True)
    state = asked.state(now)
    if state is ConsentState.GIVEN:
        return Confirmation(Verdict.ALREADY, asked)
    if state is not ConsentState.PENDING:
        return Confirmation(Verdict.EXPIRED, asked)
    if known.forbidden:
        return Confirmation(Verdict.REFUSED, asked)
    contact = await _contact(
        tx,
        workspace,
        asked.email,
        ContactFields(**asked.answers),
        language=asked.language,
        keys=keys,
        change=True,
        now=now,
    )
    await _put_on(tx, workspace, contact, asked.list_ids, known, asked.email, source=asked.source, keys=keys, now=now)
    await tx.execute(
        """UPDATE consents SET confirmed_at = $3, confirm_ip = $4, confirm_user_agent = $5, contact_id = $6
           WHERE workspace_id = $1 AND id = $2""",
        workspace,
        consent,
        now,
        ip,
        storable(user_agent),
        contact,
    )
    return Confirmation(Verdict.CONFIRMED, await get_consent(tx, workspace=workspace, consent=consent))


async def admit(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    email: str,
    lists: Sequence[ListId],
    answers: ContactFields,
    language: str = "",
    known: Standing,
    source: Source,
    keys: Keyring,
    now: datetime,
) -> ContactId:
    """Put an address on lists at once: it is new, or its contact is not out of anything. Changes nothing of a contact that is
    there already: whoever typed the address may be anybody. `language` is that of the form, for whoever does not say
    another. Raises ConsentRefused."""
    if known.out:
        raise ConsentRefused(f"{email} left, or may not be mailed: only confirming brings them back")
    contact = await _contact(tx, workspace, email, answers, language=language, keys=keys, change=False, now=now)
    await _put_on(tx, workspace, contact, lists, known, email, source=source, keys=keys, now=now)
    return contact


async def choose_lists(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    contact: ContactId,
    email: str,
    lists: Sequence[ListId],
    keys: Keyring,
    now: datetime,
) -> None:
    """A contact puts themselves on lists, on a page that only they can reach. Raises ConsentRefused."""
    known = await standing(tx, workspace=workspace, email=email, lists=lists, keys=keys)
    if known.forbidden:
        raise ConsentRefused(f"{email} may not be mailed")
    await _put_on(tx, workspace, contact, lists, known, email, source="preferences", keys=keys, now=now)


async def _contact(
    tx: Tx,
    workspace: WorkspaceId,
    email: str,
    told: ContactFields,
    *,
    language: str,
    keys: Keyring,
    change: bool,
    now: datetime,
) -> ContactId:
    """The contact of an address, made if there is none, locked until the transaction ends.

    They read the form in `language`: theirs, where nobody says another.
    """
    read_in = _known_language(language)
    texts = [getattr(told, name) for name in _TEXTS]
    row = await tx.fetchrow(
        "SELECT id FROM contacts WHERE workspace_id = $1 AND email = $2 FOR NO KEY UPDATE", workspace, email
    )
    if row is None:
        made = await insert_contact(
            tx,
            workspace=workspace,
            email=email,
            texts=[text or (read_in if name == "language" else "") for name, text in zip(_TEXTS, texts, strict=True)],
            tags=told.tags or [],
            attributes=told.attributes or {},
            keys=keys,
            now=now,
        )
        if made is not None:
            return made
        # Somebody else made it this moment, and has committed.
        return await _contact(tx, workspace, email, told, language=language, keys=keys, change=change, now=now)
    if change:
        await tx.execute(
            """UPDATE contacts
               SET first_name = coalesce($3, first_name), last_name = coalesce($4, last_name), phone = coalesce($5, phone),
                   language = coalesce($6, nullif(language, ''), $10), time_zone = coalesce($7, time_zone),
                   attributes = attributes || $8, updated_at = $9
               WHERE workspace_id = $1 AND id = $2""",
            workspace,
            row["id"],
            *texts,
            told.attributes or {},
            now,
            read_in,
        )
    return ContactId(row["id"])


def _known_language(text: str) -> str:
    try:
        return clean_contact({"language": text}).language or ""
    except Invalid:
        return ""


async def _put_on(
    tx: Tx,
    workspace: WorkspaceId,
    contact: ContactId,
    lists: Sequence[ListId],
    known: Standing,
    email: str,
    *,
    source: Source,
    keys: Keyring,
    now: datetime,
) -> None:
    """Lift what they or their server said, and subscribe them. The contact is locked.

    With no list left to come on, nothing is lifted either: they asked for those lists, not for mail as such.
    """
    hashed = address_hash(address_key(keys), email)
    if not await tx.fetch(_JOINABLE, workspace, lists, hashed):
        return
    if known.suppressed is not None:
        await tx.execute(
            """DELETE FROM suppressions
               WHERE workspace_id = $1 AND address_hash = $2 AND reason IN ('unsubscribed', 'bounced')""",
            workspace,
            hashed,
        )
        await tx.execute(
            """UPDATE contacts SET status = 'active', updated_at = $3
               WHERE workspace_id = $1 AND id = $2 AND status IN ('unsubscribed', 'bounced')""",
            workspace,
            contact,
            now,
        )
    # What they or their server said of one list is lifted, too; what the workspace said of it stays.
    await tx.execute(
        """DELETE FROM list_suppressions
           WHERE workspace_id = $1 AND list_id = ANY ($2::bigint[]) AND address_hash = $3
             AND reason IN ('unsubscribed', 'bounced')""",
        workspace,
        lists,
        hashed,
    )
    rows = await tx.fetch(
        """INSERT INTO subscriptions AS b (workspace_id, list_id, contact_id, subscribed_at)
           SELECT $1, l.id, $2, $4
           FROM lists AS l
           WHERE l.workspace_id = $1 AND l.id = ANY ($3::bigint[]) AND NOT EXISTS (
               SELECT FROM list_suppressions AS s
               WHERE s.workspace_id = $1 AND s.list_id = l.id AND s.address_hash = $5)
           ORDER BY l.id
           ON CONFLICT (workspace_id, list_id, contact_id) DO UPDATE
           SET status = 'subscribed', subscribed_at = excluded.subscribed_at, unsubscribed_at = NULL
           WHERE b.status <> 'subscribed'
           RETURNING b.list_id""",
        workspace,
        contact,
        lists,
        now,
        hashed,
    )
    put = [ListId(row["list_id"]) for row in rows]
    if not put and known.suppressed is None:
        return
    back = known.suppressed is not None or any(known.lists.get(one) is SubscriptionStatus.UNSUBSCRIBED for one in put)
    data = {"lists": [public_id("list", one) for one in put], "source": source}
    if known.suppressed is not None:
        data["lifted"] = known.suppressed
    kind = EventType.RESUBSCRIBED if back else EventType.SUBSCRIBED
    await record(tx, events=[Event(workspace, kind, now, contact=contact, data=data)], writer=_ONE_BY_ONE)
