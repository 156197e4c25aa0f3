"""Reading mail that came back: which message of ours each is about, and what it says of it.

By the return path that it arrived at; else by our Message-ID in what it gives back; else by the address that it names, if a
message went there of late. The first two carry a key that only whoever saw the message can know. The last does not: so it
never suppresses at once, and never complains for somebody.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tidings.core.db import Tx, sql
from tidings.core.ids import SendId, WorkspaceId
from tidings.core.loops import RETRYABLE
from tidings.delivery.bounces import Kind, Recipient, Report, ReturnPaths, classify
from tidings.delivery.feedback import Feedback, apply_feedback
from tidings.delivery.inbound._inbound import InboundState
from tidings.delivery.providers import FailureClass, Happening
from tidings.delivery.wire import MessageIds

_log = logging.getLogger(__name__)

_ROWS = 200
_RECENT = timedelta(days=14)
_HAPPENINGS = {
    "failed": Happening.BOUNCED,
    "delayed": Happening.DEFERRED,
    "delivered": Happening.DELIVERED,
    "complaint": Happening.COMPLAINED,
    "opt-out": Happening.UNSUBSCRIBED,
}
_BY_KIND = {
    Kind.BOUNCE: "failed",
    Kind.DELAYED: "delayed",
    Kind.DELIVERED: "delivered",
    Kind.COMPLAINT: "complaint",
}
_GRAVITY = ("complaint", "opt-out", "failed", "delayed", "delivered")
_WITHOUT_PROOF = {Happening.BOUNCED, Happening.DEFERRED}
_SETTLE = """
UPDATE inbound_messages AS i SET state = t.state, kind = t.kind, detail = t.detail, send_id = t.send_id, n = t.n,
    content = CASE WHEN t.state = 'unmatched' THEN i.content ELSE '' END
FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::integer[])
    AS t (id, state, kind, detail, send_id, n)
