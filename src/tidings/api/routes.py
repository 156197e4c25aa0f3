"""Routes over HTTP: several providers behind one name."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidings import campaigns, delivery
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, CampaignRef, Flag, Name, ProviderRef, RouteRef
from tidings.api._route import Route as ApiRoute
from tidings.core.ids import CampaignId, ProviderId, RouteId, public_id
from tidings.delivery import Route, RouteMember, Strategy

router = APIRouter(prefix="/routes", tags=["providers"], route_class=ApiRoute)
campaign_router = APIRouter(prefix="/campaigns", tags=["campaigns"], route_class=ApiRoute)

Reading = Annotated[Call, needs("providers:read")]
Writing = Annotated[Call, needs("providers:write")]
Seeing = Annotated[Call, needs("campaigns:read")]


class MemberIn(Body):
    """A provider of a route."""

    provider_id: ProviderRef
    weight: Annotated[int, Field(ge=1, le=1000, description="weighted: its share, relative to the others'")] = 1
    priority: Annotated[int, Field(ge=1, le=1000, description="priority: the least number goes first")] = 1


Members = Annotated[list[MemberIn], Field(min_length=1, max_length=32)]


class NewRoute(Body):
    """Providers, and how one of them is chosen for each message."""

    name: Name
    strategy: Strategy
    providers: Members
    is_default: Annotated[
        Flag, Field(description="what names no provider goes through it, instead of the default provider")
    ] = False


class RouteChanges(Body):
    """What to change; what is left out stays. `providers` is replaced as a whole."""

    name: Name | None = None
    strategy: Strategy | None = None
    providers: Members | None = None
    is_default: Flag | None = None


class MemberOut(BaseModel):
    """A provider of a route. `health` is empty while nothing is wrong."""

    provider_id: str
    name: str
    weight: int
    priority: int
    health: str


class RouteOut(BaseModel):
    """Several providers behind one name: wherever a `provider_id` is asked for, a route's id can be given."""

    id: str
    name: str
    strategy: Strategy
    providers: list[MemberOut]
    is_default: bool
    created_at: datetime
    updated_at: datetime


class Routes(BaseModel):
    """All of a workspace's routes."""

    items: list[RouteOut]


class ShareOut(BaseModel):
    """A provider's part in a campaign: what it answered, attempt by attempt."""

    provider_id: str
    name: str
    accepted: int
    deferred: int
    bounced: int
    failed: int
    unknown: int


class Shares(BaseModel):
    """Who carried a campaign, whoever carried most first."""

    items: list[ShareOut]


@router.post("", status_code=201)
async def add_route(body: NewRoute, call: Writing) -> RouteOut:
    """Add a route: round_robin, weighted, least_loaded, or priority with failover."""
    route = await delivery.add_route(
        call.tx,
        workspace=call.workspace,
        name=body.name,
        strategy=body.strategy,
        members=_members(body.providers),
        is_default=body.is_default,
        by=call.principal,
        now=call.now,
    )
    return (await _shown(call, [route]))[0]


@router.get("")
async def list_routes(call: Reading) -> Routes:
    """All of them, the default first."""
    return Routes(items=await _shown(call, await delivery.list_routes(call.tx, workspace=call.workspace)))


@router.get("/{route_id}")
async def get_route(route_id: RouteRef, call: Reading) -> RouteOut:
    """One of them, and how its providers are."""
    route = await delivery.get_route(call.tx, workspace=call.workspace, route=RouteId(route_id))
    return (await _shown(call, [route]))[0]


@router.patch("/{route_id}")
async def update_route(route_id: RouteRef, body: RouteChanges, call: Writing) -> RouteOut:
    """Change it; running sends go on with the new providers within a second."""
    route = await delivery.update_route(
        call.tx,
        workspace=call.workspace,
        route=RouteId(route_id),
        name=body.name,
        strategy=body.strategy,
        members=None if body.providers is None else _members(body.providers),
        is_default=body.is_default,
        by=call.principal,
        now=call.now,
    )
    return (await _shown(call, [route]))[0]


@router.delete("/{route_id}", status_code=204)
async def delete_route(route_id: RouteRef, call: Writing) -> None:
    """Nothing new goes through it. What is on its way goes on with the providers it has."""
    await delivery.delete_route(
        call.tx, workspace=call.workspace, route=RouteId(route_id), by=call.principal, now=call.now
    )


@campaign_router.get("/{campaign_id}/providers")
async def campaign_providers(campaign_id: CampaignRef, call: Seeing) -> Shares:
    """Which provider carried how much of a campaign, and what it answered."""
    campaign = await campaigns.get_campaign(call.tx, workspace=call.workspace, campaign=CampaignId(campaign_id))
    if campaign.send_id is None:
        return Shares(items=[])
    shares = await delivery.provider_shares(call.tx, workspace=call.workspace, send=campaign.send_id)
    return Shares(
        items=[
            ShareOut(
                provider_id=public_id("provider", one.provider),
                name=one.name,
                accepted=one.accepted,
                deferred=one.deferred,
                bounced=one.bounced,
                failed=one.failed,
                unknown=one.unknown,
            )
            for one in shares
        ]
    )


def _members(given: list[MemberIn]) -> list[RouteMember]:
    return [RouteMember(ProviderId(one.provider_id), one.weight, one.priority) for one in given]


async def _shown(call: Call, routes: list[Route]) -> list[RouteOut]:
    found = await delivery.list_providers(call.tx, workspace=call.workspace)
    providers = {one.id: one for one in found}
    return [
        RouteOut(
            id=public_id("route", route.id),
            name=route.name,
            strategy=route.strategy,
            providers=[
                MemberOut(
                    provider_id=public_id("provider", one.provider),
                    name=providers[one.provider].name,
                    weight=one.weight,
                    priority=one.priority,
                    health=providers[one.provider].health,
                )
                for one in route.members
            ],
            is_default=route.is_default,
            created_at=route.created_at,
            updated_at=route.updated_at,
        )
        for route in routes
    ]
