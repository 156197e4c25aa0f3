"""The workspace's images: uploaded once, found by name, used in templates by address, never taken from mails already sent.

The file comes first, the row after it. Meanwhile a row in `media_doubts` says that the file may be nobody's: whatever
is still in doubt after a day was left by a process that died, and is swept. Nothing else in the store is ever touched.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidings.accounts import Principal, audit
from tidings.content._media_library import MediaLibrary, Received
from tidings.core.db import Database, Tx, sql
from tidings.core.errors import Conflict, Invalid, NotFound
from tidings.core.ids import MediaId, WorkspaceId, public_id

_COLUMNS = "id, path, name, alt_text, content_type, size, width, height, frames, created_by, created_at, updated_at, deleted_at"
_DOUBTED_FOR = timedelta(days=1)
_SWEPT_WITHIN = timedelta(minutes=10)
_SWEPT_AT_ONCE = 100
_SHOWN = r"(?<=/){}/[A-Za-z0-9_-]{{33}}\.(?:png|jpg|gif|webp)\b"
"""Paths of a workspace's images within addresses."""
_ERASED_NOW = "this very image is being erased at this moment; try again in ten minutes"


class MediaNotFound(NotFound):
    """There is no such image in this workspace."""

    code = "media_not_found"


class MediaInUse(Conflict):
    """Templates or blocks show this image."""

    code = "media_in_use"


class MediaBusy(Conflict):
    """This very image is being erased at this moment; a little later it can be uploaded."""

    code = "media_busy"


@dataclass(frozen=True, slots=True)
class Media:
    """An image. `width` and `height` in pixels as it is shown, `size` in bytes; `frames` above 1: it moves."""

    id: MediaId
    path: str
    name: str
    alt_text: str
    content_type: str
    size: int
    width: int
    height: int
    frames: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    """It is not in the library any more; mails that show it still do."""


async def add_media(
    db: Database,
    library: MediaLibrary,
    *,
    workspace: WorkspaceId,
    received: Received,
    name: str,
    alt_text: str = "",
    by: Principal,
    now: datetime,
) -> tuple[Media, bool]:
    """Keep an image; and whether it is new. The same bytes are the same image: it is answered as it is there.

    In transactions of its own, as the store is written to between them. Raises Invalid, MediaBusy, Unavailable.
    """
    name = _checked_name(name)
    _check_alt_text(alt_text)
    picture = received.picture
    path = library.path_of(workspace, received.sha256, picture.kind)
    async with db.transaction() as tx:
        await _doubt(tx, workspace, path, since=now, now=now)
    # Even if it is known: a store that lost it gets it back.
    await library.objects.put(
        path, received.file, size=picture.size, sha256=received.sha256.hex(), content_type=picture.kind
    )
    async with db.transaction() as tx:
        await _settle(tx, workspace, path)
        row = await tx.fetchrow(
            sql(__package__, "_add_media"),
            workspace,
            received.sha256,
            path,
            name,
            alt_text.strip(),
            picture.kind.value,
            picture.size,
            picture.width,
            picture.height,
            picture.frames,
            by.actor,
            now,
        )
        assert row is not None
        media = await get_media(tx, workspace=workspace, media=MediaId(row["id"]))
        if row["is_new"]:
            await audit(tx, by=by, action="media.added", subject=public_id("media", media.id), now=now)
    return media, row["is_new"]


async def get_media(tx: Tx, *, workspace: WorkspaceId, media: MediaId, lock: bool = False) -> Media:
    """One image, also one that was deleted. Raises MediaNotFound."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM media WHERE workspace_id = $1 AND id = $2" + (" FOR UPDATE" if lock else ""),  # noqa: S608 - our own words
        workspace,
        media,
    )
    if row is None:
        raise MediaNotFound(f"there is no {public_id('media', media)}")
    return Media(**dict(row.items()))


async def list_media(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    search: str = "",
    deleted: bool = False,
    before: int | None = None,
    offset: int = 0,
    limit: int = 50,
) -> list[Media]:
    """Images, newest first, whose name or description has `search` in it; `deleted`: those that were deleted instead."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM media WHERE {_FOUND} AND ($4::bigint IS NULL OR id < $4) "  # noqa: S608 - our own words
        "ORDER BY id DESC OFFSET $5 LIMIT $6",
        workspace,
        deleted,
        search.strip().lower(),
        before,
        offset,
        limit,
    )
    return [Media(**dict(row.items())) for row in rows]


