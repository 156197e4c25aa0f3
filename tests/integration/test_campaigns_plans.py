"""The plan behind the look-up of campaigns by their sends: it never reads all campaigns of a workspace."""

from tidings import campaigns
from tidings.campaigns import _report
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import SendId, WorkspaceId

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
