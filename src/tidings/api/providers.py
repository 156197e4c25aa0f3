"""Providers over HTTP: the ways out."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidings import campaigns, delivery
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, Flag, Name, ProviderRef
from tidings.api._route import Route
from tidings.core.errors import FieldProblem, Invalid
from tidings.core.ids import ProviderId, public_id
from tidings.delivery import ProviderSettings

router = APIRouter(prefix="/providers", tags=["providers"], route_class=Route)

Reading = Annotated[Call, needs("providers:read")]
Writing = Annotated[Call, needs("providers:write")]
Config = Annotated[
    dict[str, Any],
    Field(
        max_length=50,
        description="smtp: host, port, tls (none, starttls, tls), username, connections, rate_per_second, rate_per_day …",
        examples=[{"host": "smtp.example.com", "port": 587, "tls": "starttls", "username": "me", "connections": 10}],
    ),
]
Secret = Annotated[dict[str, str], Field(max_length=10, description="smtp: password. Stored encrypted, never shown.")]


class NewProvider(Body):
    """A way out, and the credentials for it."""

    name: Name
    kind: Annotated[
        str,
        Field(
            max_length=30, description="smtp, ses, sendgrid, mailgun, or sandbox (accepts everything, sends nothing)"
        ),
    ]
    config: Config = Field(default_factory=dict)
    secret: Secret = Field(default_factory=dict)
    is_default: Flag = False


class ProviderChanges(Body):
    """What to change; what is left out stays. `config` and `secret` are replaced as a whole."""

    name: Name | None = None
    config: Config | None = None
    secret: Secret | None = None
    is_default: Flag | None = None


class TroubleOut(BaseModel):
    """What one worker sees of a provider. `retry_at` is null while it waits for nothing in particular."""

    state: Annotated[
        str,
        Field(
            description="throttled, limited (a limit is reached), unreachable, stalled, open (left alone after errors), "
            "half_open (trying again), unusable",
            examples=["open"],
        ),
    ]
    detail: str
    since: datetime
    retry_at: datetime | None


class ProviderOut(BaseModel):
    """A way out. `health` is empty while nothing is wrong; `troubles` says what each worker sees, the worst first."""

    id: str
    name: str
    kind: str
    config: dict[str, Any]
    is_default: bool
    health: str
    troubles: list[TroubleOut]
    notification_url: str = Field(
        description="for the provider: where it reports what became of messages; empty if its kind reports nothing"
    )
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, provider: ProviderSettings, call: Call) -> "ProviderOut":
        """As JSON shows it."""
        return cls(
            id=public_id("provider", provider.id),
            name=provider.name,
            kind=provider.kind,
            config=provider.config,
            is_default=provider.is_default,
            health=provider.health,
            troubles=[
                TroubleOut(state=one.state, detail=one.detail, since=one.since, retry_at=one.retry_at)
                for one in provider.troubles
            ],
            notification_url=notification_url(call, provider),
            created_at=provider.created_at,
            updated_at=provider.updated_at,
        )


def notification_url(call: Call, provider: ProviderSettings) -> str:
    """Where this provider is to send its notifications; "" if its kind sends none."""
    if provider.kind not in delivery.NOTIFYING_KINDS:
        return ""
    token = delivery.NotificationTokens(call.app.keys).make(call.workspace, provider.id)
    return f"{call.app.public_url}/n/{token}"


class Providers(BaseModel):
    """All of a workspace's providers."""

    items: list[ProviderOut]


@router.post("", status_code=201)
async def add_provider(body: NewProvider, call: Writing) -> ProviderOut:
    """Add a way out. The first one is the default."""
    with _told_by_place(body):
        provider = await delivery.add_provider(
            call.tx,
            workspace=call.workspace,
            name=body.name,
            kind=body.kind,
            config=body.config,
            secret=body.secret,
            is_default=body.is_default,
            keys=call.app.keys,
            by=call.principal,
            now=call.now,
        )
    return ProviderOut.of(provider, call)


@router.get("")
async def list_providers(call: Reading) -> Providers:
    """All of them, the default first."""
    found = await delivery.list_providers(call.tx, workspace=call.workspace)
    return Providers(items=[ProviderOut.of(provider, call) for provider in found])