WHERE i.workspace_id = $1 AND i.id = t.id
"""
_LEAVING = """
SELECT workspace_id, id, CASE WHEN source IN ('smtp', 'lmtp') THEN sender ELSE '?' END AS sender, content FROM inbound_messages
WHERE state = 'waiting' AND recipient LIKE '%+unsubscribe@%' ORDER BY id LIMIT $1
"""


@dataclass(slots=True)
class _Read:
    """One message that was read, on its way to a feedback."""

    id: int
    report: Report
    recipient: Recipient | None
    send: SendId | None
    n: int | None
    row: Any
    proven: bool = True

    @property
    def address(self) -> str:
        return self.recipient.address.lower() if self.recipient is not None else ""


@dataclass(frozen=True, slots=True)
class Leaver:
    """Somebody who wrote to the address of List-Unsubscribe; `words` may hold the token of the message that they got."""

    workspace: WorkspaceId
    id: int
    words: str
    automatic: bool
    """A program wrote it for a person, such as a vacation notice or a report of failure: nobody asked for anything."""


async def take_inbound(tx: Tx, *, ids: MessageIds, paths: ReturnPaths, now: datetime) -> bool:
    """Read and apply the oldest reports, of one workspace; False when there are none, or another process is at it.

    What cannot be applied is logged and kept for people to see: it must not stop what comes behind it.
    """
    if not await tx.fetchval("SELECT pg_try_advisory_xact_lock(hashtext('tidings inbound'))"):
        return False
    rows = await tx.fetch(sql(__package__, "_inbound_take"), _ROWS)
    if not rows:
        return False
    workspace = WorkspaceId(rows[0]["workspace_id"])
    # A millisecond each: aside, so that the loop goes on with other work in between.
    read = await asyncio.to_thread(lambda: [_read(row, workspace, ids, paths, now) for row in rows])
    await _by_address(tx, workspace, read, now)
    reports = [(one, report) for one in read if (report := _feedback(one)) is not None]
    failed: set[int] = set()
    try:
        async with tx.transaction():
            await apply_feedback(tx, workspace=workspace, reports=[report for _, report in reports], now=now)
    except RETRYABLE:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, the others must go on
        _log.exception("mail that came back to workspace %s cannot be applied together: one by one", workspace)
        failed = await _one_by_one(tx, workspace, reports, now)
    applied = {one.id for one, _ in reports} - failed
    await _settle(tx, workspace, [_verdict(one, applied, failed) for one in read])
    return True


async def leaving_by_mail(tx: Tx, *, most: int = 100) -> list[Leaver]:
    """Who asked by mail to be taken out and waits for it. Tell `settle_leaver` when it is done."""
    rows = await tx.fetch(_LEAVING, most)
    return await asyncio.to_thread(lambda: [_leaver(row) for row in rows])


def _leaver(row: Any) -> Leaver:
    automatic = not row["sender"] or classify(row["content"]).kind is not Kind.OTHER
    return Leaver(WorkspaceId(row["workspace_id"]), row["id"], _subject(row["content"]), automatic)


async def settle_leaver(tx: Tx, *, leaver: Leaver, send: SendId | None, n: int | None, left: bool) -> None:
    """They are out; or (not `left`) the message names nobody, and is kept for people to see, or a program wrote it."""
    state = InboundState.APPLIED if left else InboundState.UNMATCHED
    detail = "" if left else "asks to be taken out, without a token of ours in the subject"
    if leaver.automatic:
        state, detail = InboundState.IGNORED, "a program wrote this, not a person who asks to be taken out"
    await _settle(tx, leaver.workspace, [(leaver.id, state, "unsubscribe", detail, send, n)])


def _subject(content: bytes) -> str:
    head = content[:20_000].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    lines = head.decode("utf-8", "replace").replace("\n ", " ").replace("\n\t", " ").split("\n")
    return next((line[8:].strip() for line in lines if line[:8].lower() == "subject:"), "")[:1000]


def _read(row: Any, workspace: WorkspaceId, ids: MessageIds, paths: ReturnPaths, now: datetime) -> _Read:
    report = classify(row["content"])
    recipient = min(
        (one for one in report.recipients if one.action in _GRAVITY),
        key=lambda one: _GRAVITY.index(one.action),
        default=None,
    )
    for address in (row["recipient"], *report.addressed_to):
        subject = paths.read(address, now=now)
        if subject is not None and subject.workspace == workspace:
            return _Read(row["id"], report, recipient, subject.send, subject.n, row)
    ref = ids.read(report.original_message_id) if report.original_message_id else None
    if ref is not None and ref.workspace == workspace:
        return _Read(row["id"], report, recipient, ref.send, ref.n, row)
    return _Read(row["id"], report, recipient, None, None, row, proven=False)


async def _by_address(tx: Tx, workspace: WorkspaceId, read: Sequence[_Read], now: datetime) -> None:
    lost = [one for one in read if one.send is None and one.address and _happening(one) in _WITHOUT_PROOF]
    if not lost:
        return
    addresses = sorted({one.address for one in lost})
    rows = await tx.fetch(sql(__package__, "_inbound_recent"), workspace, addresses, now - _RECENT)
    recent = {row["email"]: (SendId(row["send_id"]), row["n"]) for row in rows}
    for one in lost:
        one.send, one.n = recent.get(one.address, (None, None))


def _happening(one: _Read) -> Happening | None:
    action = one.recipient.action if one.recipient is not None else _BY_KIND.get(one.report.kind, "")
    return _HAPPENINGS.get(action) if one.report.kind in _BY_KIND else None


def _feedback(one: _Read) -> Feedback | None:
    happening = _happening(one)
    if happening is None or one.send is None:
        return None
    told = one.recipient
    bounce = None
    if happening is Happening.BOUNCED:
        bounce = told.kind if told is not None else FailureClass.UNKNOWN
        if bounce is FailureClass.HARD and not one.proven:
            bounce = FailureClass.SOFT  # anybody may have written this: it adds up, and suppresses nobody at once
    return Feedback(
        happening=happening,
        at=one.row["received_at"],
        address=one.address,
        send=one.send,
        n=one.n,
        message_id=one.report.original_message_id,
        event_id=one.row["digest"].hex(),
        bounce=bounce,
        status=told.status if told is not None else "",
        reason=told.reason if told is not None else "",
        source="arf" if one.report.kind is Kind.COMPLAINT else "dsn",
        raw={
            "inbound_message": f"inbound_{one.id}",
            "via": one.row["source"],
            "sender": one.row["sender"],
            "recipient": one.row["recipient"],
            "proven": one.proven,
            **one.report.as_dict(),
        },
    )


async def _one_by_one(
    tx: Tx, workspace: WorkspaceId, reports: Sequence[tuple[_Read, Feedback]], now: datetime
) -> set[int]:
    failed: set[int] = set()
    for one, report in reports:
        try:
            async with tx.transaction():
                await apply_feedback(tx, workspace=workspace, reports=[report], now=now)
        except RETRYABLE:
            raise
        except Exception:  # noqa: BLE001 - it stays for a person to look at
            _log.exception("message inbound_%s cannot be applied", one.id)
            failed.add(one.id)
    return failed


_Verdict = tuple[int, InboundState, str, str, SendId | None, int | None]


def _verdict(one: _Read, applied: set[int], failed: set[int]) -> _Verdict:
    kind = one.report.kind
    reason = one.recipient.reason if one.recipient is not None else ""
    detail = " ".join(reason.replace("\0", "").encode("utf-8", "replace").decode().split())[:500]
    if one.id in applied:
        return one.id, InboundState.APPLIED, kind, detail, one.send, one.n
    if one.id in failed:
        return one.id, InboundState.UNMATCHED, kind, "could not be applied; the log says why", one.send, one.n
    if kind in {Kind.AUTO_REPLY, Kind.RECEIPT, Kind.NOT_SPAM}:
        return one.id, InboundState.IGNORED, kind, detail, one.send, one.n
    if kind is Kind.OTHER:
        return one.id, InboundState.UNMATCHED, kind, "no report that we know how to read", one.send, one.n
    return one.id, InboundState.UNMATCHED, kind, detail or "about no message that we know of", None, None


async def _settle(tx: Tx, workspace: WorkspaceId, verdicts: Sequence[_Verdict]) -> None:
    await tx.execute(_SETTLE, workspace, *map(list, zip(*verdicts, strict=True)))
