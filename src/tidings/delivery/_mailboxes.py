"""Mailboxes that reports come back to, for those who have no MX to spare: their settings, and reading them.

    claim → fetch what is new → store, with how far we are and what is to be cleared, in one commit → clear → note

A crash between two steps repeats the later ones: what was stored is not fetched again, and what was to be cleared still is.
Should the server number everything anew (UIDVALIDITY), all is read again, and what is known already changes nothing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tidings.accounts import Principal, audit
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database, Tx
from tidings.core.errors import Invalid, NotFound, Unavailable
from tidings.core.ids import BounceMailboxId, WorkspaceId, public_id
from tidings.delivery._feedback_report import storable
from tidings.delivery._imap import ImapBox, MailboxFault
from tidings.delivery._inbound import LARGEST_KEPT, UNSUBSCRIBE, InboundMail, store_inbound
from tidings.delivery._message_ids import MessageIds
from tidings.delivery.bounces import Kind, ReturnPaths, classify

_PURPOSE = "bounce mailboxes"
_COLUMNS = "id, host, port, tls, username, folder, move_to, every_seconds, checked_at, health, created_at"
_AT_ONCE = 100
_CLAIMED = timedelta(minutes=10)
_REPORTS = {Kind.BOUNCE, Kind.DELAYED, Kind.DELIVERED, Kind.COMPLAINT}
_CLAIM = """
UPDATE bounce_mailboxes AS m SET due_at = $2 FROM (
    SELECT workspace_id, id FROM bounce_mailboxes WHERE due_at <= $1 ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
) AS due
WHERE m.workspace_id = due.workspace_id AND m.id = due.id RETURNING m.*
"""


class BounceMailboxNotFound(NotFound):
    """No such mailbox in this workspace."""

    code = "bounce_mailbox_not_found"


@dataclass(frozen=True, slots=True)
class BounceMailbox:
    """A mailbox as people see it; `health` is '' while nothing is wrong. Its password is never handed out."""

    id: BounceMailboxId
    host: str
    port: int
    tls: str
    username: str
    folder: str
    move_to: str
    every_seconds: int
    checked_at: datetime | None
    health: str
    created_at: datetime


async def add_mailbox(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    host: str,
    port: int,
    tls: str,
    username: str,
    password: str,
    folder: str,
    move_to: str,
    every_seconds: int,
    keys: Keyring,
    by: Principal,
    now: datetime,
) -> BounceMailbox:
    """Read this mailbox from now on. Raises Invalid."""
    fields = {"host": host, "username": username, "password": password, "folder": folder, "move_to": move_to}
    for name, text in fields.items():
        if not text.isascii() or any(ord(character) < 32 or ord(character) == 127 for character in text):
            raise Invalid.at(
                name, "must be printable ASCII; a folder with other letters goes by its name in modified UTF-7"
            )
        if not text.strip() and name != "move_to":
            raise Invalid.at(name, "must not be empty")
    if move_to == folder:
        raise Invalid.at("move_to", "must be another folder than the one that is read")
    row = await tx.fetchrow(
        f"""
        INSERT INTO bounce_mailboxes
            (workspace_id, host, port, tls, username, sealed_password, folder, move_to, every_seconds, due_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) RETURNING {_COLUMNS}
        """,  # noqa: S608 - our own column names
        workspace,
        host,
        port,
        tls,
        username,
        keys.seal(_PURPOSE, password.encode()),
        folder,
        move_to,
        every_seconds,
        now,
    )
    assert row is not None
    await audit(tx, by=by, action="bounce_mailbox.added", subject=public_id("mailbox", row["id"]), now=now)
    return BounceMailbox(**row)


async def list_mailboxes(tx: Tx, *, workspace: WorkspaceId) -> list[BounceMailbox]:
    """All of a workspace's."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM bounce_mailboxes WHERE workspace_id = $1 ORDER BY id",  # noqa: S608
        workspace,
    )
    return [BounceMailbox(**row) for row in rows]


