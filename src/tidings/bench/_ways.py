"""Other ways in which the measured campaign can go out: signed, through many providers with limits, through an HTTP API."""

from collections.abc import Sequence

from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.ids import CampaignId, ProviderId, WorkspaceId
from tidings.delivery import DkimAlgorithm, RouteMember, Strategy

# Limits that are asked for with every share, and never reached.
_LIMITS = {
    "rate_per_second": 50_000,
    "rate_per_day": 100_000_000,
    "limits": {"google": {"per_day": 50_000_000}, "other": {"per_second": 50_000, "per_day": 50_000_000}},
}


async def sign(db: Database, keys: Keyring, *, workspace: WorkspaceId, algorithms: Sequence[DkimAlgorithm]) -> None:
    """Sign what leaves the workspace with a key of each algorithm."""
    made = await delivery.new_keys(algorithms)
    by, now = SYSTEM(workspace), utc_now()
    async with db.transaction() as tx:
        domain = await delivery.add_domain(
            tx, workspace=workspace, domain="example.org", made=made, keys=keys, by=by, now=now
        )
        await delivery.activate_keys(tx, workspace=workspace, domain=domain.id, by=by, now=now)


async def spread(
    db: Database,
    keys: Keyring,
    *,
    workspace: WorkspaceId,
    campaign: CampaignId,
    provider: dict[str, object],
    many: int,
    kind: str = "smtp",
    secret: dict[str, str] | None = None,
) -> None:
    """Send the campaign through so many providers in turn, each with limits of all kinds that are never reached."""
    by, now = SYSTEM(workspace), utc_now()
    async with db.transaction() as tx:
        made = [
            await delivery.add_provider(
                tx,
                workspace=workspace,
                name=f"one of many {number}",
                kind=kind,
                config=provider | (_LIMITS if many > 1 else {}),
                secret=secret or {},
                is_default=False,
                keys=keys,
                by=by,
                now=now,
            )
            for number in range(many)
        ]
        route = await delivery.add_route(
            tx,
            workspace=workspace,
            name="all of them",
            strategy=Strategy.ROUND_ROBIN,
            members=[RouteMember(ProviderId(one.id)) for one in made],
            is_default=False,
            by=by,
            now=now,
        )
        await tx.execute(
            "UPDATE campaigns SET provider_id = NULL, route_id = $3 WHERE workspace_id = $1 AND id = $2",
            workspace,
            campaign,
            route.id,
        )
