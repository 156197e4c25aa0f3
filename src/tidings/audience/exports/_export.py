"""Exports: contacts or suppressions as CSV or JSON lines, in one consistent picture, with no more in memory than is on its way."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg

from tidings.audience.exports._reading import STANDARD, Reading, chosen_fields, csv_reading, jsonl_reading
from tidings.audience.fields import declared_fields
from tidings.audience.lists import missing_lists
from tidings.audience.search import has_word, search_words
from tidings.audience.segments import missing_segments, segment_members
from tidings.audience.spreadsheets import safe_cell
from tidings.audience.states import ContactStatus, SubscriptionStatus
from tidings.audience.suppressions import Wanted, filters, table
from tidings.core.crypto import Keyring
from tidings.core.db import Database, Tx
from tidings.core.errors import Invalid
from tidings.core.ids import ListId, SegmentId, WorkspaceId, public_id

_ON_ITS_WAY = 8
"""Blocks between PostgreSQL and whoever reads: beyond that PostgreSQL waits."""

_BLOCK = 128 * 1024

_SUPPRESSION = (
    ("email", "s.address"),
    ("reason", "s.reason::text"),
    ("detail", "s.detail"),
    ("source", "s.source"),
    ("created_at", """to_char(s.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""),
)


class ExportFormat(StrEnum):
    """How rows are written."""

    CSV = "csv"
    """For spreadsheets, and any importing program."""
    JSONL = "jsonl"
    """A JSON object a line."""


@dataclass(frozen=True, slots=True)
class ExportOf:
    """Which contacts: all, or those that fit everything that is given. `subscription` is where they stand with `list`, `search`
    words that their address or name have."""

    list: ListId | None = None
    subscription: SubscriptionStatus | None = SubscriptionStatus.SUBSCRIBED
    segment: SegmentId | None = None
    status: ContactStatus | None = None
    tag: str | None = None
    search: str = ""


@dataclass(frozen=True, slots=True)
class ExportAs:
    """In which form. `fields` None: every standard column and every custom field that any contact has."""

    format: ExportFormat = ExportFormat.CSV
    fields: Sequence[str] | None = None
    safe: bool = True
    """Nothing that a spreadsheet takes for a formula (CSV only)."""
    bom: bool = False
    """A byte-order mark first, by which Excel knows UTF-8 (CSV only)."""


@asynccontextmanager
async def export_contacts(
    db: Database, *, workspace: WorkspaceId, of: ExportOf, as_: ExportAs, now: datetime
) -> AsyncGenerator[AsyncIterator[bytes], None]:
    """The export as blocks of bytes, from a connection of its own; leaving the block frees everything at once.

    Raises Invalid, with the field at fault, before there is anything to read.
    """
    async with _snapshot(db) as connection:
        source, values = await _source(connection, workspace, of, now)
        declared = list(await declared_fields(connection, workspace=workspace))
        if as_.fields is not None:
            fields = chosen_fields(as_.fields, declared)
        elif as_.format is ExportFormat.JSONL:
            fields = [*STANDARD, "attributes"]
        else:
            fields = [
                *STANDARD,
                *(f"attributes.{name}" for name in await _attributes(connection, source, values, declared)),
            ]
        if as_.format is ExportFormat.CSV:
            reading = csv_reading(fields, source=source, values=values, safe=as_.safe, bom=as_.bom)
        else:
            reading = jsonl_reading(fields, source=source, values=values)
        async with _copied(connection, reading, as_.format) as blocks:
            yield blocks


@asynccontextmanager
async def export_suppressions(
    db: Database,
    *,
    workspace: WorkspaceId,
    wanted: Wanted,
    keys: Keyring,
    format: ExportFormat,  # noqa: A002 - it is one
) -> AsyncGenerator[AsyncIterator[bytes], None]:
    """The suppression list in a form that can be imported again. Erased addresses are empty. Raises Invalid."""
    async with _snapshot(db) as connection:
        if wanted.list is not None and await missing_lists(connection, workspace=workspace, lists=[wanted.list]):
            raise Invalid.at("list_id", f"there is no list {public_id('list', wanted.list)}")
        where, values = filters(workspace, wanted, keys)
        if format is ExportFormat.CSV:
            cells = [(name, safe_cell(cell) if name in {"email", "detail"} else cell) for name, cell in _SUPPRESSION]
            select = ", ".join(f"{cell} AS {name}" for name, cell in cells)
            head = (",".join(name for name, _ in cells) + "\n").encode()
        else:
            pairs = ", ".join(f"'{name}', {cell}" for name, cell in _SUPPRESSION)
            select, head = f"json_build_object({pairs})::text", b""
        text = f"SELECT {select} FROM {table(wanted)} AS s WHERE {where} ORDER BY s.id"  # noqa: S608 - our own words
        async with _copied(connection, Reading(text, values, head), format) as blocks:
            yield blocks


