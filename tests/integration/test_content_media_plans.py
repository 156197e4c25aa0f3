"""Images of a text are found by their paths, however many a workspace has."""

from tidings.content import _media
from tidings.core.db import Database
from tidings.core.ids import WorkspaceId


async def test_a_launch_reads_the_images_that_it_shows_alone(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO media (workspace_id, hash, path, name, alt_text, content_type, size, width, height, frames, created_by,
                created_at, updated_at)
            SELECT $1::bigint, sha256(i::text::bytea), $1::bigint || '/' || i || '.png', 'x', '', 'image/png',
                1, 1, 1, 1, '', now(), now()
            FROM generate_series(1, 5000) AS i
            """,
            workspace,
        )
        await tx.execute("ANALYZE media")
        await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        shown = [f"{workspace}/{n}.png" for n in (17, 4711, 9999)]
        rows = await tx.fetch(f"EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) {_media._HOLD}", workspace, shown)
    plan = "\n".join(row[0] for row in rows)
    assert "media_paths" in plan, plan
    assert "Rows Removed by Filter" not in plan, plan
