"""The schema comes up, and coming up again changes nothing."""

import re
from pathlib import Path

from tidings.core.db import Database
from tidings.core.migrations import migrate

_VERSIONS = Path(__file__).resolve().parents[2] / "migrations" / "versions"


async def test_migrating_twice_is_harmless(db: Database) -> None:
    await migrate(db.url)
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM deliveries") == 0
        # The end of the chain: numbers are given out ahead of time, so the highest need not be the last.
        texts = [path.read_text() for path in _VERSIONS.glob("0*.py")]
        followed = {before for text in texts for before in re.findall(r'^down_revision = "(\d+)"', text, re.MULTILINE)}
        (newest,) = {path.name[:4] for path in _VERSIONS.glob("0*.py")} - followed
        assert await connection.fetchval("SELECT version_num FROM alembic_version") == newest


async def test_every_tenant_table_leads_with_the_workspace(db: Database) -> None:
    async with db.connection() as connection:
        rows = await connection.fetch(
            """SELECT c.conrelid::regclass::text AS name, a.attname
               FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
               WHERE c.contype IN ('p', 'u') AND c.connamespace = 'public'::regnamespace"""
        )
    exempt = ("workspaces", "alembic_version", "pgqueuer", "event_sources", "recipient_domain")  # of no tenant
    assert [r["name"] for r in rows if r["attname"] != "workspace_id" and not r["name"].startswith(exempt)] == []
