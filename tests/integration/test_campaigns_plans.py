"""The plans behind the look-up of campaigns by their sends, and of archives: none reads all campaigns of a workspace."""

from tidings import campaigns
from tidings.campaigns import _archive, _report
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import ListId, SendId, WorkspaceId

MANY = 5_000


async def test_campaigns_are_found_by_their_sends(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute(
            """INSERT INTO campaigns (workspace_id, name, subject, template_id, sender_email, sender_name, send_id, status,
                   created_at, updated_at, list_ids)
               SELECT w, 'c' || i, '', 1, 'a@x.test', '', nullif(i, 7), 'sent', $3, $3, '{1}'
               FROM generate_series(1, $1::integer) AS i, (VALUES ($2::bigint), (77)) AS v (w)""",
            MANY,
            workspace,
            utc_now(),
        )
        await tx.execute("ANALYZE campaigns")
        sends = [SendId(n) for n in (5, 7, MANY, MANY + 1)]
        found = await campaigns.of_sends(tx, workspace=workspace, sends=sends)
        assert {send: campaign.name for send, campaign in found.items()} == {5: "c5", MANY: f"c{MANY}"}
        rows = await tx.fetch(f"EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) {_report._OF_SENDS}", workspace, sends)
        told = "\n".join(row[0] for row in rows)
        assert "campaigns_by_send" in told, told
        assert "Seq Scan" not in told, told


async def test_an_archive_reads_what_is_archived_alone(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute(
            """INSERT INTO campaigns (workspace_id, name, subject, template_id, sender_email, sender_name, send_id, status,
                   created_at, updated_at, started_at, list_ids, archive)
               SELECT w, 'c' || i, '', 1, 'a@x.test', '', i, 'sent', $3::timestamptz, $3, $3 + i * interval '1 minute',
                   ARRAY[1 + i % 2], i % 10 = 0
               FROM generate_series(1, $1::integer) AS i, (VALUES ($2::bigint), (77)) AS v (w)""",
            MANY,
            workspace,
            utc_now(),
        )
        await tx.execute("ANALYZE campaigns")
        for list_id in (None, ListId(1)):
            archive = campaigns.Archive(workspace, list_id)
            found = await campaigns.list_archived(tx, archive=archive, offset=20, limit=20)
            assert [one.send for one in found] == [MANY - 10 * i for i in range(20, 40)]
            statement = f"EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) {_archive._LISTED}"
            rows = await tx.fetch(statement, workspace, list_id or 0, 20, 20)
            told = "\n".join(row[0] for row in rows)
            assert "campaigns_archived" in told, told
            assert "Sort" not in told, told
