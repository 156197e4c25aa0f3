"""What providers told us, over HTTP: as it came, for people who look into it."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tidings import delivery
from tidings.api._deps import Call, needs
from tidings.api._fields import ProviderRef
from tidings.api._route import Route
from tidings.api.providers import notification_url
from tidings.core.ids import ProviderId

router = APIRouter(prefix="/providers", tags=["providers"], route_class=Route)


class NotificationOut(BaseModel):
    """One event, in our words and raw."""

    received_at: datetime
    at: datetime = Field(description="when it happened, as the provider says")
    happening: str = Field(
        description="delivered, deferred, bounced, rejected, complained, unsubscribed, opened, clicked or unknown"
    )
    email: str
    message_id: str
    bounce: str | None = Field(description="of a bounce: hard, soft, mailbox_full, block, policy or unknown")
    status: str
    reason: str
    matched: bool = Field(description="whether it belongs to a message of this workspace")
    raw: dict[str, Any]


class Notifications(BaseModel):
    """Where they come in, what they still need, and the latest of the last weeks."""

    url: str
    missing: str = Field(description="the setting without which they cannot be verified, and are refused; empty: none")
    items: list[NotificationOut]


@router.get("/{provider_id}/notifications")
async def list_notifications(
    provider_id: ProviderRef,
    call: Annotated[Call, needs("providers:read")],
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Notifications:
    """The latest notifications of a provider, newest first, raw; kept for thirty days."""
    provider = await delivery.get_provider(call.tx, workspace=call.workspace, provider=ProviderId(provider_id))
    receiver = await delivery.notification_receiver(
        call.tx, workspace=call.workspace, provider=provider.id, keys=call.app.keys
    )
    kept = await delivery.latest_feedback(call.tx, workspace=call.workspace, provider=provider.id, limit=limit)
    return Notifications(
        url=notification_url(call, provider),
        missing=receiver.missing if provider.kind in delivery.NOTIFYING_KINDS else "",
        items=[NotificationOut(**one) for one in kept],
    )