_FOUND = (
    "workspace_id = $1 AND (deleted_at IS NOT NULL) = $2::boolean "
    "AND ($3::text = '' OR strpos(lower(name), $3) > 0 OR strpos(lower(alt_text), $3) > 0)"
)


async def count_media(tx: Tx, *, workspace: WorkspaceId, search: str = "", deleted: bool = False) -> int:
    """How many `list_media` would find in all."""
    return await tx.fetchval(
        f"SELECT count(*) FROM media WHERE {_FOUND}",  # noqa: S608 - our own words
        workspace,
        deleted,
        search.strip().lower(),
    )


_HOLD = "SELECT path FROM media WHERE workspace_id = $1 AND path = ANY ($2::text[]) ORDER BY id FOR KEY SHARE"


async def hold_media(tx: Tx, *, workspace: WorkspaceId, texts: Sequence[str], public_url: str = "") -> list[str]:
    """Images that these texts show are not erased before the transaction ends; the addresses of those that were already.

    Those of another installation are nobody's business: known are the addresses below `public_url`, and all that are just
    being erased.
    """
    shown: set[str] = set()
    for text in texts:
        shown.update(re.findall(_SHOWN.format(workspace), text))
    if not shown:
        return []
    rows = await tx.fetch(_HOLD, workspace, sorted(shown))
    unknown = sorted(shown - {row["path"] for row in rows})
    # A statement of its own: it sees who erased one while this was waiting for the row.
    erased = await tx.fetch(
        "SELECT path FROM media_doubts WHERE workspace_id = $1 AND path = ANY ($2::text[])", workspace, unknown
    )
    known = {row["path"] for row in erased}
    ours = f"{public_url}/m/"
    return [one for one in unknown if one in known or (public_url and any(ours + one in text for text in texts))]


async def lock_media(tx: Tx, *, workspace: WorkspaceId, media: MediaId, erase: bool, now: datetime) -> Media:
    """One image, before it is asked who shows it: nobody begins to before the transaction ends.

    Raises MediaNotFound, MediaBusy.
    """
    if erase:
        # Before the row is locked, in the order of add_media, lest each waits for the other.
        seen = await get_media(tx, workspace=workspace, media=media)
        await _doubt(tx, workspace, seen.path, since=now - _DOUBTED_FOR, now=now)
    return await get_media(tx, workspace=workspace, media=media, lock=True)


async def update_media(
    tx: Tx, *, workspace: WorkspaceId, media: MediaId, changes: Mapping[str, str], by: Principal, now: datetime
) -> Media:
    """Change `name` or `alt_text`; the address stays. Raises MediaNotFound, Invalid."""
    before = await get_media(tx, workspace=workspace, media=media, lock=True)
    name = _checked_name(changes.get("name", before.name))
    alt_text = changes.get("alt_text", before.alt_text).strip()
    _check_alt_text(alt_text)
    if (name, alt_text) != (before.name, before.alt_text):
        await tx.execute(
            "UPDATE media SET name = $3, alt_text = $4, updated_at = $5 WHERE workspace_id = $1 AND id = $2",
            workspace,
            media,
            name,
            alt_text,
            now,
        )
        await audit(tx, by=by, action="media.updated", subject=public_id("media", media), now=now)
    return await get_media(tx, workspace=workspace, media=media)


