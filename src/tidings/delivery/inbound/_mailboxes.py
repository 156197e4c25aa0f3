"""Mailboxes that reports come back to, for those who have no MX to spare: their settings, and reading them.

    claim → fetch what is new → store, with how far we are and what is to be cleared, in one commit → clear → note

A crash between two steps repeats the later ones: what was stored is not fetched again, and what was to be cleared still is.
Should the server number everything anew (UIDVALIDITY), all is read again, and what is known already changes nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tidings.accounts import Principal, audit
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database, Tx
from tidings.core.errors import Invalid, NotFound, Unavailable
from tidings.core.ids import BounceMailboxId, WorkspaceId, public_id
from tidings.delivery.bounces import Kind, ReturnPaths, classify
from tidings.delivery.feedback import storable
from tidings.delivery.inbound._imap import ImapBox, MailboxFault
from tidings.delivery.inbound._inbound import LARGEST_KEPT, UNSUBSCRIBE, InboundMail, store_inbound
from tidings.delivery.providers import is_host, is_loopback
from tidings.delivery.wire import MessageIds

_PURPOSE = "bounce mailboxes"
_COLUMNS = """
id, host, port, tls, allow_plaintext_auth, username, auth, folder, move_to, every_seconds, checked_at, health, created_at
"""
_WHERE = ("host", "username", "folder")
"""What says which folder it is: how far it was read is true of no other."""
_CHANGEABLE = {*_WHERE, "port", "tls", "allow_plaintext_auth", "auth", "move_to", "every_seconds"}
_AT_ONCE = 100
_CLAIMED = timedelta(minutes=10)
_FIRST_WAIT = 60
_LONGEST_WAIT = 3600
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
    allow_plaintext_auth: bool
    """With `tls` none: send the password unencrypted to a host that is not this machine, as SMTP providers may."""
    username: str
    auth: str
    """password, or xoauth2: the password is an access token (Google, Microsoft)."""
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
    allow_plaintext_auth: bool = False,
    username: str,
    password: str,
    auth: str = "password",
    folder: str,
    move_to: str,
    every_seconds: int,
    keys: Keyring,
    by: Principal,
    now: datetime,
) -> BounceMailbox:
    """Read this mailbox from now on. Raises Invalid."""
    told = {"host": host, "username": username, "password": password, "folder": folder, "move_to": move_to}
    _check(told | {"auth": auth, "tls": tls}, in_clear=allow_plaintext_auth)
    row = await tx.fetchrow(
        f"""
        INSERT INTO bounce_mailboxes
            (workspace_id, host, port, tls, username, sealed_password, folder, move_to, every_seconds, due_at, created_at, auth,
             allow_plaintext_auth)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12) RETURNING {_COLUMNS}
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
        auth,
        allow_plaintext_auth,
    )
    assert row is not None
    await audit(tx, by=by, action="bounce_mailbox.added", subject=public_id("mailbox", row["id"]), now=now)
    return BounceMailbox(**row)


async def update_mailbox(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    mailbox: BounceMailboxId,
    changes: Mapping[str, Any],
    keys: Keyring,
    by: Principal,
    now: datetime,
) -> BounceMailbox:
    """Change settings, by the names that `add_mailbox` has for them, and read it at once. Raises BounceMailboxNotFound, Invalid.

    How far it was read stays, unless it is another folder now: host, username or folder. That one is read from its
    beginning, and nothing of the old one is moved or deleted there.
    """
    columns = dict(changes)
    password = columns.pop("password", None)
    if unknown := sorted(columns.keys() - _CHANGEABLE):
        raise Invalid.at(unknown[0], "cannot be changed")
    row = await tx.fetchrow(
        "SELECT * FROM bounce_mailboxes WHERE workspace_id = $1 AND id = $2 FOR UPDATE", workspace, mailbox
    )
    if row is None:
        raise BounceMailboxNotFound(f"there is no mailbox {public_id('mailbox', mailbox)}")
    told = {name: columns.get(name, row[name]) for name in (*_WHERE, "move_to", "auth", "tls")}
    in_clear = columns.get("allow_plaintext_auth", row["allow_plaintext_auth"])
    _check(told if password is None else told | {"password": password}, in_clear=in_clear)
    if password is not None:
        columns["sealed_password"] = keys.seal(_PURPOSE, password.encode())
    if any(columns.get(name, row[name]) != row[name] for name in _WHERE):
        columns |= {"uid_validity": 0, "last_uid": 0, "to_clear": []}
    columns |= {"due_at": now, "failed": 0, "health": ""}
    names = ", ".join(f"{name} = ${at}" for at, name in enumerate(columns, 3))
    await tx.execute(
        f"UPDATE bounce_mailboxes SET {names} WHERE workspace_id = $1 AND id = $2",  # noqa: S608 - names of columns of ours
        workspace,
        mailbox,
        *columns.values(),
    )
    await audit(tx, by=by, action="bounce_mailbox.changed", subject=public_id("mailbox", mailbox), now=now)
    return await get_mailbox(tx, workspace=workspace, mailbox=mailbox)


