"""Files that templates and campaigns bring along. Neither they nor their bytes ever change: they are there, or deleted.

Their bytes are in the database: frozen in the transaction of the launch, at hand for every worker, in the same backup as
the sends that need them (see docs/decisions, 0201). They are deleted in one transaction, file and bytes, when nothing needs
them any more (0260). Whoever begins to need a file holds its row until the end of the transaction; who deletes one waits for
those, and then asks who needs it.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidings.accounts import Principal, audit
from tidings.content._attachment_rules import (
    content_id_problem,
    content_problem,
    content_type_of,
    filename_problem,
    shown_problem,
    sizes_problem,
    type_problem,
)
from tidings.core.db import Tx
from tidings.core.errors import Conflict, FieldProblem, Invalid, NotFound
from tidings.core.ids import AttachmentId, WorkspaceId, public_id

_COLUMNS = "id, encode(hash, 'hex') AS hash, filename, content_type, size, content_id, created_by, created_at"


class AttachmentNotFound(NotFound):
    """There is no such attachment in this workspace."""

    code = "attachment_not_found"


class AttachmentInvalid(Invalid):
    """A file that cannot be attached; `fields` says why."""

    code = "invalid_attachment"


class AttachmentInUse(Conflict):
    """Templates, campaigns or messages that are still to go out bring this file along."""

    code = "attachment_in_use"


class AttachmentDeleted(Conflict):
    """A file that this needs was deleted meanwhile."""

    code = "attachment_deleted"


@dataclass(frozen=True, slots=True)
class Attached:
    """A file as a message brings it along: what a send keeps for ever. `hash` in hexadecimal finds its bytes."""

    hash: str
    filename: str
    content_type: str
    size: int
    content_id: str
    """'' : attached; else an image that the HTML shows as `cid:…`."""


@dataclass(frozen=True, slots=True)
class StoredAttachment(Attached):
    """One that templates and campaigns may name."""

    id: AttachmentId
    created_by: str
    created_at: datetime

    @property
    def attached(self) -> Attached:
        """What a send keeps of it."""
        return Attached(self.hash, self.filename, self.content_type, self.size, self.content_id)


async def add_attachment(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    filename: str,
    content: bytes,
    content_type: str = "",
    content_id: str = "",
    by: Principal,
    now: datetime,
) -> StoredAttachment:
    """Keep a file. `content_type` '' is told from the name. Raises AttachmentInvalid, naming fields."""
    # In a thread: archives are looked into, and megabytes are hashed.
    digest = await asyncio.to_thread(_checked, filename, content, content_type, content_id)
    # Bytes that are there are locked: nobody deletes them between this and the row that needs them.
    await tx.execute(
        "INSERT INTO attachment_files AS f (workspace_id, hash, content) VALUES ($1, $2, $3) "
        "ON CONFLICT (workspace_id, hash) DO UPDATE SET hash = f.hash",
        workspace,
        digest,
        content,
    )
    row = await tx.fetchrow(
        f"""
        INSERT INTO attachments (workspace_id, hash, filename, content_type, size, content_id, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {_COLUMNS}
        """,  # noqa: S608 - our own words
        workspace,
        digest,
        filename,
        content_type_of(filename, content_type),
        len(content),
        content_id,
        by.actor,
        now,
    )
    made = _of_row(row)
    await audit(tx, by=by, action="attachment.added", subject=public_id("attachment", made.id), now=now)
    return made


async def get_attachment(tx: Tx, *, workspace: WorkspaceId, attachment: AttachmentId) -> StoredAttachment:
    """One attachment. Raises AttachmentNotFound."""
    found = await _found(tx, workspace, [attachment])
    if not found:
        raise AttachmentNotFound(f"there is no {public_id('attachment', attachment)}")
    return found[attachment]


async def list_attachments(
    tx: Tx, *, workspace: WorkspaceId, search: str = "", before: int | None = None, offset: int = 0, limit: int = 50
) -> list[StoredAttachment]:
    """Files, newest first, whose name has `search` in it."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM attachments WHERE {_SEARCHED} AND ($3::bigint IS NULL OR id < $3) "  # noqa: S608 - our own words
        "ORDER BY id DESC OFFSET $4 LIMIT $5",
        workspace,
        search.strip().lower(),
        before,
        offset,
        limit,
    )
    return [_of_row(row) for row in rows]