async def delete_media(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    media: MediaId,
    erase: bool = False,
    used_by: Sequence[str] = (),
    by: Principal,
    now: datetime,
) -> None:
    """Take an image out of the library. Mails that were sent show it for ever; but with `erase` its file goes, too.

    The file of one that is erased is swept by `sweep_media`, after the commit. Who finds out what it is used by has it locked
    before (`lock_media`). Raises MediaNotFound, MediaBusy; MediaInUse
    while a template, at its current version, or a block shows it, or what `used_by` names, such as campaigns on their way.
    """
    found = await lock_media(tx, workspace=workspace, media=media, erase=erase, now=now)
    if found.deleted_at is not None and not erase:
        return
    rows = await tx.fetch(sql(__package__, "_using_media"), workspace, found.path)
    if users := [public_id(row["kind"], row["id"]) for row in rows]:
        raise MediaInUse(f"{public_id('media', media)} is shown by {', '.join(users)}: take it out there first")
    if used_by:
        raise MediaInUse(
            f"{public_id('media', media)} is shown by {', '.join(used_by)}, still to go out: erase it when they are sent, or "
            "cancel them; without erase it can be deleted now"
        )
    if erase:
        await tx.execute("DELETE FROM media WHERE workspace_id = $1 AND id = $2", workspace, media)
    else:
        await tx.execute(
            "UPDATE media SET deleted_at = $3, updated_at = $3 WHERE workspace_id = $1 AND id = $2",
            workspace,
            media,
            now,
        )
    action = "media.erased" if erase else "media.deleted"
    await audit(tx, by=by, action=action, subject=public_id("media", media), detail={"name": found.name}, now=now)


async def sweep_media(db: Database, library: MediaLibrary, *, now: datetime) -> int:
    """Delete files that are nobody's: of uploads whose process died a day ago, and of images that were erased.

    How many were settled, a hundred at most: call it again while there are some. Raises Unavailable.
    """
    async with db.transaction() as tx:
        rows = await tx.fetch(
            sql(__package__, "_sweep_media"), now - _DOUBTED_FOR, now, now - _SWEPT_WITHIN, _SWEPT_AT_ONCE
        )
    for row in rows:
        if not row["is_known"]:
            await library.objects.delete(row["path"])
    async with db.transaction() as tx:
        await tx.execute(
            """
            DELETE FROM media_doubts AS d USING unnest($1::bigint[], $2::text[]) AS s (workspace_id, path)
            WHERE d.workspace_id = s.workspace_id AND d.path = s.path AND d.sweeping_at = $3
            """,
            [row["workspace_id"] for row in rows],
            [row["path"] for row in rows],
            now,
        )
    return len(rows)


async def _doubt(tx: Tx, workspace: WorkspaceId, path: str, *, since: datetime, now: datetime) -> None:
    """A file may come to be without a row. Not while a sweeper is at it: it would take the new file for the old one."""
    doubted = await tx.fetchval(
        """
        INSERT INTO media_doubts AS d (workspace_id, path, since) VALUES ($1, $2, $3)
        ON CONFLICT (workspace_id, path) DO UPDATE SET since = excluded.since, sweeping_at = NULL
        WHERE d.sweeping_at IS NULL OR d.sweeping_at < $4 RETURNING true
        """,
        workspace,
        path,
        since,
        now - _SWEPT_WITHIN,
    )
    if not doubted:
        raise MediaBusy(_ERASED_NOW)


async def _settle(tx: Tx, workspace: WorkspaceId, path: str) -> None:
    """The file is there: no sweeper was faster, and none will come before its row is there. Raises MediaBusy."""
    settled = await tx.fetchval(
        "DELETE FROM media_doubts WHERE workspace_id = $1 AND path = $2 AND sweeping_at IS NULL RETURNING true",
        workspace,
        path,
    )
    # Another upload of the same image may have settled it.
    if not settled and not await tx.fetchval(
        "SELECT true FROM media WHERE workspace_id = $1 AND path = $2 FOR UPDATE", workspace, path
    ):
        raise MediaBusy(_ERASED_NOW)


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 255 or not name.isprintable():
        raise Invalid.at("name", "must have 1 to 255 printable characters")
    return name


def _check_alt_text(alt_text: str) -> None:
    if len(alt_text) > 1000 or not alt_text.isprintable():
        raise Invalid.at("alt_text", "must be one line of at most 1,000 characters")
