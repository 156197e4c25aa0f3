"""What the command line does to an installation's database directly, for those who hold its keys anyway."""

from typing import Any

from tidings import accounts, delivery
from tidings.accounts import SYSTEM, Workspace
from tidings.bootstrap import App, open_app
from tidings.core.clock import utc_now
from tidings.core.db import Tx
from tidings.core.errors import Invalid
from tidings.core.ids import public_id
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


async def add_smtp(
    settings: Settings, *, workspace: str, name: str, config: dict[str, Any], password: str, is_default: bool
) -> str:
    """An SMTP server for the workspace; returns what to tell the person."""
    async with (
        open_app(reachable(settings), pool_size=1, wait_seconds=_PATIENCE_SECONDS) as app,
        app.db.transaction() as tx,
    ):
        return await _add_smtp(app, tx, workspace, name, config, password, is_default)


async def _add_smtp(
    app: App, tx: Tx, workspace: str, name: str, config: dict[str, Any], password: str, is_default: bool
) -> str:
    chosen = await find_workspace(tx, workspace)
    provider = await delivery.add_provider(
        tx,
        workspace=chosen.id,
        name=name,
        kind="smtp",
        config=config,
        secret={"password": password} if password else {},
        is_default=is_default,
        keys=app.keys,
        by=SYSTEM(chosen.id),
        now=utc_now(),
    )
    role = "the default" if provider.is_default else "not the default"
    return f"{public_id('provider', provider.id)} {provider.name}: {role} of {chosen.name}"


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
