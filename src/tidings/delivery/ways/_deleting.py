"""Taking a provider away: nothing goes through it any more, and its credentials are erased."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import orjson

from tidings.accounts import Principal, audit
from tidings.core.crypto import Keyring
from tidings.core.db import Tx, sql
from tidings.core.errors import Unavailable
from tidings.core.ids import ProviderId, WorkspaceId, public_id
from tidings.delivery.ways._providers import PURPOSE, ProviderInUse, ProviderSettings, get_provider, open_settings

_VERIFYING = {"signing_key"}
"""Credentials that nothing can be sent with: they verify what a provider reports."""
_REPORTS_COME_FOR = timedelta(days=30)
"""Bounces and complaints may be that late; afterwards what verifies them is erased as well."""


async def lock_provider(tx: Tx, *, workspace: WorkspaceId, provider: ProviderId) -> ProviderSettings:
    """A provider that is to be deleted: what names it in another transaction is over, or sees it gone.

    Raises ProviderNotFound, ProviderInUse.
    """
    # Not after the lock alone: one that much goes through would be waited for long.
    before = await get_provider(tx, workspace=workspace, provider=provider)
    if needed := await _needed(tx, workspace, before, ()):
        raise ProviderInUse(needed)
    await tx.execute("SELECT FROM providers WHERE workspace_id = $1 AND id = $2 FOR UPDATE", workspace, provider)
    return await get_provider(tx, workspace=workspace, provider=provider)


async def delete_provider(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    provider: ProviderId,
    used_by: Sequence[str] = (),
    keys: Keyring,
    by: Principal,
    now: datetime,
) -> None:
    """Erase its credentials and let nothing go through it any more; what was sent through it goes on naming it.

    Only what verifies its reports is kept, for thirty days: bounces and complaints still come, and suppress. Its name is free.
    Call it after `lock_provider`, with who is known to need it. Raises ProviderNotFound; ProviderInUse while a route has it,
    it is the default beside others, or something is still to go through it.
    """
    before = await get_provider(tx, workspace=workspace, provider=provider)
    if needed := await _needed(tx, workspace, before, used_by):
        raise ProviderInUse(needed)
    kept = await _kept(tx, workspace, provider, keys)
    sealed = keys.seal(PURPOSE, orjson.dumps(kept)) if kept else None
    await tx.execute(sql(__package__, "_delete"), workspace, provider, now, sealed)
    await tx.execute("SELECT pg_notify('tidings_provider', $1)", f"{workspace}:{provider}")
    await audit(tx, by=by, action="provider.deleted", subject=public_id("provider", provider), now=now)


async def _needed(tx: Tx, workspace: WorkspaceId, provider: ProviderSettings, used_by: Sequence[str]) -> str:
    """Who needs it, and what to do about that; "" if nobody does."""
    routes = await tx.fetch(
        """
        SELECT r.name FROM route_members AS m JOIN routes AS r ON r.workspace_id = m.workspace_id AND r.id = m.route_id
        WHERE m.workspace_id = $1 AND m.provider_id = $2 AND r.deleted_at IS NULL ORDER BY r.id
        """,
        workspace,
        provider.id,
    )
    if routes:
        return (
            f"{_some([repr(row['name']) for row in routes])}: routes that have this provider; take it out of them first"
        )
    if provider.is_default and await tx.fetchval(
        "SELECT count(*) > 1 FROM providers WHERE workspace_id = $1 AND deleted_at IS NULL", workspace
    ):
        return "it is the workspace's default: make another provider, or a route, the default first"
    open_ = await tx.fetchrow(sql(__package__, "_unfinished"), workspace, provider.id)
    assert open_ is not None
    campaigns = sorted({*used_by, *(public_id("campaign", id_) for id_ in open_["campaigns"])})
    if campaigns:
        told = "still to go, or to be tried again, through this provider"
        return f"{_some(campaigns)}: {told}; give drafts another, and wait for those that are sending, or cancel them"
    if open_["messages"]:
        return "messages are still to go, or to be tried again, through this provider: wait until they have"
    return ""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


async def _kept(tx: Tx, workspace: WorkspaceId, provider: ProviderId, keys: Keyring) -> dict[str, str]:
    """Of its credentials those that verify what it reports."""
    try:
        opened = await open_settings(tx, workspace=workspace, provider=provider, keys=keys)
    except Unavailable:  # sealed with another secret: nobody can use them anyhow
        return {}
    return {name: value for name, value in opened.secret.items() if name in _VERIFYING}


async def forget_credentials(tx: Tx, *, now: datetime) -> None:
    """Erase what was kept of deleted providers to verify late reports, once none can come any more."""
    await tx.execute(
        "UPDATE providers SET sealed_secret = NULL WHERE deleted_at < $1 AND sealed_secret IS NOT NULL",
        now - _REPORTS_COME_FOR,
    )
