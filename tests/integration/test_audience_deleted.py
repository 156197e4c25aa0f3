"""Whoever left stays out, also when they are deleted, made anew, and put on everything."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidings import compliance
from tidings.accounts import SYSTEM
from tidings.audience import bulk, contacts, gone, recipients, subscriptions, suppressions
from tidings.audience.fields import ContactFields
from tidings.audience.lists import create_list
from tidings.audience.recipients import Audience
from tidings.audience.states import ContactStatus, SuppressionReason
from tidings.audience.suppressions import ToSuppress
from tidings.core.crypto import Keyring
from tidings.core.db import Database, Tx
from tidings.core.ids import ContactId, ListId, WorkspaceId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = Keyring("for tests only")
ANN = "ann@example.com"


class NoWorkers:
    """Nobody sends."""

    async def settled(self, **_: object) -> None:
        return


async def make(tx: Tx, workspace: WorkspaceId, *lists: ListId, email: str = ANN) -> ContactId:
    fields, by = ContactFields(email=email), SYSTEM(workspace)
    made = await contacts.create_contact(tx, workspace=workspace, fields=fields, lists=lists, keys=KEYS, by=by, now=NOW)
    return made.id


async def new_list(tx: Tx, workspace: WorkspaceId, name: str) -> ListId:
    return (await create_list(tx, workspace=workspace, name=name, by=SYSTEM(workspace), now=NOW)).id


async def mailable(tx: Tx, workspace: WorkspaceId, *lists: ListId) -> int:
    count = await recipients.count_recipients(tx, workspace=workspace, audience=Audience(lists=lists), now=NOW)
    return count.mailable


@pytest.mark.parametrize("many", [False, True])
async def test_who_left_a_list_is_off_it_when_they_are_made_anew(db: Database, workspace: int, many: bool) -> None:
    who, by = WorkspaceId(workspace), SYSTEM(WorkspaceId(workspace))
    async with db.transaction() as tx:
        news, offers = await new_list(tx, who, "News"), await new_list(tx, who, "Offers")
        ann = await make(tx, who, news, offers)
        await subscriptions.leave_lists(tx, workspace=who, contact=ann, lists=[news], source="preferences", now=NOW)
        if many:
            await bulk.delete_contacts(tx, workspace=who, contacts=[ann], by=by, now=NOW)
        else:
            await contacts.delete_contact(tx, workspace=who, contact=ann, by=by, now=NOW)
        kept = await tx.fetch("SELECT address, reason::text FROM list_suppressions WHERE workspace_id = $1", who)
        assert [tuple(row) for row in kept] == [(None, "unsubscribed")]
        again = await make(tx, who, news, offers)
        assert await mailable(tx, who, news) == 0
        assert await mailable(tx, who, offers) == 1
        done = await subscriptions.subscribe(tx, workspace=who, list=news, contacts=[again], now=NOW)
        assert done.refused == [again]
        fields = ContactFields(email=ANN)
        await contacts.put_contact(tx, workspace=who, fields=fields, lists=[news], keys=KEYS, by=by, now=NOW)
        assert await mailable(tx, who, news) == 0


async def test_who_was_kept_off_a_list_by_the_workspace_did_not_leave_it(db: Database, workspace: int) -> None:
    who, by = WorkspaceId(workspace), SYSTEM(WorkspaceId(workspace))
    async with db.transaction() as tx:
        news = await new_list(tx, who, "News")
        ann = await make(tx, who, news)
        told = [ToSuppress(ANN, SuppressionReason.MANUAL)]
        await suppressions.suppress_addresses(
            tx, workspace=who, addresses=told, list=news, source="api", keys=KEYS, now=NOW
        )
        await contacts.delete_contact(tx, workspace=who, contact=ann, by=by, now=NOW)
        assert await tx.fetchval("SELECT reason::text FROM list_suppressions") == "manual"


@pytest.mark.parametrize("merged", [False, True])
async def test_leaving_by_a_link_from_before_the_deletion(db: Database, workspace: int, merged: bool) -> None:
    who, by = WorkspaceId(workspace), SYSTEM(WorkspaceId(workspace))
    workers: Any = NoWorkers()
    async with db.transaction() as tx:
        news = await new_list(tx, who, "News")
        ann = await make(tx, who, news)
        link = ann
        if merged:
            link = await make(tx, who, news, email="ann@old.example")
            await compliance.merge_contacts(tx, workspace=who, into=ann, merged=link, keys=KEYS, by=by, now=NOW)
        await contacts.delete_contact(tx, workspace=who, contact=ann, by=by, now=NOW)
    await compliance.leave(db, workers, workspace=who, contact=link, reason="", source="one_click", now=NOW)
    async with db.transaction() as tx:
        await make(tx, who, news)
        assert await mailable(tx, who, news) == 0
        row = await tx.fetchrow("SELECT address, reason::text FROM suppressions WHERE workspace_id = $1", who)
        assert row is not None
        assert tuple(row) == (None, "unsubscribed")


async def test_leaving_by_a_link_from_before_somebody_was_deleted_and_made_anew(db: Database, workspace: int) -> None:
    who, by = WorkspaceId(workspace), SYSTEM(WorkspaceId(workspace))

    class Workers:
        asked: set[ContactId]

        async def settled(self, *, contacts: Any, **_: object) -> None:
            self.asked = set(contacts)

    workers: Any = Workers()
    async with db.transaction() as tx:
        news = await new_list(tx, who, "News")
        link = await make(tx, who, news)
        await contacts.delete_contact(tx, workspace=who, contact=link, by=by, now=NOW)
        again = await make(tx, who, news)
        other = await make(tx, who, news, email="bob@example.com")
        assert await mailable(tx, who, news) == 2
    for turn in range(2):
        left = await compliance.leave(db, workers, workspace=who, contact=link, reason="", source="page", now=NOW)
        assert left == (turn == 0)
        assert turn or {link, again} == workers.asked
    async with db.transaction() as tx:
        seen = await contacts.get_contact(tx, workspace=who, contact=again)
        assert seen.status is ContactStatus.UNSUBSCRIBED
        assert (await contacts.get_contact(tx, workspace=who, contact=other)).status is ContactStatus.ACTIVE
        assert await mailable(tx, who, news) == 1
        status = "SELECT status::text FROM subscriptions WHERE contact_id = $1"
        assert await tx.fetchval(status, again) == "unsubscribed"
        told = await tx.fetch("SELECT contact_id FROM events WHERE type = 'unsubscribed'")
        assert [row["contact_id"] for row in told] == [again]


async def test_links_of_the_deleted_are_forgotten_in_the_end(db: Database, workspace: int) -> None:
    who, by = WorkspaceId(workspace), SYSTEM(WorkspaceId(workspace))
    async with db.transaction() as tx:
        ann = await make(tx, who)
        await contacts.delete_contact(tx, workspace=who, contact=ann, by=by, now=NOW)
        assert await gone.forget_deleted(tx, now=NOW + timedelta(days=179)) == 0
        assert await gone.forget_deleted(tx, now=NOW + timedelta(days=181)) == 1
        assert await tx.fetchval("SELECT count(*) FROM deleted_contacts") == 0
