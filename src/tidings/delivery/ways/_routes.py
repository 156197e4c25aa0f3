"""Routes: several providers behind one name, and the rule by which one of them is chosen for each message."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg

from tidings.accounts import Principal, audit
from tidings.core.db import Tx
from tidings.core.errors import Conflict, FieldProblem, Invalid, NotFound
from tidings.core.ids import ProviderId, RouteId, WorkspaceId, public_id
from tidings.delivery.sends import ROUTE
from tidings.delivery.ways._providers import get_provider, hold_provider
from tidings.delivery.ways._troubles import in_words, troubles_of

MOST_MEMBERS = 32
_MOST_WEIGHT = 1000
_COLUMNS = "id, name, strategy, is_default, created_at, updated_at"


class Strategy(StrEnum):
    """How a route chooses among its providers, of those that can send at that moment."""

    ROUND_ROBIN = "round_robin"
    """In turn: each gets as many as the others."""
    WEIGHTED = "weighted"
    """In turn, in proportion to their weights."""
    LEAST_LOADED = "least_loaded"
    """Whichever has the most room: the fastest in the end."""
    PRIORITY = "priority"
    """The least number goes first; another only while all before it cannot send. Equals share in turn, by weight."""


class RouteNotFound(NotFound):
    """No such route in this workspace."""

    code = "route_not_found"


class RouteInUse(Conflict):
    """It was the name of another, or the way of a campaign that is still to come."""

    code = "route_in_use"


_HEED_WEIGHT = {Strategy.WEIGHTED, Strategy.PRIORITY}
_HEED_PRIORITY = {Strategy.PRIORITY}


@dataclass(frozen=True, slots=True)
class Way:
    """What a campaign or a message goes through: a provider, or a route."""

    provider: ProviderId | None = None
    route: RouteId | None = None

    @property
    def public(self) -> str:
        """As the API names it."""
        return public_id("route", self.route) if self.route else public_id("provider", self.provider or 0)


@dataclass(frozen=True, slots=True)
class RouteMember:
    """A provider of a route. `weight` counts for weighted, `priority` for priority."""

    provider: ProviderId
    weight: int = 1
    priority: int = 1


@dataclass(frozen=True, slots=True)
class Route:
    """Several providers behind one name."""

    id: RouteId
    name: str
    strategy: Strategy
    members: Sequence[RouteMember]
    is_default: bool
    created_at: datetime
    updated_at: datetime


async def add_route(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    name: str,
    strategy: Strategy | str,
    members: Sequence[RouteMember],
    is_default: bool,
    by: Principal,
    now: datetime,
) -> Route:
    """Add a route. Raises Invalid naming the field, RouteInUse for a name taken."""
    strategy = await _checked(tx, workspace, name, strategy, members, given=True)
    if is_default:
        await _no_default(tx, workspace)
    try:
        id_ = await tx.fetchval(
            """
            INSERT INTO routes (workspace_id, name, strategy, is_default, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $5) RETURNING id
            """,
            workspace,
            name.strip(),
            strategy,
            is_default,
            now,
        )
    except asyncpg.UniqueViolationError:
        raise RouteInUse(f"name: there is a route named {name!r} already") from None
    await _store(tx, workspace, RouteId(id_), members)
    await audit(tx, by=by, action="route.added", subject=public_id("route", id_), now=now)
    return await get_route(tx, workspace=workspace, route=RouteId(id_))


async def list_routes(tx: Tx, *, workspace: WorkspaceId) -> list[Route]:
    """All of a workspace's, the default first."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM routes WHERE workspace_id = $1 AND deleted_at IS NULL ORDER BY is_default DESC, id
        """,  # noqa: S608 - our own column names
        workspace,
    )
    return await _with_members(tx, workspace, rows)


async def get_route(tx: Tx, *, workspace: WorkspaceId, route: RouteId) -> Route:
    """One of them. Raises RouteNotFound, also when it was deleted."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM routes WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL",  # noqa: S608
        workspace,
        route,
    )
    if not rows:
        raise RouteNotFound(f"there is no route {public_id('route', route)}")
    return (await _with_members(tx, workspace, rows))[0]


async def default_way(tx: Tx, *, workspace: WorkspaceId) -> Way | None:
    """What campaigns and messages go through that name nothing; None while the workspace has no provider."""
    row = await tx.fetchrow(
        """
        SELECT r.id AS route, p.id AS provider FROM (SELECT) AS one
        LEFT JOIN routes AS r ON r.workspace_id = $1 AND r.is_default
        LEFT JOIN providers AS p ON p.workspace_id = $1 AND p.is_default AND r.id IS NULL
        """,
        workspace,
    )
    assert row is not None
    return Way(**row) if row["route"] or row["provider"] else None


