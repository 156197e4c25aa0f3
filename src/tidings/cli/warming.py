"""`tidings provider warmup`: begin, look at and stop the warm-up of a provider."""

from rich.console import Console
from rich.table import Table

from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.bootstrap import open_app
from tidings.cli.manage import find_workspace, reachable
from tidings.core.clock import utc_now
from tidings.core.errors import Invalid
from tidings.core.ids import public_id
from tidings.core.settings import Settings

_PATIENCE_SECONDS = 10.0
_DAYS = 10


async def warm_up(
    settings: Settings, *, workspace: str, name: str, caps: tuple[int, ...] | None, stop: bool
) -> delivery.Warmup | None:
    """Begin (with `caps`), stop, or only look at the warm-up of a provider, by name or id; None after stopping."""
    async with (
        open_app(reachable(settings), pool_size=1, wait_seconds=_PATIENCE_SECONDS) as app,
        app.db.transaction() as tx,
    ):
        chosen = (await find_workspace(tx, workspace)).id
        known = await delivery.list_providers(tx, workspace=chosen)
        ids = {called: one.id for one in known for called in (one.name, public_id("provider", one.id))}
        if name not in ids:
            raise Invalid.at("name", f"there is no provider {name!r}; there are: {', '.join(ids) or 'none'}")
        now = utc_now()
        if stop:
            await delivery.stop_warmup(tx, workspace=chosen, provider=ids[name], by=SYSTEM(chosen), now=now)
            return None
        if caps is None:
            return await delivery.get_warmup(tx, workspace=chosen, provider=ids[name], now=now)
        return await delivery.start_warmup(
            tx, workspace=chosen, provider=ids[name], caps=caps, by=SYSTEM(chosen), now=now
        )


def show(warmup: delivery.Warmup) -> None:
    """Where each group stands, the ladder, and the last days' judgements."""
    console = Console()
    groups = Table("group", "step", "cap a day", "sent in 24 h", "", box=None, header_style="bold")
    for one in warmup.groups:
        cap, bar = ("no cap", "") if one.cap is None else (f"{one.cap:,}", _bar(one.sent, one.cap))
        step = "warm" if one.cap is None else f"{one.step + 1} of {len(warmup.caps)}"
        groups.add_row(one.group, step, cap, f"{one.sent:,}", bar)
    console.print(groups)
    console.print("\nsteps: " + " · ".join(f"{cap:,}" for cap in warmup.caps), highlight=False)
    if warmup.ended_at:
        console.print(f"ended {warmup.ended_at:%Y-%m-%d %H:%M} UTC: every group is warm", highlight=False)
    else:
        console.print(f"next judged {warmup.next_at:%Y-%m-%d %H:%M} UTC", highlight=False)
    if warmup.days:
        days = Table("day", "group", "cap", "what came of it", box=None, header_style="bold")
        for day in warmup.days[: _DAYS * len(warmup.groups)]:
            days.add_row(f"{day.at:%m-%d}", day.group, f"{day.cap:,}", f"{day.move}: {day.reason}")
        console.print()
        console.print(days)


def _bar(sent: int, cap: int) -> str:
    filled = round(20 * min(1, sent / cap))
    return "█" * filled + "░" * (20 - filled)