_SEARCHED = "workspace_id = $1 AND ($2::text = '' OR strpos(lower(filename), $2) > 0)"


async def count_attachments(tx: Tx, *, workspace: WorkspaceId, search: str = "") -> int:
    """How many `list_attachments` would find in all."""
    return await tx.fetchval(
        f"SELECT count(*) FROM attachments WHERE {_SEARCHED}",  # noqa: S608 - our own words
        workspace,
        search.strip().lower(),
    )


async def attachments_of(
    tx: Tx, *, workspace: WorkspaceId, ids: Sequence[int], beside: Sequence[Attached] = (), field: str
) -> list[StoredAttachment]:
    """The attachments with these ids, in this order, which go with one message together with those of `beside`.

    Nobody deletes them before the transaction ends. Raises AttachmentInvalid, naming `field`: for one that there is not, and
    when they are too large together.
    """
    if not ids:
        return []
    found = await _found(tx, workspace, ids, hold=True)
    problems = [
        FieldProblem(f"{field}[{index}]", f"there is no {public_id('attachment', id_)}")
        for index, id_ in enumerate(ids)
        if id_ not in found
    ]
    some = [found[AttachmentId(id_)] for id_ in ids if id_ in found]
    shown = [one.content_id.lower() for one in (*beside, *some) if one.content_id]
    if len(set(ids)) != len(ids):
        problems.append(FieldProblem(field, "name the same attachment twice"))
    elif len(shown) != len(set(shown)):
        problems.append(FieldProblem(field, "have the same content_id twice, with the template's"))
    elif problem := sizes_problem([one.size for one in (*beside, *some)]):
        problems.append(FieldProblem(field, problem + (" (with the template's)" if beside else "")))
    if problems:
        raise AttachmentInvalid("; ".join(f"{one.field}: {one.message}" for one in problems), fields=tuple(problems))
    return some


async def missing_attachments(tx: Tx, *, workspace: WorkspaceId, ids: Sequence[int]) -> set[int]:
    """Which of these there are not, or not any more; nobody deletes the others before the transaction ends."""
    return set(ids) - set(await _found(tx, workspace, ids, hold=True)) if ids else set()


