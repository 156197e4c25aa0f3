"""Accepting imports: contacts as JSON in one transaction, or a file that streams in, is looked at, and waits for its start."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from tidings.accounts import Principal, audit
from tidings.audience.fields import FieldType, clean_contact, declare_fields, declared_fields
from tidings.audience.imports._formats import DELIMITERS, ENCODINGS, HEAD, FileFormat, Utf8Scan, sniff
from tidings.audience.imports._mapping import Column, apply_mapping, source_of, suggest
from tidings.audience.imports._reader import look, stored_pieces
from tidings.audience.imports._states import JOB, Import, ImportPolicy, ImportStatus, get_import, lock_import
from tidings.audience.lists import missing_lists, require_lists
from tidings.core.db import Database, Tx
from tidings.core.errors import Invalid
from tidings.core.ids import ImportId, ListId, WorkspaceId, public_id
from tidings.core.jobs import enqueue

PIECE = 1024 * 1024
"""Bytes a stored piece."""

STATUSES = ("active", "unlisted", "unsubscribed", "bounced", "complained")
_FORGOTTEN = timedelta(days=7)
_FORGOTTEN_AT_ONCE = 100


class FileTooLarge(Invalid):
    """The file is larger than this installation takes."""

    code = "file_too_large"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read where that is not to be guessed. Empty: guess."""

    delimiter: str = ""
    encoding: str = ""
    header: bool | None = None
    sheet: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What is to be done with the rows. None: as it was, or as usual.

    `mapping` says for columns where they go (see `mapping.apply_mapping`), `status` what people are whose row says none.
    """

    lists: Sequence[ListId] | None = None
    tags: Sequence[str] | None = None
    policy: ImportPolicy | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    status: str | None = None


async def start_import(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    list: ListId | None,  # noqa: A002 - it is one
    contacts: Sequence[Any],
    lists: Sequence[ListId] = (),
    tags: Sequence[str] = (),
    policy: ImportPolicy = ImportPolicy.UPDATE,
    by: Principal,
    now: datetime,
) -> Import:
    """Accept rows as they are; each is checked when its turn comes. `list` and `lists` are where they go, all of them.

    Raises Invalid naming `list_id`, `list_ids`, `tags` or `policy`: a row says nothing of what it leaves out, so it can
    overwrite nothing with it.
    """
    if policy is ImportPolicy.OVERWRITE:
        raise Invalid.at("policy", "must be update or skip; overwrite is for files, which have columns: POST /imports")
    if list is not None and await missing_lists(tx, workspace=workspace, lists=[list]):
        raise Invalid.at("list_id", f"there is no list {public_id('list', list)}")
    await require_lists(tx, workspace=workspace, lists=lists, field="list_ids")
    everywhere = [*dict.fromkeys([*(() if list is None else (list,)), *lists])]
    pieces = _packed(contacts)
    number = await tx.fetchval(
        """INSERT INTO imports (workspace_id, list_id, list_ids, tags, policy, total, size, format, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id""",
        workspace,
        everywhere[0] if everywhere else None,
        everywhere,
        clean_contact({"tags": [*tags]}).tags or [],
        policy,
        len(contacts),
        sum(map(len, pieces)),
        FileFormat("contacts").as_json(),
        now,
    )
    await tx.execute(
        """INSERT INTO import_pieces (workspace_id, import_id, piece_no, bytes)
           SELECT $1, $2, position - 1, bytes FROM unnest($3::bytea[]) WITH ORDINALITY AS t (bytes, position)""",
        workspace,
        number,
        pieces,
    )
    await enqueue(tx, job=JOB, payload={"workspace": workspace, "import": number})
    detail = {"rows": len(contacts)}
    await audit(tx, by=by, action="import.started", subject=public_id("import", number), detail=detail, now=now)
    return await get_import(tx, workspace=workspace, import_=ImportId(number))


class Upload:
    """A file on its way into the database, in pieces of `PIECE`, each in a transaction of its own.

    Memory stays flat, and any host may work the file off. Use: `begin`, `write` …, `look`, `finish`; or `give_up`.
    """

    def __init__(self, db: Database, workspace: WorkspaceId, limit: int) -> None:
        self._db = db
        self._workspace = workspace
        self._limit = limit
        self._buffer = bytearray()
        self._number = 0
        self._scan = Utf8Scan()
        self._head = b""
        self._looked: list[Any] = []
        self.size = 0
        self.id = ImportId(0)

    async def begin(self, *, filename: str, now: datetime) -> None:
        """Make the import that the file belongs to."""
        async with self._db.transaction() as tx:
            self.id = ImportId(
                await tx.fetchval(
                    """INSERT INTO imports (workspace_id, status, filename, total, total_exact, created_at)
                       VALUES ($1, 'uploading', $2, 0, false, $3) RETURNING id""",
                    self._workspace,
                    _shown(filename),
                    now,
                )
            )

    async def write(self, data: bytes) -> None:
        """The next bytes. Raises FileTooLarge."""
        self.size += len(data)
        if self.size > self._limit:
            raise FileTooLarge.at(
                "file", f"is larger than {self._limit} bytes; split it, or raise TIDINGS_IMPORT_LIMIT_MB"
            )
        self._buffer += data
        while len(self._buffer) >= PIECE:
            await self._store(bytes(self._buffer[:PIECE]))
            del self._buffer[:PIECE]

    async def end(self, *, filename: str, reading: Reading) -> Import:
        """The file is complete: `look` and `finish`."""
        await self.look(filename=filename, reading=reading)
        async with self._db.transaction() as tx:
            return await self.finish(tx)

    async def look(self, *, filename: str, reading: Reading) -> None:
        """Look at the complete file, and suggest where its columns go. Raises Invalid, BrokenFile."""
        if self._buffer:
            await self._store(bytes(self._buffer))
        self._scan.feed(b"", last=True)
        format_ = _reading(sniff(self._head, filename=filename, encoding=self._scan.encoding), reading)
        pieces = stored_pieces(self._db, self._workspace, self.id)
        found = await look(pieces, format_, size=self.size)
        async with self._db.connection() as connection:
            declared = await declared_fields(connection, workspace=self._workspace)
        columns = await asyncio.to_thread(suggest, found["columns"], found["rows"], declared=declared)
        estimate = max(len(found["rows"]), self._scan.lines - format_.header if format_.kind == "csv" else 0)
        kept = format_.as_json() | {"source": source_of(found["columns"])}
        self._looked = [
            self.size,
            kept,
            [column.as_json() for column in columns],
            min(estimate, 2**31 - 1),
            _shown(filename),
        ]

    async def finish(self, tx: Tx) -> Import:
        """Keep what `look` found: from now on the import waits for its start."""
        await tx.execute(
            """UPDATE imports SET status = 'uploaded', size = $3, format = $4, columns = $5, total = $6, filename = $7
               WHERE workspace_id = $1 AND id = $2 AND status = 'uploading'""",
            self._workspace,
            self.id,
            *self._looked,
        )
        return await get_import(tx, workspace=self._workspace, import_=self.id)

    async def give_up(self) -> None:
        """The upload failed: nothing of it stays."""
        async with self._db.transaction() as tx:
            await tx.execute("DELETE FROM imports WHERE workspace_id = $1 AND id = $2", self._workspace, self.id)

    async def _store(self, piece: bytes) -> None:
        if len(self._head) < HEAD:
            self._head += piece[: HEAD - len(self._head)]
        self._scan.feed(piece)
        async with self._db.transaction() as tx:
            await tx.execute(
                "INSERT INTO import_pieces (workspace_id, import_id, piece_no, bytes) VALUES ($1, $2, $3, $4)",
                self._workspace,
                self.id,
                self._number,
                piece,
            )
        self._number += 1


async def queue_import(
    tx: Tx, *, workspace: WorkspaceId, import_: ImportId, choices: Choices, dry_run: bool, by: Principal, now: datetime
) -> Import:
    """Work off an uploaded file, or (dry run) count what that would do and change nothing.

    Custom fields that the mapping brings are declared when the work is real. Raises ImportNotFound, ImportState; Invalid
    naming `list_ids`, `tags`, `mapping…` or `status`.
    """
    job = await lock_import(tx, workspace=workspace, import_=import_, states=[ImportStatus.UPLOADED])
    lists = job.list_ids if choices.lists is None else [*dict.fromkeys(choices.lists)]
    await require_lists(tx, workspace=workspace, lists=lists, field="list_ids")
    tags = job.tags if choices.tags is None else clean_contact({"tags": [*choices.tags]}).tags or []
    status = choices.status or job.status_all
    if status not in STATUSES:
        raise Invalid.at("status", f"must be one of {', '.join(STATUSES)}")
    declared = await declared_fields(tx, workspace=workspace)
    columns = apply_mapping([Column.of(c) for c in job.columns], choices.mapping, declared=declared)
    if not dry_run:
        wanted = [(c.custom, FieldType(c.type or "text"), c.label) for c in columns if c.custom is not None]
        declared = await declare_fields(tx, workspace=workspace, fields=wanted, now=now)
        columns = [_as_declared(column, declared) for column in columns]
    await tx.execute(
        """UPDATE imports SET status = 'queued', dry_run = $3, list_ids = $4, list_id = $5, tags = $6, policy = $7,
               columns = $8, status_all = $9, started_at = NULL
           WHERE workspace_id = $1 AND id = $2""",
        workspace,
        import_,
        dry_run,
        lists,
        lists[0] if lists else None,
        tags,
        choices.policy or job.policy,
        [column.as_json() for column in columns],
        status,
    )
    await enqueue(tx, job=JOB, payload={"workspace": workspace, "import": import_})
    if not dry_run:
        detail = {"filename": job.filename, "bytes": job.size}
        await audit(tx, by=by, action="import.started", subject=public_id("import", import_), detail=detail, now=now)
    return await get_import(tx, workspace=workspace, import_=import_)


async def cancel_import(tx: Tx, *, workspace: WorkspaceId, import_: ImportId, by: Principal, now: datetime) -> Import:
    """Stop an import that has not ended, after the batch at hand; what was processed stays. The file goes.

    Raises ImportNotFound, ImportState.
    """
    states = [ImportStatus.UPLOADING, ImportStatus.UPLOADED, ImportStatus.QUEUED, ImportStatus.RUNNING]
    await lock_import(tx, workspace=workspace, import_=import_, states=states)
    await tx.execute(
        "UPDATE imports SET status = 'cancelled', finished_at = $3 WHERE workspace_id = $1 AND id = $2",
        workspace,
        import_,
        now,
    )
    await tx.execute("DELETE FROM import_pieces WHERE workspace_id = $1 AND import_id = $2", workspace, import_)
    await audit(tx, by=by, action="import.cancelled", subject=public_id("import", import_), now=now)
    return await get_import(tx, workspace=workspace, import_=import_)


async def forget_uploads(tx: Tx, *, now: datetime) -> int:
    """Files that nobody started within a week, and those whose upload broke off, go; how many, at most 100 at once."""
    gone = await tx.execute(
        """DELETE FROM imports AS i
           USING (SELECT workspace_id, id FROM imports
                  WHERE status IN ('uploading', 'uploaded') AND created_at < $1
                  ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS old
           WHERE i.workspace_id = old.workspace_id AND i.id = old.id""",
        now - _FORGOTTEN,
        _FORGOTTEN_AT_ONCE,
    )
    return int(gone.rpartition(" ")[2])


def _packed(contacts: Sequence[Any]) -> list[bytes]:
    """A row a line, in pieces of about `PIECE`."""
    pieces: list[bytes] = []
    lines: list[bytes] = []
    size = 0
    for row in contacts:
        line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
        lines.append(line)
        size += len(line)
        if size >= PIECE:
            pieces.append(b"".join(lines))
            lines, size = [], 0
    return [*pieces, b"".join(lines)] if lines else pieces


def _reading(found: FileFormat, told: Reading) -> FileFormat:
    if told.encoding and told.encoding not in ENCODINGS:
        raise Invalid.at("encoding", f"must be one of {', '.join(ENCODINGS)}")
    if told.delimiter and (len(told.delimiter) != 1 or told.delimiter in '"\r\n\0'):
        raise Invalid.at("delimiter", f"must be one character, such as one of {' '.join(DELIMITERS.strip())} or a tab")
    return replace(
        found,
        encoding=told.encoding or found.encoding,
        delimiter=told.delimiter or found.delimiter,
        header=found.header if told.header is None else told.header,
        sheet=told.sheet,
    )


def _as_declared(column: Column, declared: Mapping[str, Any]) -> Column:
    if column.custom is None:
        return column
    known = declared.get(column.custom)
    type_, choices = ("text", []) if known is None else (str(known.type), list(known.choices))
    return replace(column, type=type_, choices=choices)


def _shown(filename: str) -> str:
    name = filename.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in name if c.isprintable())[:255].encode("utf-8", "replace").decode()
