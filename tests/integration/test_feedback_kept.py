"""Raw reports are kept for some weeks, and go by the week; keys and nonces go too. Message-IDs are read back."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.feedback_world import NOW, sent

from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery import MessageIds, ensure_feedback_partitions, erase_feedback, tidy_feedback
from tidings.delivery.providers import Happening
from tidings.delivery.wire._wire import id_mac
from tidings.tracking import Tokens


async def test_reports_go_when_they_are_old_enough(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["sent"])
    await here.apply(here.report(1, Happening.DEFERRED, event_id="default"))
    # What lies in the default partition moves into the week's, once that is made.
    for week in range(10):
        now = NOW + timedelta(weeks=week)
        async with db.transaction() as tx:
            await ensure_feedback_partitions(tx, now=now)
        await here.apply(here.report(1, Happening.DEFERRED, event_id=str(week)), now=now)
        async with db.transaction() as tx:
            assert not await tidy_feedback(tx, now=now)
        kept = await here.fetch(
            "SELECT event_id, received_at FROM feedback WHERE workspace_id = $1 ORDER BY received_at"
        )
        # All of the last thirty days, and nothing of more than five weeks and a day before.
        assert [row["event_id"] for row in kept if row["received_at"] >= now - timedelta(days=30)][-1] == str(week)
        assert len([row for row in kept if row["received_at"] >= now - timedelta(days=30)]) == min(week + 1, 5) + (
            week < 5
        )
        assert min(row["received_at"] for row in kept) >= now - timedelta(days=44)
        keys = await here.fetch("SELECT received_at FROM feedback_keys WHERE workspace_id = $1")
        assert min(row["received_at"] for row in keys) >= now - timedelta(days=40)
    (left,) = await here.fetch("SELECT count(*) FROM feedback_default WHERE workspace_id <> $1 OR true")
    assert left["count"] == 0


@given(st.integers(1, 2**40 - 1), st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1), st.text(max_size=40))
def test_message_ids_are_read_back_and_not_made_up(send: int, n: int, workspace: int, noise: str) -> None:
    keys = Keyring("k")
    mac = id_mac(Tokens(keys).for_send(WorkspaceId(workspace), SendId(send))(n, 0)).decode()
    ours, ids = f"{send}.{n}.{workspace}.{mac}@example.com", MessageIds(keys)
    assert ids.read(ours) == ids.read(f"<{ours}>") == (workspace, send, n)
    assert ids.read(noise) is None
    assert ids.read(ours.replace(mac, "0" * 16)) is None
    assert ids.read(f"{send}.{n + 1}.{workspace}.{mac}@example.com") is None
    assert MessageIds(Keyring("other")).read(ours) is None


async def test_who_is_deleted_takes_raw_reports_along(db: Database, workspace: int) -> None:
    here = await sent(db, workspace, ["sent"] * 5)
    await here.apply(*(here.report(n, Happening.DEFERRED) for n in range(1, 6)))
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO deleted_contacts (workspace_id, contact_id, address_hash, at)
               SELECT $1, id, '\\x00', $2::timestamptz - i * interval '2 days'
               FROM unnest($3::bigint[]) WITH ORDINALITY AS t (id, i)""",
            workspace,
            NOW,
            here.contacts[:2],
        )
    async with db.transaction() as tx:
        place = await erase_feedback(tx, now=NOW)
        assert place == (NOW - timedelta(days=2), workspace, here.contacts[0])
        assert await erase_feedback(tx, now=NOW, after=place) is None
    kept = await here.fetch("SELECT n FROM feedback WHERE workspace_id = $1 ORDER BY n")
    assert [row["n"] for row in kept] == [2, 3, 4, 5]
