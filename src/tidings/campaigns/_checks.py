"""What is to be checked before a campaign goes out, read in one go; the checks themselves ask no database."""

from dataclasses import replace
from datetime import datetime

from tidings import accounts, content, delivery
from tidings.audience import recipients
from tidings.campaigns._campaign import get_campaign
from tidings.compliance import Matter, missing_for_launch
from tidings.content import Checkable, Finding, Part, Place, Severity, invalid_liquid, rule
from tidings.core.db import Tx
from tidings.core.errors import Invalid
from tidings.core.ids import CampaignId, WorkspaceId, public_id

SAMPLE = 200
"""Contacts for whom a message is filled in."""

NOT_READY = rule(
    "campaign_not_ready",
    Severity.ERROR,
    "the campaign lacks something without which it is not sent",
    "what the message says is missing",
    "the launch refuses it: not_ready",
)
NOT_SAMPLED = rule(
    "audience_not_sampled",
    Severity.HINT,
    "finding contacts of the audience took too long, so that the message was not filled in for real ones",
    "try again, or simplify the segments",
)


async def campaign_matter(
    tx: Tx, *, workspace: WorkspaceId, campaign: CampaignId, public_url: str, sample: int = SAMPLE, now: datetime
) -> Matter:
    """A campaign's message and some of its contacts, for `run_checks`. Raises CampaignNotFound."""
    found = await get_campaign(tx, workspace=workspace, campaign=campaign)
    owner = await accounts.get_workspace(tx, workspace=workspace)
    rows: recipients.SampledRows = ()
    slow = False
    try:
        rows = await recipients.sample_recipients(
            tx, workspace=workspace, audience=found.audience, limit=sample, now=now
        )
    except recipients.SampleTooSlow:
        slow = True
    except Invalid:
        pass  # a segment that cannot be read: told by what is missing
    missing = await missing_for_launch(
        tx,
        workspace=workspace,
        audience=found.audience,
        provider=found.provider_id,
        route=found.route_id,
        template=found.template_id,
        somebody=bool(rows),
        now=now,
    )
    findings: list[Finding] = [
        NOT_READY.at(Place(Part.CAMPAIGN, path=one.field), one.message, mend=one.message) for one in missing
    ]
    if slow:
        findings.append(NOT_SAMPLED.at(Place(Part.AUDIENCE)))
    checked = Checkable(found.subject, "", "", text_written=True)
    try:
        checked = await content.load_template(
            tx,
            workspace=workspace,
            template=found.template_id,
            subject=found.subject,
            preheader=found.preheader,
        )
        theirs = checked.attached or ()
        own = await content.attachments_of(
            tx, workspace=workspace, ids=found.attachment_ids, beside=theirs, field="attachment_ids"
        )
        checked = replace(checked, attached=(*theirs, *(one.attached for one in own)))
    except content.AttachmentInvalid as error:
        findings.append(
            NOT_READY.at(Place(Part.CAMPAIGN, path="attachment_ids"), error.message, mend="name other attachments")
        )
    except content.TemplateNotFound:
        pass  # told by what is missing
    except content.TemplateInvalid as error:
        findings += [invalid_liquid(one.field, one.message) for one in error.fields]
    matter = await _matter(tx, workspace, checked, public_url, sender=found.sender_email, name=found.sender_name)
    return replace(
        matter,
        rows=rows or matter.rows,
        real=bool(rows),
        reply_to=found.reply_to,
        campaign=(found.id, found.name),
        findings=findings,
        workspace_name=owner.name,
    )


async def content_matter(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    checked: Checkable,
    contact: int | None = None,
    sender_email: str = "",
    public_url: str,
    sample: int = SAMPLE,
) -> Matter:
    """A template's message, or one that is not saved yet, for `run_checks`; filled in for one contact, or for some of the
    workspace's. Raises Invalid for a contact that is not there.
    """
    rows = (
        await recipients.sample_contacts(tx, workspace=workspace, limit=sample)
        if contact is None
        else await recipients.one_contact(tx, workspace=workspace, contact=contact)
    )
    if contact is not None and not rows:
        raise Invalid.at("contact_id", f"there is no {public_id('contact', contact)}")
    owner = await accounts.get_workspace(tx, workspace=workspace)
    matter = await _matter(
        tx, workspace, checked, public_url, sender=sender_email or owner.sender_email, name=owner.sender_name
    )
    return replace(matter, rows=rows or matter.rows, real=bool(rows))


async def _matter(
    tx: Tx, workspace: WorkspaceId, checked: Checkable, public_url: str, *, sender: str, name: str
) -> Matter:
    """With a made-up contact: nobody's values, and what stands in their place comes out empty."""
    owner = await accounts.get_workspace(tx, workspace=workspace)
    nobody = (1, 1, "contact@example.com", "", "", "", "", "", [], "{}", owner.created_at, None, 0)
    return Matter(
        content=checked,
        rows=(nobody,),
        real=False,
        workspace_name=owner.name,
        postal_address=owner.postal_address,
        public_url=public_url,
        sender_email=sender,
        sender_name=name,
        keys=await _keys(tx, workspace, sender),
    )


async def _keys(tx: Tx, workspace: WorkspaceId, sender: str) -> list[delivery.DkimKey]:
    """Of the nearest of the workspace's domains that the sender belongs to."""
    domain = sender.rpartition("@")[2].lower()
    fitting = [
        one
        for one in await delivery.list_domains(tx, workspace=workspace)
        if domain == one.domain or domain.endswith(f".{one.domain}")
    ]
    return list(max(fitting, key=lambda one: len(one.domain)).keys) if fitting else []
