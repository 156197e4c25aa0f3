"""What the command line does to an installation's database directly, for those who hold its keys anyway."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tidings import accounts, delivery
from tidings.accounts import SYSTEM, Workspace
from tidings.bootstrap import App, open_app
from tidings.core.clock import utc_now
from tidings.core.db import Tx
from tidings.core.errors import Invalid
from tidings.core.ids import ProviderId, WorkspaceId, public_id
from tidings.core.postgres import EmbeddedPostgres
from tidings.core.settings import Settings

_PATIENCE_SECONDS = 3.0


async def create_key(settings: Settings, *, workspace: str, name: str, scopes: list[str]) -> str:
    """A new API key of the workspace with this name or id ('' if there is only one)."""
    async with (
        open_app(reachable(settings), pool_size=1, wait_seconds=_PATIENCE_SECONDS) as app,
        app.db.transaction() as tx,
    ):
        chosen = await find_workspace(tx, workspace)
        return await accounts.create_api_key(tx, workspace=chosen.id, name=name, scopes=scopes, now=utc_now())


async def add_route(
    settings: Settings, *, workspace: str, name: str, strategy: str, providers: list[str], is_default: bool
) -> str:
    """A route for the workspace; `providers` are `NAME[:NUMBER]`, the number a priority or a weight. Returns what to tell."""
    async with (
        open_app(reachable(settings), pool_size=1, wait_seconds=_PATIENCE_SECONDS) as app,
        app.db.transaction() as tx,
    ):
        chosen = await find_workspace(tx, workspace)
        known = await delivery.list_providers(tx, workspace=chosen.id)
        ids = {name: one.id for one in known for name in (one.name, public_id("provider", one.id))}
        route = await delivery.add_route(
            tx,
            workspace=chosen.id,
            name=name,
            strategy=strategy,
            members=[_member(text, place, ids, strategy) for place, text in enumerate(providers, 1)],
            is_default=is_default,
            by=SYSTEM(chosen.id),
            now=utc_now(),
        )
    role = "the default" if route.is_default else "not the default"
    return f"{public_id('route', route.id)} {route.name}: {role} of {chosen.name}"


def _member(text: str, place: int, ids: dict[str, ProviderId], strategy: str) -> delivery.RouteMember:
    """Without a number, those of a priority route go in the order in which they are named."""
    name, number = (text, "") if text in ids else text.rpartition(":")[::2]
    if name not in ids:
        raise Invalid.at("--provider", f"there is no provider {text!r}; there are: {', '.join(ids) or 'none'}")
    if number and not number.isdecimal():
        raise Invalid.at("--provider", f"{text!r}: give a whole number behind the colon")
    if strategy == delivery.Strategy.PRIORITY:
        return delivery.RouteMember(ids[name], priority=int(number or place))
    return delivery.RouteMember(ids[name], weight=int(number or 1))


async def show_routes(settings: Settings, *, workspace: str) -> list[str]:
    """The routes of the workspace, a line each, with what is wrong with their providers."""
    async with (
        open_app(reachable(settings), pool_size=1, wait_seconds=_PATIENCE_SECONDS) as app,
        app.db.transaction() as tx,
    ):
        chosen = await find_workspace(tx, workspace)
        names = {one.id: one for one in await delivery.list_providers(tx, workspace=chosen.id)}
        routes = await delivery.list_routes(tx, workspace=chosen.id)
    lines: list[str] = []
    for route in routes:
        lines.append(f"{public_id('route', route.id)} {route.name}: {route.strategy}{' (default)' * route.is_default}")
        lines += [
            f"  {names[one.provider].name}: priority {one.priority}, weight {one.weight}"
            f"{': ' + names[one.provider].health if names[one.provider].health else ''}"
            for one in route.members
        ]
    return lines or ["no routes"]


async def delete_route(settings: Settings, *, workspace: str, name: str) -> str:
    """Take a route, by name or id, out of use; returns what to tell the person."""
    async with (
        open_app(reachable(settings), pool_size=1, wait_seconds=_PATIENCE_SECONDS) as app,
        app.db.transaction() as tx,
    ):
        chosen = await find_workspace(tx, workspace)
        for route in await delivery.list_routes(tx, workspace=chosen.id):
            if name in {route.name, public_id("route", route.id)}:
                await delivery.delete_route(
                    tx, workspace=chosen.id, route=route.id, by=SYSTEM(chosen.id), now=utc_now()
                )
                return f"{public_id('route', route.id)} {route.name}: nothing new goes through it"
    raise Invalid.at("route", f"there is no route {name!r}")


async def add_mailbox(settings: Settings, *, workspace: str, settings_of_it: dict[str, Any]) -> str:
    """A mailbox to read reports from, by the names of `delivery.add_mailbox`; returns what to tell the person."""
    async with (
        open_app(reachable(settings), pool_size=1, wait_seconds=_PATIENCE_SECONDS) as app,
        app.db.transaction() as tx,
    ):
        chosen = await find_workspace(tx, workspace)
        told: dict[str, Any] = {"workspace": chosen.id, "keys": app.keys, "by": SYSTEM(chosen.id), "now": utc_now()}
        return _mailbox_line(await delivery.add_mailbox(tx, **settings_of_it, **told))


async def show_mailboxes(settings: Settings, *, workspace: str) -> list[str]:
    """The mailboxes of the workspace, a line each."""
    async with (
        open_app(reachable(settings), pool_size=1, wait_seconds=_PATIENCE_SECONDS) as app,
        app.db.transaction() as tx,
    ):
        chosen = await find_workspace(tx, workspace)
        return [_mailbox_line(one) for one in await delivery.list_mailboxes(tx, workspace=chosen.id)]


async def change_mailbox(settings: Settings, *, workspace: str, mailbox: str, changes: dict[str, Any]) -> str:
    """Change what `changes` names; returns what to tell the person."""
    async with (
        open_app(reachable(settings), pool_size=1, wait_seconds=_PATIENCE_SECONDS) as app,
        app.db.transaction() as tx,
    ):
        chosen = await find_workspace(tx, workspace)
        for one in await delivery.list_mailboxes(tx, workspace=chosen.id):
            if mailbox == public_id("mailbox", one.id):
                told: dict[str, Any] = {
                    "workspace": chosen.id,
                    "keys": app.keys,
                    "by": SYSTEM(chosen.id),
                    "now": utc_now(),
                }
                return _mailbox_line(await delivery.update_mailbox(tx, mailbox=one.id, changes=changes, **told))
    raise Invalid.at("mailbox", f"there is no mailbox {mailbox!r}; `tidings mailbox list` shows them")


async def delete_mailbox(settings: Settings, *, workspace: str, mailbox: str) -> str:
    """Read one no more; returns what to tell the person."""
    async with at_desk(settings, workspace) as desk:
        for one in await delivery.list_mailboxes(desk.tx, workspace=desk.workspace):
            if mailbox == public_id("mailbox", one.id):
                by = SYSTEM(desk.workspace)
                await delivery.delete_mailbox(desk.tx, workspace=desk.workspace, mailbox=one.id, by=by, now=utc_now())
                return f"{mailbox} {one.username} at {one.host}: deleted"
    raise Invalid.at("mailbox", f"there is no mailbox {mailbox!r}; `tidings mailbox list` shows them")


def _mailbox_line(one: delivery.BounceMailbox) -> str:
    read = "not read yet" if one.checked_at is None else f"read at {one.checked_at:%Y-%m-%d %H:%M} UTC"
    health = f": {one.health}" if one.health else ""
    return (
        f"{public_id('mailbox', one.id)} {one.username} at {one.host}:{one.port}, {one.folder}, "
        f"every {one.every_seconds} seconds, {read}{health}"
    )


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a command works: the installation, a transaction (or a connection), and the workspace that was meant."""

    app: App
    tx: Tx
    workspace: WorkspaceId


