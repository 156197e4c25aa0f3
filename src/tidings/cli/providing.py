"""`tidings provider`: the ways out of a workspace, added, shown, changed and removed."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from tidings import campaigns, delivery
from tidings.accounts import SYSTEM
from tidings.cli.manage import Desk, at_desk
from tidings.core.clock import utc_now
from tidings.core.errors import Invalid
from tidings.core.ids import public_id
from tidings.core.settings import Settings
from tidings.delivery import ProviderSettings


async def add_provider(
    settings: Settings,
    *,
    workspace: str,
    name: str,
    kind: str,
    config: dict[str, Any],
    secret: dict[str, str],
    is_default: bool,
) -> str:
    """A provider for the workspace; returns what to tell the person."""
    async with at_desk(settings, workspace) as desk:
        made = await delivery.add_provider(
            desk.tx,
            workspace=desk.workspace,
            name=name,
            kind=kind,
            config=config,
            secret=secret,
            is_default=is_default,
            keys=desk.app.keys,
            by=SYSTEM(desk.workspace),
            now=utc_now(),
        )
    return _line(made)


async def show_providers(settings: Settings, *, workspace: str) -> list[str]:
    """The providers of the workspace, a line each."""
    async with at_desk(settings, workspace) as desk:
        found = await delivery.list_providers(desk.tx, workspace=desk.workspace)
    return [_line(one) for one in found] or ["no providers"]


async def show_provider(settings: Settings, *, workspace: str, name: str, json: bool) -> list[str]:
    """All of one of them that may be shown, by name or id."""
    async with at_desk(settings, workspace) as desk:
        one = await _find(desk, name)
        tokens = delivery.NotificationTokens(desk.app.keys)
        told = one.kind in delivery.NOTIFYING_KINDS
        url = f"{desk.app.public_url}/n/{tokens.make(desk.workspace, one.id)}" if told else ""
    if json:
        shown = {"id": public_id("provider", one.id), "name": one.name, "kind": one.kind, "config": one.config}
        shown |= {"is_default": one.is_default, "health": one.health, "notification_url": url}
        return [orjson.dumps(shown).decode()]
    lines = [_line(one), *(f"  {setting}: {_value(value)}" for setting, value in sorted(one.config.items()))]
    lines += [f"  notifications come to {url}"] if url else []
    for trouble in one.troubles:
        again = "" if trouble.retry_at is None else f", tried again at {trouble.retry_at:%H:%M:%S} UTC"
        lines.append(f"  {trouble.state} since {trouble.since:%Y-%m-%d %H:%M:%S} UTC{again}: {trouble.detail}")
    return lines


async def change_provider(
    settings: Settings,
    *,
    workspace: str,
    name: str,
    new_name: str | None,
    changes: dict[str, Any],
    unset: Sequence[str],
    secret: Callable[[str], dict[str, str]],
    is_default: bool,
) -> str:
    """Change what is named of one; `secret` gives the new credentials of its kind, {} for those that it has."""
    async with at_desk(settings, workspace) as desk:
        before = await _find(desk, name)
        for setting in unset:
            if setting not in before.config:
                has = ", ".join(sorted(before.config)) or "none"
                raise Invalid.at("--unset", f"{before.name} has no setting {setting!r}; it has: {has}")
        kept = {setting: value for setting, value in before.config.items() if setting not in unset}
        after = await delivery.update_provider(
            desk.tx,
            workspace=desk.workspace,
            provider=before.id,
            name=new_name,
            config=kept | changes if changes or unset else None,
            secret=secret(before.kind) or None,
            is_default=is_default or None,
            keys=desk.app.keys,
            by=SYSTEM(desk.workspace),
            now=utc_now(),
        )
    return _line(after)


async def delete_provider(settings: Settings, *, workspace: str, name: str) -> str:
    """Let nothing go through one any more, by name or id; returns what to tell the person."""
    async with at_desk(settings, workspace) as desk:
        one = await _find(desk, name)
        await campaigns.delete_provider(
            desk.tx,
            workspace=desk.workspace,
            provider=one.id,
            keys=desk.app.keys,
            by=SYSTEM(desk.workspace),
            now=utc_now(),
        )
    return f"{public_id('provider', one.id)} {one.name}: deleted"


async def show_limits(settings: Settings, *, workspace: str, name: str) -> list[str]:
    """The limits of a provider, by name or id, a line each."""
    async with at_desk(settings, workspace) as desk:
        one = await _find(desk, name)
        uses = await delivery.provider_limits(desk.tx, workspace=desk.workspace, provider=one.id, now=utc_now())
    return [_limit_line(use) for use in uses] or ["no limits"]


def _limit_line(use: delivery.LimitUse) -> str:
    limit = use.limit
    most = [f"{limit.per_second:g} a second"] if limit.per_second is not None else []
    for period, number, used in (
        ("a minute", limit.per_minute, use.used_minute),
        ("an hour", limit.per_hour, use.used_hour),
        ("a day", limit.per_day, use.used_day),
    ):
        most += [f"{used:,} of {number:,} {period}"] if number is not None else []
    most += [use.why] if use.why else []
    if use.factor < 1:
        pace = "" if use.pace is None else f", {use.pace:.3g} a second"
        most.append(f"slowed down to {use.factor:.0%}{pace}: {use.reason}")
    return f"{use.scope or 'altogether'}: {'; '.join(most)}"


async def _find(desk: Desk, name: str) -> ProviderSettings:
    found = await delivery.list_providers(desk.tx, workspace=desk.workspace)
    for one in found:
        if name in {one.name, public_id("provider", one.id)}:
            return one
    raise Invalid.at("provider", f"there is no provider {name!r}; there are: {', '.join(one.name for one in found)}")


def _line(one: ProviderSettings) -> str:
    where = {"smtp": "host", "ses": "region", "mailgun": "domain"}.get(one.kind, "")
    what = f"{one.kind} {one.config.get(where, '')}".strip()
    health = f": {one.health}" if one.health else ""
    return f"{public_id('provider', one.id)} {one.name}: {what}{', the default' * one.is_default}{health}"


def _value(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