async def lock_attachment(tx: Tx, *, workspace: WorkspaceId, attachment: AttachmentId) -> StoredAttachment:
    """One attachment that is about to be deleted: nobody comes to need it or its bytes any more. Raises AttachmentNotFound."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM attachments WHERE workspace_id = $1 AND id = $2 FOR UPDATE",  # noqa: S608 - our own words
        workspace,
        attachment,
    )
    if row is None:
        raise AttachmentNotFound(f"there is no {public_id('attachment', attachment)}")
    await tx.execute(
        "SELECT FROM attachment_files WHERE workspace_id = $1 AND hash = $2 FOR UPDATE",
        workspace,
        bytes.fromhex(row["hash"]),
    )
    return _of_row(row)


async def delete_attachment(
    tx: Tx, *, workspace: WorkspaceId, attachment: AttachmentId, used_by: Sequence[str], by: Principal, now: datetime
) -> None:
    """Delete a file, and its bytes unless another file has the same: at the commit both are gone, or neither.

    `used_by`: the ids of campaigns and messages that still need it, looked for after `lock_attachment`. Raises
    AttachmentNotFound; AttachmentInUse naming those and the templates that bring it along now.
    """
    found = await lock_attachment(tx, workspace=workspace, attachment=attachment)
    rows = await tx.fetch(_USING_TEMPLATES, workspace, attachment)
    if users := [*(public_id("template", row["id"]) for row in rows), *used_by]:
        raise AttachmentInUse(
            f"{public_id('attachment', attachment)} goes along with {', '.join(users)}: take it out of templates and drafts, "
            "and wait for what is still to go out, or cancel it"
        )
    await tx.execute("DELETE FROM attachments WHERE workspace_id = $1 AND id = $2", workspace, attachment)
    await tx.execute(_DELETE_BYTES, workspace, bytes.fromhex(found.hash))
    subject = public_id("attachment", attachment)
    await audit(tx, by=by, action="attachment.deleted", subject=subject, detail={"name": found.filename}, now=now)


_USING_TEMPLATES = """
SELECT t.id FROM templates AS t
JOIN template_versions AS v ON v.workspace_id = t.workspace_id AND v.template_id = t.id AND v.version = t.version
WHERE t.workspace_id = $1 AND t.deleted_at IS NULL AND $2 = ANY (v.attachment_ids)
ORDER BY t.id LIMIT 10
"""
_DELETE_BYTES = """
DELETE FROM attachment_files AS f WHERE workspace_id = $1 AND hash = $2
AND NOT EXISTS (SELECT FROM attachments AS a WHERE a.workspace_id = f.workspace_id AND a.hash = f.hash)
"""


async def hold_files(tx: Tx, *, workspace: WorkspaceId, attached: Sequence[Attached]) -> None:
    """Let nobody delete the bytes of these before the transaction ends. Raises AttachmentDeleted, naming those that are gone."""
    if not attached:
        return
    rows = await tx.fetch(
        "SELECT hash FROM attachment_files WHERE workspace_id = $1 AND hash = ANY ($2::bytea[]) FOR KEY SHARE",
        workspace,
        [bytes.fromhex(one.hash) for one in attached],
    )
    there = {row["hash"].hex() for row in rows}
    if gone := [one.filename for one in attached if one.hash not in there]:
        raise AttachmentDeleted(f"{', '.join(gone)}: attached to it, and deleted since")


async def load_files(tx: Tx, *, workspace: WorkspaceId, attached: Sequence[Attached]) -> Mapping[str, bytes]:
    """The bytes of attachments, by their hash in hexadecimal."""
    rows = await tx.fetch(
        "SELECT hash, content FROM attachment_files WHERE workspace_id = $1 AND hash = ANY ($2::bytea[])",
        workspace,
        [bytes.fromhex(one.hash) for one in attached],
    )
    return {row["hash"].hex(): row["content"] for row in rows}


def _checked(filename: str, content: bytes, content_type: str, content_id: str) -> bytes:
    """The SHA-256 of a file that may be attached."""
    problems = [
        FieldProblem(field, problem)
        for field, problem in (
            ("filename", filename_problem(filename)),
            (
                "file",
                "is empty"
                if not content
                else _file_problem(content, content_id, content_type_of(filename, content_type)),
            ),
            ("content_type", type_problem(content_type)),
            ("content_id", content_id_problem(content_id, content_type_of(filename, content_type))),
        )
        if problem
    ]
    if problems:
        raise AttachmentInvalid("; ".join(f"{one.field}: {one.message}" for one in problems), fields=tuple(problems))
    return hashlib.sha256(content).digest()


def _file_problem(content: bytes, content_id: str, content_type: str) -> str:
    return sizes_problem([len(content)]) or content_problem(content) or shown_problem(content, content_id, content_type)


async def _found(
    tx: Tx, workspace: WorkspaceId, ids: Sequence[int], *, hold: bool = False
) -> dict[AttachmentId, StoredAttachment]:
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM attachments WHERE workspace_id = $1 AND id = ANY ($2::bigint[])"  # noqa: S608
        + (" ORDER BY id FOR KEY SHARE" if hold else ""),
        workspace,
        list(ids),
    )
    return {(one := _of_row(row)).id: one for row in rows}


def _of_row(row: Any) -> StoredAttachment:
    values: dict[str, Any] = dict(row.items())
    return StoredAttachment(**values)