@asynccontextmanager
async def at_desk(settings: Settings, workspace: str, *, transaction: bool = True) -> AsyncGenerator[Desk, None]:
    """The installation's database, and the workspace with this name or id ('' if there is only one).

    `transaction`: all in one, which ends with the block; else `tx` is for single statements, and the pool has room for others.
    """
    size = 1 if transaction else 3
    async with (
        open_app(reachable(settings), pool_size=size, wait_seconds=_PATIENCE_SECONDS) as app,
        app.db.transaction() if transaction else app.db.connection() as tx,
    ):
        yield Desk(app, tx, (await find_workspace(tx, workspace)).id)


async def find_workspace(tx: Tx, wanted: str) -> Workspace:
    """The workspace with this name or id; '' means the only one. Raises Invalid, naming those that there are."""
    found = await accounts.all_workspaces(tx)
    names = ", ".join(f"{w.name} ({public_id('workspace', w.id)})" for w in found[:20])
    if not wanted and len(found) == 1:
        return found[0]
    if not wanted:
        raise Invalid.at(
            "--workspace", f"choose one of: {names}" if found else "there is none yet: `tidings up` makes one"
        )
    for workspace in found:
        if wanted in {workspace.name, public_id("workspace", workspace.id)}:
            return workspace
    raise Invalid.at("--workspace", f"there is no {wanted!r}; there are: {names}")


def reachable(settings: Settings) -> Settings:
    """With the URL of the embedded database, which `tidings up` keeps running, where none is set."""
    if settings.database_url is not None:
        return settings
    return settings.model_copy(update={"database_url": EmbeddedPostgres(settings.data_dir / "postgres").url})
