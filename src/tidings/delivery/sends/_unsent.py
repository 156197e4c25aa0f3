"""What is still to go out, or may be tried again, and needs something that somebody wants to delete."""

from dataclasses import asdict

from tidings.content import Attached
from tidings.core.db import Tx, sql
from tidings.core.ids import WorkspaceId, public_id


async def unsent_with(
    tx: Tx, *, workspace: WorkspaceId, attached: Attached | None = None, image: str = ""
) -> list[str]:
    """The ids of campaigns and messages that are not over yet and bring this file along, or show the image with this path.

    Ten at most. Over is what cannot be tried again by itself: sent and given up, or cancelled. Whoever asks has
    locked the file or the image before, so that no launch is under way that would not be seen.
    """
    file = None if attached is None else [asdict(attached)]
    rows = await tx.fetch(sql(__package__, "_unsent_with"), workspace, file, image)
    return [public_id(row["kind"], row["id"]) for row in rows]