async def get_mailbox(tx: Tx, *, workspace: WorkspaceId, mailbox: BounceMailboxId) -> BounceMailbox:
    """One of them. Raises BounceMailboxNotFound."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM bounce_mailboxes WHERE workspace_id = $1 AND id = $2",  # noqa: S608
        workspace,
        mailbox,
    )
    if row is None:
        raise BounceMailboxNotFound(f"there is no mailbox {public_id('mailbox', mailbox)}")
    return BounceMailbox(**row)


async def delete_mailbox(
    tx: Tx, *, workspace: WorkspaceId, mailbox: BounceMailboxId, by: Principal, now: datetime
) -> None:
    """Read it no more. Raises BounceMailboxNotFound."""
    await get_mailbox(tx, workspace=workspace, mailbox=mailbox)
    await tx.execute("DELETE FROM bounce_mailboxes WHERE workspace_id = $1 AND id = $2", workspace, mailbox)
    await audit(tx, by=by, action="bounce_mailbox.deleted", subject=public_id("mailbox", mailbox), now=now)


async def poll_mailbox(db: Database, *, keys: Keyring, now: datetime) -> bool:
    """Read the mailbox that is due the longest; False when none is. Any number of processes may."""
    async with db.transaction() as tx:
        row = await tx.fetchrow(_CLAIM, now, now + _CLAIMED)
    if row is None:
        return False
    again, health = timedelta(seconds=row["every_seconds"]), ""
    try:
        if await _poll(db, row, keys):
            again = timedelta()
    except (MailboxFault, Unavailable) as error:
        health = storable(str(error), 500) or "it cannot be read"
    async with db.transaction() as tx:
        done = utc_now()
        await tx.execute(
            "UPDATE bounce_mailboxes SET due_at = $3, checked_at = $4, health = $5 WHERE workspace_id = $1 AND id = $2",
            row["workspace_id"],
            row["id"],
            done + again,
            done,
            health,
        )
    return True


async def _poll(db: Database, row: Any, keys: Keyring) -> bool:
    """Whether there may be more."""
    password = keys.unseal(_PURPOSE, row["sealed_password"]).decode()
    names = ("host", "port", "tls", "username", "folder")
    box = await asyncio.to_thread(lambda: ImapBox(password=password, **{name: row[name] for name in names}))
    try:
        same = box.uid_validity == row["uid_validity"]
        left: list[int] = list(row["to_clear"]) if same else []
        if left:
            await asyncio.to_thread(box.clear, left, move_to=row["move_to"])
        since = row["last_uid"] if same else 0
        uids = await asyncio.to_thread(box.after, since, most=_AT_ONCE)
        contents = await asyncio.to_thread(box.fetch, uids, most=LARGEST_KEPT) if uids else {}
        now = utc_now()
        found = await asyncio.to_thread(_sort, contents, row, keys, now)
        ours = [uid for uid, _, proven in found if proven]
        async with db.transaction() as tx:
            await store_inbound(tx, mails=[mail for _, mail, _ in found])
            await _note(tx, row, box.uid_validity, max(uids, default=since), ours)
        if ours:
            await asyncio.to_thread(box.clear, ours, move_to=row["move_to"])
        if ours or left:
            async with db.transaction() as tx:
                await _note(tx, row, box.uid_validity, max(uids, default=since), [])
        return len(uids) == _AT_ONCE
    finally:
        await asyncio.to_thread(box.close)


async def _note(tx: Tx, row: Any, validity: int, last: int, clear: Sequence[int]) -> None:
    await tx.execute(
        "UPDATE bounce_mailboxes SET uid_validity = $3, last_uid = $4, to_clear = $5 WHERE workspace_id = $1 AND id = $2",
        row["workspace_id"],
        row["id"],
        validity,
        last,
        clear,
    )


def _sort(contents: dict[int, bytes], row: Any, keys: Keyring, now: datetime) -> list[tuple[int, InboundMail, bool]]:
    """What is a report, or was written to an address of ours, and whether that is certain. People's mail is left alone."""
    workspace = WorkspaceId(row["workspace_id"])
    paths, ids = ReturnPaths(keys), MessageIds(keys)
    found: list[tuple[int, InboundMail, bool]] = []
    for uid, content in sorted(contents.items()):
        report = classify(content)
        recipient, proven = row["username"], False
        for address in report.addressed_to:
            subject = paths.read(address, now=now)
            if (subject is not None and subject.workspace == workspace) or UNSUBSCRIBE + "@" in address.lower():
                recipient, proven = address, True
                break
        if not proven and report.original_message_id:
            ref = ids.read(report.original_message_id)
            proven = ref is not None and ref.workspace == workspace
        if proven or report.kind in _REPORTS:
            found.append((uid, InboundMail(workspace, now, "imap", "", recipient, content), proven))
    return found