async def find_way(
    tx: Tx, *, workspace: WorkspaceId, provider: ProviderId | None, route: RouteId | None, hold: bool = False
) -> Way | None:
    """The one of the two that is given, else the workspace's default. Raises RouteNotFound, ProviderNotFound.

    With `hold` nobody deletes it before the transaction ends: for what names it, or goes through it, from now on.
    """
    way = Way(provider, route) if provider or route else await default_way(tx, workspace=workspace)
    if way is None:
        return None
    if hold:
        await _hold(tx, workspace, way)
    elif way.route is not None:
        await get_route(tx, workspace=workspace, route=way.route)
    elif way.provider is not None:
        await get_provider(tx, workspace=workspace, provider=way.provider)
    return way


async def _hold(tx: Tx, workspace: WorkspaceId, way: Way) -> None:
    if way.provider is not None:
        await hold_provider(tx, workspace=workspace, provider=way.provider)
        return
    assert way.route is not None
    # A route's providers cannot be deleted while it has them, and it is not deleted before this transaction ends.
    held = await tx.fetchval(
        "SELECT true FROM routes WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL FOR KEY SHARE",
        workspace,
        way.route,
    )
    if not held:
        raise RouteNotFound(f"there is no route {public_id('route', way.route)}")


async def health_of_way(tx: Tx, *, workspace: WorkspaceId, way: Way) -> str:
    """What is wrong with what a campaign goes through, in words; '' while nothing is."""
    providers = [way.provider] if way.provider else []
    if way.route:
        route = await open_route(tx, workspace=workspace, route=way.route)
        providers = [one.provider for one in route.members]
    seen = await troubles_of(tx, workspace=workspace, providers=providers)
    if way.provider:
        return in_words(seen.get(way.provider, ()))
    names = {
        row["id"]: row["name"]
        for row in await tx.fetch(
            "SELECT id, name FROM providers WHERE workspace_id = $1 AND id = ANY ($2::bigint[])", workspace, list(seen)
        )
    }
    told = [f"{names.get(one, public_id('provider', one))}: {in_words(troubles)}" for one, troubles in seen.items()]
    return "; ".join(told)[:1000]


async def update_route(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    route: RouteId,
    name: str | None = None,
    strategy: Strategy | str | None = None,
    members: Sequence[RouteMember] | None = None,
    is_default: bool | None = None,
    by: Principal,
    now: datetime,
) -> Route:
    """Change what is given; running sends go on with the new members within a second. Raises like `add_route`.

    `is_default` false gives the word back to the workspace's default provider.
    """
    await tx.fetchval("SELECT true FROM routes WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE", workspace, route)
    before = await get_route(tx, workspace=workspace, route=route)
    name = before.name if name is None else name
    strategy = before.strategy if strategy is None else strategy
    after = before.members if members is None else members
    strategy = await _checked(tx, workspace, name, strategy, after, given=members is not None)
    if is_default and not before.is_default:
        await _no_default(tx, workspace)
    try:
        await tx.execute(
            """
            UPDATE routes SET name = $3, strategy = $4, is_default = $5, updated_at = $6
            WHERE workspace_id = $1 AND id = $2
            """,
            workspace,
            route,
            name.strip(),
            strategy,
            before.is_default if is_default is None else is_default,
            now,
        )
    except asyncpg.UniqueViolationError:
        raise RouteInUse(f"name: there is a route named {name!r} already") from None
    if members is not None:
        await tx.execute("DELETE FROM route_members WHERE workspace_id = $1 AND route_id = $2", workspace, route)
        await _store(tx, workspace, route, members)
        # Whom the limits of the others hold back may go through a new one.
        await tx.execute(
            "UPDATE providers SET limits_changed_at = $3 WHERE workspace_id = $1 AND id = ANY ($2::bigint[])",
            workspace,
            [one.provider for one in members],
            now,
        )
    await tx.execute("SELECT pg_notify($1, $2)", ROUTE, f"{workspace}:{route}")
    await audit(tx, by=by, action="route.updated", subject=public_id("route", route), now=now)
    return await get_route(tx, workspace=workspace, route=route)


async def delete_route(tx: Tx, *, workspace: WorkspaceId, route: RouteId, by: Principal, now: datetime) -> None:
    """Nothing new goes through it; what is on its way goes on with the providers it has. Raises RouteNotFound.

    Campaigns that name it and are still to come say at their launch that it is gone.
    """
    await tx.execute("SELECT FROM routes WHERE workspace_id = $1 AND id = $2 FOR UPDATE", workspace, route)
    await get_route(tx, workspace=workspace, route=route)
    await tx.execute(
        "UPDATE routes SET deleted_at = $3, is_default = false WHERE workspace_id = $1 AND id = $2",
        workspace,
        route,
        now,
    )
    await audit(tx, by=by, action="route.deleted", subject=public_id("route", route), now=now)