@router.get("/{provider_id}")
async def get_provider(provider_id: ProviderRef, call: Reading) -> ProviderOut:
    """One of them, and its health."""
    provider = await delivery.get_provider(call.tx, workspace=call.workspace, provider=ProviderId(provider_id))
    return ProviderOut.of(provider, call)


class LimitOut(BaseModel):
    """One limit. `scope` is null for the whole provider, else a mailbox provider or a domain."""

    scope: str | None
    per_second: float | None
    per_minute: int | None
    per_hour: int | None
    per_day: int | None
    used_minute: Annotated[
        int | None, Field(description="in the last minute; null without such a limit, like the others")
    ]
    used_hour: int | None
    used_day: int | None
    factor: Annotated[
        float, Field(description="of the limits at present: below 1 after the receiving side asked for less")
    ]
    pace: Annotated[
        float | None,
        Field(description="messages a second while it is slowed down and has no limit a second of its own"),
    ]
    slowed_at: datetime | None
    why: Annotated[
        str, Field(description="where a limit comes from that is not in the settings: the account's quota, a warm-up")
    ]
    reason: Annotated[str, Field(description="why it is slowed down, in the receiving side's words")]

    @classmethod
    def of(cls, use: delivery.LimitUse) -> "LimitOut":
        """As JSON shows it."""
        return cls(
            scope=use.scope or None,
            per_second=use.limit.per_second,
            per_minute=use.limit.per_minute,
            per_hour=use.limit.per_hour,
            per_day=use.limit.per_day,
            used_minute=use.used_minute,
            used_hour=use.used_hour,
            used_day=use.used_day,
            factor=use.factor,
            pace=use.pace,
            slowed_at=use.slowed_at,
            why=use.why,
            reason=use.reason,
        )


class LimitsOut(BaseModel):
    """All limits of a provider."""

    items: list[LimitOut]


@router.get("/{provider_id}/limits")
async def get_provider_limits(provider_id: ProviderRef, call: Reading) -> LimitsOut:
    """What may go through it, what of that is used, and what is slowed down."""
    found = await delivery.provider_limits(
        call.tx, workspace=call.workspace, provider=ProviderId(provider_id), now=call.now
    )
    return LimitsOut(items=[LimitOut.of(use) for use in found])


@router.patch("/{provider_id}")
async def update_provider(provider_id: ProviderRef, body: ProviderChanges, call: Writing) -> ProviderOut:
    """Change settings; running sends go on with the new ones within a second."""
    with _told_by_place(body):
        provider = await delivery.update_provider(
            call.tx,
            workspace=call.workspace,
            provider=ProviderId(provider_id),
            name=body.name,
            config=body.config,
            secret=body.secret,
            is_default=body.is_default,
            keys=call.app.keys,
            by=call.principal,
            now=call.now,
        )
    return ProviderOut.of(provider, call)


@contextmanager
def _told_by_place(body: NewProvider | ProviderChanges) -> Generator[None]:
    """Settings that are wrong are named by where they stand in the request: `config.host`, `secret.api_key`."""
    try:
        yield
    except Invalid as error:
        fields = tuple(FieldProblem(_place(one.field, body), one.message) for one in error.fields)
        told = "; ".join(f"{one.field}: {one.message}" for one in fields)
        raise Invalid(told or error.message, fields=fields) from None


def _place(field: str, body: NewProvider | ProviderChanges) -> str:
    name = field.partition(".")[0]
    if name in type(body).model_fields:
        return field
    if name in (body.config or {}):
        return f"config.{field}"
    secret = name in (body.secret or {}) or any(name in one.secrets for one in delivery.capabilities().values())
    return f"secret.{field}" if secret else f"config.{field}"


@router.delete("/{provider_id}", status_code=204)
async def delete_provider(provider_id: ProviderRef, call: Writing) -> None:
    """Let nothing go through it any more, and erase its credentials; reports go on naming it, and its name is free.

    Refused while a route has it, a draft or scheduled campaign names it, something is still to go through it, or it is the default
    beside others. Of its credentials only what verifies its notifications (Mailgun's signing key) is kept, for thirty days:
    late bounces and complaints still suppress.
    """
    await campaigns.delete_provider(
        call.tx,
        workspace=call.workspace,
        provider=ProviderId(provider_id),
        keys=call.app.keys,
        by=call.principal,
        now=call.now,
    )