async def count_exported(db: Database, *, workspace: WorkspaceId, of: ExportOf, now: datetime) -> int:
    """How many contacts `export_contacts` has. Raises Invalid."""
    async with db.connection() as connection:
        source, values = await _source(connection, workspace, of, now)
        return await connection.fetchval(
            f"SELECT count(*) FROM contacts AS c WHERE c.workspace_id = $1 AND {source}",  # noqa: S608 - our own words
            *values,
        )


@asynccontextmanager
async def _snapshot(db: Database) -> AsyncGenerator["asyncpg.Connection[asyncpg.Record]", None]:
    connection = await db.connect()
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        connection.terminate()


async def _source(tx: Tx, workspace: WorkspaceId, of: ExportOf, now: datetime) -> tuple[str, list[Any]]:
    """The condition on `c`, and its values; $1 is the workspace. Raises Invalid."""
    values: list[Any] = [workspace]
    conditions = ["true"]
    if of.list is not None:
        if await missing_lists(tx, workspace=workspace, lists=[of.list]):
            raise Invalid.at("list_id", f"there is no list {public_id('list', of.list)}")
        values.append(of.list)
        condition = (
            "EXISTS (SELECT FROM subscriptions AS x WHERE x.workspace_id = $1 AND x.contact_id = c.id"
            f" AND x.list_id = ${len(values)}::bigint"
        )
        if of.subscription is not None:
            values.append(of.subscription)
            condition += f" AND x.status = ${len(values)}::subscription_status"
        conditions.append(f"{condition})")
    if of.status is not None:
        values.append(of.status)
        conditions.append(f"c.status = ${len(values)}::contact_status")
    if of.tag is not None:
        values.append(of.tag)
        conditions.append(f"c.tags @> ARRAY[${len(values)}::text]")

    def value(one: Any) -> str:
        values.append(one)
        return f"${len(values)}"

    conditions += [f"({has_word(plain, key, value)})" for plain, key in await search_words(tx, of.search)]
    if of.segment is not None:
        if await missing_segments(tx, workspace=workspace, segments=[of.segment]):
            raise Invalid.at("segment_id", f"there is no segment {public_id('segment', of.segment)}")
        members = await segment_members(tx, workspace=workspace, segments=[of.segment], first=len(values) + 1, now=now)
        values += members.values
        conditions.append(f"c.id IN ({members.sql})")
    return " AND ".join(conditions), values


async def _attributes(tx: Tx, source: str, values: Sequence[Any], declared: Sequence[str]) -> list[str]:
    """The declared fields in their order, then whatever else these contacts have."""
    rows = await tx.fetch(
        f"""SELECT DISTINCT a.name FROM contacts AS c CROSS JOIN LATERAL jsonb_object_keys(c.attributes) AS a (name)
            WHERE c.workspace_id = $1 AND {source} AND c.attributes <> '{{}}' ORDER BY 1 LIMIT 1001""",  # noqa: S608 - our own words
        *values,
    )
    names = [*declared, *(row["name"] for row in rows if row["name"] not in set(declared))]
    if len(names) > 1000:
        raise Invalid.at(
            "fields", "there are more than 1,000 custom fields: name those you want, or ask for JSON lines"
        )
    return names


@asynccontextmanager
async def _copied(
    connection: "asyncpg.Connection[asyncpg.Record]", reading: Reading, format_: ExportFormat
) -> AsyncGenerator[AsyncIterator[bytes], None]:
    queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue(_ON_ITS_WAY)
    # JSON has no control characters, so with these nothing in it is ever quoted or escaped: each line is the row's text.
    marks = {"delimiter": "\x02", "quote": "\x01"} if format_ is ExportFormat.JSONL else {}

    async def copy() -> None:
        try:
            await connection.copy_from_query(
                reading.sql,
                *reading.values,
                output=queue.put,
                format="csv",
                **marks,  # pyright: ignore[reportArgumentType]
            )
        except Exception as error:  # noqa: BLE001 - raised where it is read
            await queue.put(error)
        else:
            await queue.put(None)

    copying = asyncio.ensure_future(copy())
    try:
        yield _blocks(reading.head, queue)
    finally:
        copying.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.wait({copying})


async def _blocks(head: bytes, queue: "asyncio.Queue[bytes | BaseException | None]") -> AsyncIterator[bytes]:
    block = bytearray(head)
    while (part := await queue.get()) is not None:
        if isinstance(part, BaseException):
            raise part
        block += part
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)