def _check(fields: Mapping[str, str], *, in_clear: bool) -> None:
    for name, text in fields.items():
        if not text.isascii() or any(ord(character) < 32 or ord(character) == 127 for character in text):
            folder = name in {"folder", "move_to"}
            mend = "; a folder with other letters goes by its name in modified UTF-7" if folder else ""
            raise Invalid.at(name, f"must be printable ASCII{mend}")
        if not text.strip() and name != "move_to":
            raise Invalid.at(name, "must not be empty")
    if not is_host(fields["host"]):
        raise Invalid.at("host", "give a host name or an IP address, without a scheme or a port")
    if fields["move_to"] == fields["folder"]:
        raise Invalid.at("move_to", "must be another folder than the one that is read")
    if fields["auth"] not in {"password", "xoauth2"}:
        raise Invalid.at("auth", "must be password or xoauth2")
    if fields["tls"] not in {"implicit", "starttls", "none"}:
        raise Invalid.at("tls", "must be implicit, starttls or none")
    if fields["tls"] == "none" and not (in_clear or is_loopback(fields["host"])):
        mend = "use implicit or starttls, or allow_plaintext_auth where nobody else can listen"
        raise Invalid.at("tls", f"the password would travel unencrypted: {mend}")


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
    again, health, failed = timedelta(seconds=row["every_seconds"]), "", 0
    try:
        if await _poll(db, row, keys):
            again = timedelta()
    except (MailboxFault, Unavailable) as error:
        health = storable(str(error), 500) or "it cannot be read"
        failed = row["failed"] + 1
        again = _wait(failed, row["every_seconds"])
    async with db.transaction() as tx:
        done = utc_now()
        # Who changed it meanwhile wants it read anew, and what this says is about what it was.
        await tx.execute(
            "UPDATE bounce_mailboxes SET due_at = $3, checked_at = $4, health = $5, failed = $6"
            " WHERE workspace_id = $1 AND id = $2 AND due_at = $7",
            row["workspace_id"],
            row["id"],
            done + again,
            done,
            health,
            failed,
            row["due_at"],
        )
    return True


def _wait(failed: int, every_seconds: int) -> timedelta:
    """Soon after the first failure, then twice as long each time, up to an hour or the mailbox's own interval."""
    return timedelta(seconds=min(max(_LONGEST_WAIT, every_seconds), _FIRST_WAIT * 2 ** min(failed - 1, 12)))


async def _poll(db: Database, row: Any, keys: Keyring) -> bool:
    """Whether there may be more."""
    password = keys.unseal(_PURPOSE, row["sealed_password"]).decode()
    names = ("host", "port", "tls", "username", "auth", "folder")
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
        "UPDATE bounce_mailboxes SET uid_validity = $3, last_uid = $4, to_clear = $5"
        " WHERE workspace_id = $1 AND id = $2 AND (host, username, folder) = ($6, $7, $8)",
        row["workspace_id"],
        row["id"],
        validity,
        last,
        clear,
        *(row[name] for name in _WHERE),
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
