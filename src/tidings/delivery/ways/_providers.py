"""The providers of a workspace: their settings, and their credentials under seal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import orjson

from tidings.accounts import Principal, audit
from tidings.core.crypto import Keyring
from tidings.core.db import Tx
from tidings.core.errors import Conflict, Invalid, NotFound
from tidings.core.ids import ProviderId, WorkspaceId, public_id
from tidings.delivery.ways._pacing import check_settings
from tidings.delivery.ways._troubles import Trouble, in_words, troubles_of

PURPOSE = "provider credentials"
"""What the seal is for."""
_COLUMNS = "id, name, kind, config, is_default, created_at, updated_at"


class ProviderNotFound(NotFound):
    """No such provider in this workspace."""

    code = "provider_not_found"


class ProviderInUse(Conflict):
    """Something is still to go through it, or its name is another's."""

    code = "provider_in_use"


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """A provider as people see it. Secrets are never handed out."""

    id: ProviderId
    name: str
    kind: str
    config: dict[str, Any]
    is_default: bool
    created_at: datetime
    updated_at: datetime
    troubles: Sequence[Trouble] = ()
    """What workers see, the worst first; empty while nothing is wrong, and while it is not used."""

    @property
    def health(self) -> str:
        """The worst of it in words; '' while nothing is wrong."""
        return in_words(self.troubles)


@dataclass(frozen=True, slots=True)
class OpenedProvider:
    """What a worker needs to send through a provider. `secret` is in the clear: never log it."""

    kind: str
    config: dict[str, Any]
    secret: dict[str, str]
    updated_at: datetime
    deleted: bool = False


async def add_provider(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    name: str,
    kind: str,
    config: dict[str, Any],
    secret: dict[str, str],
    is_default: bool,
    keys: Keyring,
    by: Principal,
    now: datetime,
) -> ProviderSettings:
    """Add a way out. The first of a workspace is its default. Raises Invalid naming the setting, ProviderInUse for a name taken."""
    _check(name, kind, config, secret)
    first = not await tx.fetchval(
        "SELECT EXISTS (SELECT FROM providers WHERE workspace_id = $1 AND deleted_at IS NULL)", workspace
    )
    if is_default or first:
        await _no_default(tx, workspace)
    try:
        row = await tx.fetchrow(
            f"""
            INSERT INTO providers (workspace_id, name, kind, config, sealed_secret, is_default, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING {_COLUMNS}
            """,  # noqa: S608 - our own column names
            workspace,
            name,
            kind,
            config,
            keys.seal(PURPOSE, orjson.dumps(secret)),
            is_default or first,
            now,
        )
    except asyncpg.UniqueViolationError:
        raise ProviderInUse(f"name: there is a provider named {name!r} already") from None
    assert row is not None
    await audit(tx, by=by, action="provider.added", subject=public_id("provider", row["id"]), now=now)
    return ProviderSettings(**row)


async def list_providers(tx: Tx, *, workspace: WorkspaceId) -> list[ProviderSettings]:
    """All of a workspace's, the default first."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM providers WHERE workspace_id = $1 AND deleted_at IS NULL ORDER BY is_default DESC, id
        """,  # noqa: S608
        workspace,
    )
    seen = await troubles_of(tx, workspace=workspace)
    return [ProviderSettings(**row, troubles=seen.get(ProviderId(row["id"]), ())) for row in rows]