async def open_route(tx: Tx, *, workspace: WorkspaceId, route: RouteId) -> Route:
    """A route as a worker needs it: also one that was deleted, for what is still on its way. Raises RouteNotFound."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM routes WHERE workspace_id = $1 AND id = $2",  # noqa: S608
        workspace,
        route,
    )
    if not rows:
        raise RouteNotFound(f"there is no route {public_id('route', route)}")
    return (await _with_members(tx, workspace, rows))[0]


async def route_changes(tx: Tx, *, routes: Sequence[tuple[int, int]]) -> dict[tuple[int, int], datetime]:
    """When each of these (workspace, route) was last changed."""
    rows = await tx.fetch(
        """
        SELECT r.workspace_id, r.id, r.updated_at FROM unnest($1::bigint[], $2::bigint[]) AS t (workspace_id, id)
        JOIN routes AS r ON r.workspace_id = t.workspace_id AND r.id = t.id
        """,
        [workspace for workspace, _ in routes],
        [route for _, route in routes],
    )
    return {(row["workspace_id"], row["id"]): row["updated_at"] for row in rows}


async def _no_default(tx: Tx, workspace: WorkspaceId) -> None:
    await tx.execute("UPDATE routes SET is_default = false WHERE workspace_id = $1 AND is_default", workspace)


async def _store(tx: Tx, workspace: WorkspaceId, route: RouteId, members: Sequence[RouteMember]) -> None:
    try:
        await tx.execute(
            """
            INSERT INTO route_members (workspace_id, route_id, provider_id, weight, priority, place)
            SELECT $1, $2, t.* FROM unnest($3::bigint[], $4::integer[], $5::integer[]) WITH ORDINALITY AS t
            """,
            workspace,
            route,
            [one.provider for one in members],
            [one.weight for one in members],
            [one.priority for one in members],
        )
    except asyncpg.ForeignKeyViolationError:  # deleted since we looked
        raise Invalid.at("providers", "one of them was just deleted") from None


async def _with_members(tx: Tx, workspace: WorkspaceId, rows: Sequence[Any]) -> list[Route]:
    members: dict[int, list[RouteMember]] = {row["id"]: [] for row in rows}
    for one in await tx.fetch(
        """
        SELECT route_id, provider_id, weight, priority FROM route_members
        WHERE workspace_id = $1 AND route_id = ANY ($2::bigint[]) ORDER BY route_id, place
        """,
        workspace,
        list(members),
    ):
        members[one["route_id"]].append(RouteMember(ProviderId(one["provider_id"]), one["weight"], one["priority"]))
    return [
        Route(
            RouteId(row["id"]),
            row["name"],
            Strategy(row["strategy"]),
            tuple(members[row["id"]]),
            row["is_default"],
            row["created_at"],
            row["updated_at"],
        )
        for row in rows
    ]


async def _checked(
    tx: Tx, workspace: WorkspaceId, name: str, strategy: Strategy | str, members: Sequence[RouteMember], *, given: bool
) -> Strategy:
    """The strategy, once everything has been looked at. Raises Invalid with all that is wrong.

    `given`: the members are new; those that a route had keep what another strategy made of them.
    """
    problems: list[FieldProblem] = []
    if not name.strip() or len(name) > 100:
        problems.append(FieldProblem("name", "must have between 1 and 100 characters"))
    if strategy not in list(Strategy):
        problems.append(FieldProblem("strategy", f"must be one of {', '.join(Strategy)}"))
    if not 1 <= len(members) <= MOST_MEMBERS:
        problems.append(FieldProblem("providers", f"name 1 to {MOST_MEMBERS} providers"))
    known = {
        row["id"]
        for row in await tx.fetch(
            """
            SELECT id FROM providers WHERE workspace_id = $1 AND id = ANY ($2::bigint[]) AND deleted_at IS NULL
            ORDER BY id FOR KEY SHARE
            """,
            workspace,
            [one.provider for one in members],
        )
    }
    seen: set[ProviderId] = set()
    for place, one in enumerate(members):
        if one.provider not in known:
            told = f"there is no provider {public_id('provider', one.provider)}"
            problems.append(FieldProblem(f"providers[{place}].provider_id", told))
        elif one.provider in seen:
            problems.append(FieldProblem(f"providers[{place}].provider_id", "is named twice: name it once"))
        seen.add(one.provider)
        problems += [
            FieldProblem(f"providers[{place}].{field}", f"give a whole number from 1 to {_MOST_WEIGHT}")
            for field, value in (("weight", one.weight), ("priority", one.priority))
            if not 1 <= value <= _MOST_WEIGHT
        ]
        problems += [
            FieldProblem(
                f"providers[{place}].{field}", f"{strategy} does not look at it: leave it out, or choose {others}"
            )
            for field, value, heeding, others in (
                ("weight", one.weight, _HEED_WEIGHT, "weighted"),
                ("priority", one.priority, _HEED_PRIORITY, "priority"),
            )
            if given and value != 1 and strategy in list(Strategy) and strategy not in heeding
        ]
    if problems:
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems), fields=tuple(problems))
    return Strategy(strategy)
