"""Uploaded images as a block document shows them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tidings.content._media_library import MediaLibrary
from tidings.core.db import Tx
from tidings.core.ids import WorkspaceId, public_id

_NAMED = re.compile(r'"media_([1-9][0-9]{0,17})"')


@dataclass(frozen=True, slots=True)
class Shown:
    """Where an image is seen; `width` in pixels, 0 where nobody knows."""

    url: str
    width: int = 0
    alt_text: str = ""


NO_IMAGES: Mapping[str, Shown] = MappingProxyType({})


async def load_images(
    tx: Tx, *, workspace: WorkspaceId, source: str, library: MediaLibrary | None
) -> Mapping[str, Shown]:
    """The images that a block document, as JSON, may name, by id: those that are in the library."""
    named = [int(number) for number in _NAMED.findall(source)]
    if library is None or not named:
        return NO_IMAGES
    rows = await tx.fetch(
        """
        SELECT id, path, width, alt_text FROM media
        WHERE workspace_id = $1 AND id = ANY ($2::bigint[]) AND deleted_at IS NULL
        """,
        workspace,
        list(set(named)),
    )
    return {
        public_id("media", row["id"]): Shown(
            library.url(row["path"]),
            row["width"],
            # It is text, not Liquid.
            "" if "{{" in row["alt_text"] or "{%" in row["alt_text"] else row["alt_text"],
        )
        for row in rows
    }
