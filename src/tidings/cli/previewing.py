"""`tidings template preview | check | test` and the same of `tidings campaign`: a message before it goes out."""

from collections.abc import Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from tidings import campaigns, compliance, content, delivery
from tidings.accounts import SYSTEM
from tidings.audience import contacts
from tidings.audience.addresses import normalise_email
from tidings.campaigns import Reader
from tidings.cli.manage import Desk, at_desk
from tidings.cli.templating import find_template, plain
from tidings.compliance import CheckReport, Matter
from tidings.core.clock import utc_now
from tidings.core.errors import Invalid
from tidings.core.ids import CampaignId, ContactId, parse_id, public_id
from tidings.core.settings import Settings

PARTS = ("html", "text", "subject", "preheader")
"""What of a preview can be written alone."""


async def preview_template(
    settings: Settings, *, workspace: str, template: str, version: int | None, contact: str, values: dict[str, Any]
) -> content.Preview:
    """What `contact` would read of a template, or somebody with these values."""
    async with at_desk(settings, workspace) as desk:
        return await campaigns.preview_template(
            desk.tx,
            workspace=desk.workspace,
            template=await find_template(desk, template),
            version=version,
            reader=Reader(await _contact(desk, contact), values),
            public_url=desk.app.public_url,
            now=utc_now(),
        )


async def preview_campaign(settings: Settings, *, workspace: str, campaign: str, contact: str) -> content.Preview:
    """What `contact` would read of a campaign, or somebody of its audience."""
    async with at_desk(settings, workspace) as desk:
        found = await campaigns.preview_campaign(
            desk.tx,
            workspace=desk.workspace,
            campaign=_campaign(campaign),
            contact=await _contact(desk, contact),
            marked=False,
            public_url=desk.app.public_url,
            now=utc_now(),
        )
        return found.shown


async def check_template(
    settings: Settings, *, workspace: str, template: str, contact: str, network: bool
) -> CheckReport:
    """Look a template over, as a campaign would send it, filled in for some of the workspace's contacts or for one."""
    async with at_desk(settings, workspace, transaction=False) as desk:
        async with desk.app.db.transaction() as tx:
            found = await find_template(Desk(desk.app, tx, desk.workspace), template)
            matter = await campaigns.content_matter(
                tx,
                workspace=desk.workspace,
                checked=await content.load_template(tx, workspace=desk.workspace, template=found),
                contact=await _contact(Desk(desk.app, tx, desk.workspace), contact),
                public_url=desk.app.public_url,
            )
        return await _checked(desk, matter, network=network)


async def check_campaign(settings: Settings, *, workspace: str, campaign: str, network: bool) -> CheckReport:
    """Look a campaign over, filled in for some of its audience."""
    async with at_desk(settings, workspace, transaction=False) as desk:
        async with desk.app.db.transaction() as tx:
            matter = await campaigns.campaign_matter(
                tx,
                workspace=desk.workspace,
                campaign=_campaign(campaign),
                public_url=desk.app.public_url,
                now=utc_now(),
            )
        return await _checked(desk, matter, network=network)


async def test_template(
    settings: Settings,
    *,
    workspace: str,
    template: str,
    version: int | None,
    to: Sequence[str],
    contact: str,
    values: dict[str, Any],
    subject_prefix: str,
    sender_email: str,
) -> list[str]:
    """Queue a template to these addresses; the ids of the messages."""
    async with at_desk(settings, workspace) as desk:
        queued = await campaigns.send_template_test(
            desk.tx,
            workspace=desk.workspace,
            template=await find_template(desk, template),
            version=version,
            to=to,
            reader=Reader(await _contact(desk, contact), values),
            subject_prefix=subject_prefix,
            sender_email=sender_email,
            keys=desk.app.keys,
            public_url=desk.app.public_url,
            now=utc_now(),
        )
    return [public_id("message", one) for one in queued]


async def test_campaign(
    settings: Settings,
    *,
    workspace: str,
    campaign: str,
    to: Sequence[str],
    contact: str,
    values: dict[str, Any],
    subject_prefix: str,
) -> list[str]:
    """Queue a campaign's message to these addresses; the ids of the messages."""
    async with at_desk(settings, workspace) as desk:
        queued = await campaigns.send_campaign_test(
            desk.tx,
            workspace=desk.workspace,
            campaign=_campaign(campaign),
            to=to,
            contact=await _contact(desk, contact),
            variables=values,
            subject_prefix=subject_prefix,
            keys=desk.app.keys,
            by=SYSTEM(desk.workspace),
            public_url=desk.app.public_url,
            now=utc_now(),
        )
    return [public_id("message", one) for one in queued]


def values_of(told: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE of `--set`; a value that is JSON is read as such. Raises Invalid."""
    found: dict[str, Any] = {}
    for one in told:
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise Invalid.at("--set", f"{one!r} must be NAME=VALUE, such as first_name=Ada")
        try:
            found[name] = orjson.loads(value)
        except orjson.JSONDecodeError:
            found[name] = value
    return found


def show_preview(shown: content.Preview, *, part: str) -> None:
    """The message's text with what is missing, or one part of it alone, as it is."""
    if part:
        parts = {name: getattr(shown, name) for name in PARTS}
        if part not in parts:
            raise Invalid.at("--part", f"must be one of {', '.join(PARTS)}")
        print(parts[part])
        return
    table = Table(box=None, show_header=False)
    table.add_row("subject", plain(shown.subject))
    table.add_row("preheader", plain(shown.preheader) or "none")
    Console().print(table)
    print(f"\n{shown.text}")
    for one in shown.missing:
        block = f" of the block {one.block}" if one.block else ""
        place = f"{one.field}{block}, line {one.line}, column {one.column}"
        print(f"missing: {one.name} ({place})")


async def _contact(desk: Desk, wanted: str) -> ContactId | None:
    if not wanted:
        return None
    if "@" not in wanted:
        return ContactId(parse_id("contact", wanted, field="--contact"))
    found = await contacts.find_contact(desk.tx, workspace=desk.workspace, email=normalise_email(wanted))
    return found.id


def _campaign(wanted: str) -> CampaignId:
    return CampaignId(parse_id("campaign", wanted, field="campaign"))


async def _checked(desk: Desk, matter: Matter, *, network: bool) -> CheckReport:
    return await compliance.run_checks(
        matter,
        links=desk.app.link_probe if network else None,
        spam=desk.app.spam_filter if network else None,
        resolver=delivery.SystemResolver() if network else None,
        network=network,
    )
