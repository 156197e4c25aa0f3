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


async def change(w: World, one: BounceMailbox, **changes: Any) -> BounceMailbox:
    async with w.app.db.transaction() as tx:
        return await delivery.update_mailbox(
            tx,
            workspace=w.workspace,
            mailbox=one.id,
            changes=changes,
            keys=w.app.keys,
            by=SYSTEM(w.workspace),
            now=utc_now(),
        )


async def test_changed_settings_keep_the_place_and_another_folder_has_its_own(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, ImapStub() as stub:
        stub.folders["INBOX"] = {3: PERSON, 5: report(w, 1), 9: UNPROVEN}
        stub.folders["Reports"] = {1: PERSON, 5: report(w, 2), 9: PERSON}
        await add(w, stub)
        one = await poll(w)
        assert (await stored(w), set(stub.folders["INBOX"])) == (2, {3, 9})
        one = await change(w, one, every_seconds=90, move_to="Done", password='se"cret')
        assert (one.every_seconds, one.move_to) == (90, "Done")
        stub.commands.clear()
        assert (await poll(w)).health == ""
        assert "UID FETCH" not in stub.commands, "what was read is not read again"
        # The same UIDVALIDITY and UIDs that mean other messages: it is read from its beginning, and nothing else is touched.
        async with w.app.db.transaction() as tx:
            await tx.execute("UPDATE bounce_mailboxes SET to_clear = '{1,9}'")
        await change(w, one, folder="Reports")
        assert (await poll(w)).health == ""
        assert set(stub.folders["Reports"]) == {1, 9}
        assert set(stub.folders["Done"]) == {5}
        assert await stored(w) == 3
        for wrong in (
            {"folder": ""},
            {"move_to": "Reports"},
            {"auth": "plain"},
            {"host": "a b\n"},
            {"created_at": "now"},
        ):
            with pytest.raises(Invalid):
                await change(w, one, **wrong)


async def test_passwords_travel_in_clear_only_on_request(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, ImapStub() as stub:
        for host in ("imap.internal", "192.168.1.7", "10.0.0.7"):
            with pytest.raises(Invalid, match=r"^tls: .* or allow_plaintext_auth"):
                await add(w, stub, host=host)
        await add(w, stub, host="192.168.1.7", allow_plaintext_auth=True)
        async with w.app.db.connection() as connection:
            (one,) = await delivery.list_mailboxes(connection, workspace=w.workspace)
        assert (one.tls, one.allow_plaintext_auth) == ("none", True)
        assert (await change(w, one, host="192.168.1.8")).host == "192.168.1.8"
        with pytest.raises(Invalid, match=r"^tls: "):
            await change(w, one, allow_plaintext_auth=False)
        assert not (await change(w, one, tls="starttls", allow_plaintext_auth=False)).allow_plaintext_auth
        with pytest.raises(Invalid, match=r"^tls: "):
            await change(w, one, tls="none")


async def test_a_change_while_it_is_read_is_not_overwritten(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, ImapStub() as stub:
        stub.folders["INBOX"] = {5: report(w, 1)}
        stub.folders["Reports"] = {5: report(w, 2)}
        await add(w, stub)
        async with w.app.db.connection() as connection:
            (one,) = await delivery.list_mailboxes(connection, workspace=w.workspace)
        stub.before = {"UID FETCH": lambda: change(w, one, folder="Reports")}
        assert await delivery.poll_mailbox(w.app.db, keys=w.app.keys, now=utc_now())
        async with w.app.db.connection() as connection:
            row = await connection.fetchrow("SELECT last_uid, due_at <= now() AS due FROM bounce_mailboxes")
        assert row is not None
        assert (row["last_uid"], row["due"]) == (0, True)
        await poll(w)
        assert await stored(w) == 2


async def test_tokens_instead_of_passwords(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, ImapStub() as stub:
        stub.folders["INBOX"] = {5: report(w, 1)}
        await add(w, stub, password="expired", auth="xoauth2")
        one = await poll(w)
        assert "Invalid credentials" in one.health
        await change(w, one, password="ya29.token")
        assert (await poll(w)).health == ""
        assert await stored(w) == 1


async def test_failures_wait_longer_and_longer(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, ImapStub() as stub:
        await add(w, stub, password="wrong", every_seconds=86_400)
        waits: list[float] = []
        for _ in range(13):
            await poll(w)
            async with w.app.db.connection() as connection:
                waits.append(
                    await connection.fetchval(
                        "SELECT extract(epoch FROM due_at - checked_at)::float FROM bounce_mailboxes"
                    )
                )
        assert waits[:3] == [60, 120, 240]
        assert waits[-1] == 86_400
        async with w.app.db.connection() as connection:
            (one,) = await delivery.list_mailboxes(connection, workspace=w.workspace)
        await change(w, one, password='se"cret', every_seconds=60)
        assert (await poll(w)).health == ""
        await change(w, one, password="wrong")
        await poll(w)
        async with w.app.db.connection() as connection:
            assert await connection.fetchval("SELECT failed FROM bounce_mailboxes") == 1


async def test_what_others_move_away_meanwhile_is_theirs(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, ImapStub() as stub:
        stub.folders["INBOX"] = {5: report(w, 1), 6: report(w, 2), 7: report(w, 3)}

        async def takes() -> None:
            stub.folders["INBOX"].pop(6)

        async def deletes() -> None:
            stub.folders["INBOX"].pop(7)

        stub.before = {"UID FETCH": takes, "UID STORE": deletes}
        await add(w, stub)
        assert (await poll(w)).health == ""
        assert (await stored(w), stub.folders["INBOX"]) == (2, {})


async def test_a_huge_message_is_read_by_its_head(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, ImapStub() as stub:
        stub.folders["INBOX"] = {5: report(w, 1) + b"x" * 30_000_000, 6: report(w, 2)}
        await add(w, stub)
        assert (await poll(w)).health == ""
        assert (await stored(w), stub.folders["INBOX"]) == (2, {})
        async with w.app.db.connection() as connection:
            assert (
                await connection.fetchval("SELECT max(octet_length(content)) FROM inbound_messages")
                == delivery.LARGEST_KEPT
            )


async def test_health_says_what_is_wrong(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, ImapStub() as stub:
        await add(w, stub, password="wrong")
        assert "wrong password" in (await poll(w)).health
    async with world(db, tmp_path, working=False) as w:
        with pytest.raises(Invalid):
            await add(w, stub, folder="Entwürfe")
        with pytest.raises(Invalid):
            await add(w, stub, username="a\r\nb")