async def get_provider(tx: Tx, *, workspace: WorkspaceId, provider: ProviderId) -> ProviderSettings:
    """One of them. Raises ProviderNotFound, also when it was deleted."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM providers WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL",  # noqa: S608
        workspace,
        provider,
    )
    if row is None:
        raise ProviderNotFound(f"there is no provider {public_id('provider', provider)}")
    seen = await troubles_of(tx, workspace=workspace, providers=[provider])
    return ProviderSettings(**row, troubles=seen.get(provider, ()))


async def update_provider(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    provider: ProviderId,
    name: str | None = None,
    config: dict[str, Any] | None = None,
    secret: dict[str, str] | None = None,
    is_default: bool | None = None,
    keys: Keyring,
    by: Principal,
    now: datetime,
) -> ProviderSettings:
    """Change what is given; running sends go on with the new settings within a second. Raises like `add_provider`."""
    # The row first: of two that change different things at a time, neither takes back what the other did.
    await tx.execute("SELECT FROM providers WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE", workspace, provider)
    before = await get_provider(tx, workspace=workspace, provider=provider)
    opened = await open_settings(tx, workspace=workspace, provider=provider, keys=keys)
    config = opened.config if config is None else config
    secret = opened.secret if secret is None else secret
    _check(name or before.name, before.kind, config, secret)
    if is_default is False and before.is_default:
        raise Invalid.at("is_default", "make another provider the default instead")
    if is_default:
        await _no_default(tx, workspace)
    try:
        row = await tx.fetchrow(
            f"""
            UPDATE providers SET name = $3, config = $4, sealed_secret = $5, is_default = is_default OR $6, updated_at = $7,
                limits_changed_at = CASE WHEN config <> $4 THEN $7 ELSE limits_changed_at END
            WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}
            """,  # noqa: S608
            workspace,
            provider,
            name or before.name,
            config,
            keys.seal(PURPOSE, orjson.dumps(secret)),
            bool(is_default),
            now,
        )
    except asyncpg.UniqueViolationError:
        raise ProviderInUse(f"name: there is a provider named {name!r} already") from None
    assert row is not None
    await tx.execute("SELECT pg_notify('tidings_provider', $1)", f"{workspace}:{provider}")
    await audit(tx, by=by, action="provider.updated", subject=public_id("provider", provider), now=now)
    return ProviderSettings(**row)


async def hold_provider(tx: Tx, *, workspace: WorkspaceId, provider: ProviderId) -> None:
    """Let nobody delete it before the transaction ends. Raises ProviderNotFound."""
    held = await tx.fetchval(
        "SELECT true FROM providers WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL FOR KEY SHARE",
        workspace,
        provider,
    )
    if not held:
        raise ProviderNotFound(f"there is no provider {public_id('provider', provider)}")


async def open_settings(
    tx: Tx, *, workspace: WorkspaceId, provider: ProviderId, keys: Keyring, deleted: bool = False
) -> OpenedProvider:
    """A provider with its credentials in the clear; with `deleted` also one that is, for its late reports.

    Raises ProviderNotFound, Unavailable when they cannot be unsealed.
    """
    row = await tx.fetchrow(
        "SELECT kind, config, sealed_secret, updated_at, deleted_at FROM providers WHERE workspace_id = $1 AND id = $2",
        workspace,
        provider,
    )
    if row is None or (row["deleted_at"] and not deleted):
        raise ProviderNotFound(f"there is no provider {public_id('provider', provider)}")
    secret = orjson.loads(keys.unseal(PURPOSE, row["sealed_secret"])) if row["sealed_secret"] else {}
    return OpenedProvider(row["kind"], row["config"], secret, row["updated_at"], row["deleted_at"] is not None)


async def provider_changes(tx: Tx, *, providers: Sequence[tuple[int, int]]) -> dict[tuple[int, int], datetime]:
    """When each of these (workspace, provider) was last changed."""
    rows = await tx.fetch(
        """
        SELECT p.workspace_id, p.id, p.updated_at FROM unnest($1::bigint[], $2::bigint[]) AS t (workspace_id, id)
        JOIN providers AS p ON p.workspace_id = t.workspace_id AND p.id = t.id AND p.deleted_at IS NULL
        """,
        [workspace for workspace, _ in providers],
        [provider for _, provider in providers],
    )
    return {(row["workspace_id"], row["id"]): row["updated_at"] for row in rows}


async def _no_default(tx: Tx, workspace: WorkspaceId) -> None:
    await tx.execute("UPDATE providers SET is_default = false WHERE workspace_id = $1 AND is_default", workspace)
    await tx.execute("UPDATE routes SET is_default = false WHERE workspace_id = $1 AND is_default", workspace)


def _check(name: str, kind: str, config: dict[str, Any], secret: dict[str, str]) -> None:
    if not name.strip() or len(name) > 100:
        raise Invalid.at("name", "must have between 1 and 100 characters")
    check_settings(kind, config, secret)
