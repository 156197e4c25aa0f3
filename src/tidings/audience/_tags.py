"""Tags: words on contacts, and the colours they are shown in."""

from collections.abc import Iterable
from datetime import datetime

from tidings.core.db import Tx
from tidings.core.ids import WorkspaceId

# The names that are there already are left out first: an id is drawn from the sequence for every row that conflicts.
_REGISTER = """
INSERT INTO tags (workspace_id, name, created_at)
SELECT $1, name, $3 FROM unnest($2::text[]) AS t (name)
WHERE NOT EXISTS (SELECT FROM tags AS k WHERE k.workspace_id = $1 AND k.name = t.name)
ORDER BY name
ON CONFLICT (workspace_id, name) DO NOTHING
"""


async def register_tags(tx: Tx, *, workspace: WorkspaceId, names: Iterable[str], now: datetime) -> None:
    """Whoever puts tags on contacts tells their names, cleaned by `clean_contact`: they appear among the tags."""
    if wanted := sorted(set(names)):
        await tx.execute(_REGISTER, workspace, wanted, now)
