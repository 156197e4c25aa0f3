"""Reports out of a mailbox, from a server that speaks IMAP over a socket."""

from pathlib import Path
from typing import Any

import pytest

from bounce_mails import GROUP, dsn
from delivery_world import World, world
from imap_stub import ImapStub
from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId, SendId
from tidings.delivery import BounceMailbox
from tidings.delivery.bounces import ReturnPaths
from tidings.tracking import Subject

PERSON = b"From: bob@example.com\r\nTo: bounces@example.org\r\nSubject: Hello\r\n\r\nHow are you?\r\n"
UNPROVEN = dsn(GROUP).replace("\n", "\r\n").encode()


def report(w: World, n: int) -> bytes:
    path = ReturnPaths(w.app.keys).make(
        "bounces@example.org", Subject(w.workspace, SendId(1), n, ContactId(n)), now=utc_now()
    )
    return dsn(GROUP).replace("To: bounces@sender.example", f"To: {path}").replace("\n", "\r\n").encode()


async def add(w: World, stub: ImapStub, **more: Any) -> None:
    told: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": stub.port,
        "tls": "none",
        "username": "bounces@example.org",
        "password": 'se"cret',
        "folder": "INBOX",
        "move_to": "",
        "every_seconds": 60,
    }
    async with w.app.db.transaction() as tx:
        await delivery.add_mailbox(
            tx, workspace=w.workspace, keys=w.app.keys, by=SYSTEM(w.workspace), now=utc_now(), **(told | more)
        )


async def poll(w: World) -> BounceMailbox:
    """Read it now, due or not."""
    async with w.app.db.transaction() as tx:
        await tx.execute("UPDATE bounce_mailboxes SET due_at = now() - interval '1 second'")
    assert await delivery.poll_mailbox(w.app.db, keys=w.app.keys, now=utc_now())
    async with w.app.db.connection() as connection:
        (found,) = await delivery.list_mailboxes(connection, workspace=w.workspace)
    return found


async def stored(w: World) -> int:
    async with w.app.db.connection() as connection:
        return await delivery.count_inbound(connection, workspace=w.workspace, state=None)


@pytest.mark.parametrize(
    ("features", "move_to"), [("UIDPLUS MOVE", ""), ("UIDPLUS MOVE", "Done"), ("", ""), ("", "Done")]
)
async def test_takes_reports_and_leaves_peoples_mail_alone(
    db: Database, tmp_path: Path, features: str, move_to: str
) -> None:
    async with world(db, tmp_path, working=False) as w, ImapStub(features=features) as stub:
        stub.folders["INBOX"] = {3: PERSON, 5: report(w, 1), 9: report(w, 2), 11: UNPROVEN}
        await add(w, stub, move_to=move_to)
        assert (await poll(w)).health == ""
        assert set(stub.folders["INBOX"]) == {3, 11}
        assert set(stub.folders["Done"]) == ({5, 9} if move_to else set())
        assert not stub.flags.get(3) and not stub.flags.get(11)  # noqa: PT018
        assert await stored(w) == 3
        stub.folders["INBOX"][12] = report(w, 3)
        await poll(w)
        assert await stored(w) == 4
        assert not await delivery.poll_mailbox(w.app.db, keys=w.app.keys, now=utc_now())  # not due


async def test_what_others_marked_is_not_expunged(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, ImapStub(features="") as stub:
        stub.folders["INBOX"] = {3: PERSON, 5: report(w, 1)}
        stub.flags[3] = {"\\Deleted"}
        await add(w, stub)
        await poll(w)
        assert 3 in stub.folders["INBOX"]
        assert "EXPUNGE" not in stub.commands


@pytest.mark.parametrize("at", ["UID FETCH", "UID STORE", "UID EXPUNGE", "UID MOVE"])
async def test_a_crash_in_between_doubles_and_loses_nothing(db: Database, tmp_path: Path, at: str) -> None:
    async with world(db, tmp_path, working=False) as w, ImapStub(fail_on=at) as stub:
        stub.folders["INBOX"] = {5: report(w, 1), 9: report(w, 2)}
        await add(w, stub, move_to="Done" if at == "UID MOVE" else "")
        assert (await poll(w)).health
        assert await stored(w) == (0 if at == "UID FETCH" else 2)
        assert (await poll(w)).health == ""
        assert stub.folders["INBOX"] == {}
        assert await stored(w) == 2


async def test_numbered_anew_is_read_again_and_changes_nothing(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, ImapStub() as stub:
        first = report(w, 1)
        stub.folders["INBOX"] = {900: first}
        await add(w, stub)
        await poll(w)
        stub.uid_validity, stub.folders["INBOX"] = 8, {1: first, 2: report(w, 2)}
        await poll(w)
        assert stub.folders["INBOX"] == {}
        assert await stored(w) == 2


async def test_health_says_what_is_wrong(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, ImapStub() as stub:
        await add(w, stub, password="wrong")
        assert "wrong password" in (await poll(w)).health
    async with world(db, tmp_path, working=False) as w:
        with pytest.raises(Invalid):
            await add(w, stub, folder="Entwürfe")
        with pytest.raises(Invalid):
            await add(w, stub, username="a\r\nb")
