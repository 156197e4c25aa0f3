"""Messages to single recipients as people look them up: what became of each, and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tidings.core.db import Tx
from tidings.core.errors import NotFound
from tidings.core.ids import ContactId, MessageId, ProviderId, RouteId, TemplateId, WorkspaceId, public_id
from tidings.delivery.states import DeliveryState
from tidings.delivery.wire import MessageKind

_COLUMNS = """
m.id, m.kind, m.contact_id AS contact, m.to_email, m.to_name, m.subject, m.template_id AS template, m.template_version,
s.provider_id AS provider, s.route_id AS route, d.provider_id AS went_through,
m.headers::text AS headers, m.attached::text AS attached, m.created_at,
d.state::text AS state, coalesce(d.detail, '') AS detail, d.attempts, d.possible_duplicate, d.at AS state_at,
(SELECT r.due_at FROM retries AS r
 WHERE r.workspace_id = m.workspace_id AND r.send_id = m.send_id AND r.n = m.n AND r.due_at < 'infinity') AS next_attempt_at,
m.send_id, m.n
"""
_FROM = """
FROM messages AS m
JOIN sends AS s ON s.workspace_id = m.workspace_id AND s.id = m.send_id
JOIN deliveries AS d ON d.workspace_id = m.workspace_id AND d.send_id = m.send_id AND d.n = m.n
"""
_EVENTS = """
SELECT type, at, agent, data FROM events
WHERE workspace_id = $1 AND send_id = $2 AND n = $3 AND at >= $4 ORDER BY at, id LIMIT 500
"""


class MessageNotFound(NotFound):
    """No such message in this workspace, or it is so old that it was forgotten."""

    code = "message_not_found"


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message and what became of it. `attempts` counts those whose outcome is known or was given up on."""

    id: MessageId
    kind: MessageKind
    contact: ContactId | None
    to_email: str
    to_name: str
    subject: str
    template: TemplateId | None
    template_version: int | None
    provider: ProviderId | None
    route: RouteId | None
    """It goes through the one or the other."""
    went_through: ProviderId | None
    """The provider of the last attempt, if there was one and it is known."""
    headers: Sequence[Sequence[str]]
    attached: Sequence[Mapping[str, Any]]
    state: DeliveryState
    detail: str
    """The server's words, or why it was not sent."""
    attempts: int
    possible_duplicate: bool
    created_at: datetime
    state_at: datetime | None
    """When it came into its state; None while it waits for its first attempt."""
    next_attempt_at: datetime | None
    send_id: int
    n: int


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """Something that happened to a message; `agent` is for hits."""

    type: str
    at: datetime
    agent: str
    data: Mapping[str, Any]


async def get_message(tx: Tx, *, workspace: WorkspaceId, message: MessageId) -> MessageView:
    """One message. Raises MessageNotFound."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} {_FROM} WHERE m.workspace_id = $1 AND m.id = $2",
        workspace,
        message,
    )
    if row is None:
        raise MessageNotFound(f"there is no message {public_id('message', message)}")
    return _of_row(row)


async def message_events(tx: Tx, *, message: MessageView, workspace: WorkspaceId) -> list[MessageEvent]:
    """What happened to it, in order: queued, what was told since, and where it stands now."""
    rows = await tx.fetch(_EVENTS, workspace, message.send_id, message.n, message.created_at)
    told = [MessageEvent("queued", message.created_at, "", {})]
    told += [MessageEvent(row["type"], row["at"], row["agent"], row["data"]) for row in rows]
    now = message.state
    if message.state_at is not None and now != DeliveryState.PENDING and not any(one.type == now for one in told):
        told.append(MessageEvent(now, message.state_at, "", {"reply": message.detail} if message.detail else {}))
    return sorted(told, key=lambda one: one.at)


async def list_messages(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    to_email: str | None = None,
    contact: ContactId | None = None,
    template: TemplateId | None = None,
    state: DeliveryState | None = None,
    before: int | None = None,
    offset: int = 0,
    limit: int = 50,
) -> list[MessageView]:
    """Messages, newest first: all, or those that fit; `before` continues below an id."""
    condition, values = _condition(workspace, to_email, contact, template, state, before)
    values += [limit, offset]
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} {_FROM} WHERE {condition} ORDER BY m.id DESC "
        f"LIMIT ${len(values) - 1} OFFSET ${len(values)}",
        *values,
    )
    return [_of_row(row) for row in rows]


async def count_messages(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    to_email: str | None = None,
    contact: ContactId | None = None,
    template: TemplateId | None = None,
    state: DeliveryState | None = None,
) -> int:
    """How many fit."""
    condition, values = _condition(workspace, to_email, contact, template, state, None)
    return await tx.fetchval(f"SELECT count(*) {_FROM} WHERE {condition}", *values)


def _condition(
    workspace: WorkspaceId,
    to_email: str | None,
    contact: ContactId | None,
    template: TemplateId | None,
    state: DeliveryState | None,
    before: int | None,
) -> tuple[str, list[Any]]:
    values: list[Any] = [workspace]
    conditions = ["m.workspace_id = $1"]
    for text, value in (
        ("m.to_email = ${}", to_email),
        ("m.contact_id = ${}", contact),
        ("m.template_id = ${}", template),
        ("d.state = ${}", state),
        ("m.id < ${}", before),
    ):
        if value is not None:
            values.append(value)
            conditions.append(text.format(len(values)))
    return " AND ".join(conditions), values


def _of_row(row: Any) -> MessageView:
    values: dict[str, Any] = dict(row)
    values["kind"], values["state"] = MessageKind(row["kind"]), DeliveryState(row["state"])
    values["headers"], values["attached"] = orjson.loads(row["headers"]), orjson.loads(row["attached"])
    return MessageView(**values)
