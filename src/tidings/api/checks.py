"""Checks before a send, over HTTP: of a campaign, of a template, and of content that is not saved yet."""

from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tidings import campaigns, compliance, content, delivery
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, CampaignRef, ContactRef, Flag, TemplateRef
from tidings.api._route import Route
from tidings.api.templates import INLINE, SOURCE, Html, Source, Subject, Text
from tidings.compliance import CheckReport, Matter
from tidings.content import Finding, Severity, SourceType
from tidings.core.ids import CampaignId, TemplateId, public_id

router = APIRouter(tags=["checks"], route_class=Route)

OfCampaign = Annotated[Call, needs("campaigns:read", tx=False)]
OfTemplate = Annotated[Call, needs("templates:read", tx=False)]
Sample = Annotated[int, Field(ge=1, le=1000, description="contacts that it is filled in for")]
Links = Annotated[Flag, Field(description="ask for each link and image, within the budget")]
Spam = Annotated[Flag, Field(description="ask the spam filter, if one is set up")]
Domain = Annotated[Flag, Field(description="ask the DNS about the sender's domain")]


class Wanted(Body):
    """What to ask the network for."""

    links: Links = True
    spam: Spam = True
    domain: Domain = True


class CampaignWanted(Wanted):
    """How to check a campaign."""

    sample: Sample = campaigns.SAMPLE


class TemplateWanted(Wanted):
    """How to check a template."""

    version: Annotated[int | None, Field(ge=1, le=2**31 - 1, description="null: the current one")] = None
    contact_id: Annotated[ContactRef | None, Field(description="null: a sample of the workspace's contacts")] = None
    sender_email: Annotated[str, Field(max_length=320, description="empty: the workspace's")] = ""
    sample: Sample = campaigns.SAMPLE


class Unsaved(Wanted):
    """Content as an editor has it, and how to check it."""

    subject: Subject = ""
    html_content: Html = ""
    text_content: Text = ""
    strict: Flag = False
    source_type: SourceType = SourceType.HTML
    source: Annotated[Source | None, Field(description=SOURCE)] = None
    inline_css: Annotated[Flag, Field(description=INLINE)] = False
    contact_id: Annotated[ContactRef | None, Field(description="null: a sample of the workspace's contacts")] = None
    sender_email: Annotated[str, Field(max_length=320, description="empty: the workspace's")] = ""
    sample: Sample = campaigns.SAMPLE


class PlaceOut(BaseModel):
    """Where a finding is, in what its author wrote."""

    part: str = Field(description="subject, preheader, html, text, source, sender, audience, campaign or message")
    line: int | None = Field(description="from 1; null for what has no place in the text")
    column: int | None
    excerpt: str
    block: str = Field(description="the shared block it stands in, or empty")
    path: str = Field(description="in a block document or a campaign: the path of the field; else empty")


class FindingOut(BaseModel):
    """One thing that was found."""

    code: str
    severity: Severity
    place: PlaceOut
    message: str
    mend: str = Field(description="how to mend it")
    contact_id: str | None = Field(description="a contact for whom it is so")
    share: float | None = Field(description="of the contacts that were looked at, 0 to 1")

    @classmethod
    def of(cls, finding: Finding, *, real: bool) -> "FindingOut":
        """As JSON shows it."""
        place = finding.place
        return cls(
            code=finding.code,
            severity=finding.severity,
            place=PlaceOut(
                part=place.part,
                line=place.line,
                column=place.column,
                excerpt=place.excerpt,
                block=place.block,
                path=place.path,
            ),
            message=finding.message,
            mend=finding.mend,
            contact_id=public_id("contact", finding.contact) if real and finding.contact else None,
            share=None if finding.share is None or not real else round(finding.share, 4),
        )


class NotRun(BaseModel):
    """What was not checked."""

    what: str
    why: str


class SymbolOut(BaseModel):
    """A rule of the spam filter that matched."""

    name: str
    score: float
    description: str


class SpamOut(BaseModel):
    """The verdict of the spam filter."""

    engine: str
    score: float
    threshold: float
    action: str
    is_spam: bool
    symbols: list[SymbolOut]


class Checked(BaseModel):
    """Everything that was found, the worst first."""

    ok: bool = Field(description="no error: nothing keeps it from being sent")
    errors: int
    warnings: int
    hints: int
    findings: list[FindingOut]
    left_off: dict[str, int] = Field(description="findings beyond the first 20 of a code")
    sampled_contacts: int = Field(description="contacts that it was filled in for; 0: a made-up one")
    html_bytes: int = Field(description="of the largest HTML part as it is sent, with wrapped links, footer and pixel")
    not_run: list[NotRun]
    spam: SpamOut | None
    checked_at: datetime

    @classmethod
    def of(cls, report: CheckReport, *, now: datetime) -> "Checked":
        """As JSON shows it."""
        counts = {one: sum(f.severity is one for f in report.findings) for one in Severity}
        score = report.spam
        return cls(
            ok=report.ok,
            errors=counts[Severity.ERROR],
            warnings=counts[Severity.WARNING],
            hints=counts[Severity.HINT],
            findings=[FindingOut.of(one, real=report.contacts > 0) for one in report.findings],
            left_off=report.left_off,
            sampled_contacts=report.contacts,
            html_bytes=report.html_bytes,
            not_run=[NotRun(what=what, why=why) for what, why in report.not_run],
            spam=None
            if score is None
            else SpamOut(
                engine=score.engine,
                score=score.score,
                threshold=score.threshold,
                action=score.action,
                is_spam=score.is_spam,
                symbols=[SymbolOut(name=s.name, score=s.score, description=s.description) for s in score.symbols],
            ),
            checked_at=now,
        )


@router.get("/campaigns/{campaign_id}/checks", summary="Check a campaign, without the network")
async def get_campaign_checks(
    campaign_id: CampaignRef, call: OfCampaign, sample: Annotated[int, Query(ge=1, le=1000)] = campaigns.SAMPLE
) -> Checked:
    """What its content, its contacts and its settings tell, at once. Errors are what the launch refuses."""
    return await _checked(call, await _campaign(call, campaign_id, sample), None)


@router.post("/campaigns/{campaign_id}/checks", summary="Check a campaign")
async def check_campaign(campaign_id: CampaignRef, body: CampaignWanted, call: OfCampaign) -> Checked:
    """The same, and its links and images are asked for, the spam filter and the DNS too. Takes some seconds, 15 at most."""
    return await _checked(call, await _campaign(call, campaign_id, body.sample), body)


@router.post("/templates/{template_id}/checks", summary="Check a template")
async def check_template(template_id: TemplateRef, body: TemplateWanted, call: OfTemplate) -> Checked:
    """A template as a campaign would send it, filled in for some of the workspace's contacts, or for one."""
    async with call.app.db.connection() as tx:
        checked = await content.load_template(
            tx, workspace=call.workspace, template=TemplateId(template_id), version=body.version
        )
        matter = await campaigns.content_matter(
            tx,
            workspace=call.workspace,
            checked=checked,
            contact=body.contact_id,
            sender_email=body.sender_email,
            public_url=call.app.public_url,
            sample=body.sample,
        )
    return await _checked(call, matter, body)


@router.post("/checks", summary="Check content that is not saved")
async def check_content(body: Unsaved, call: OfTemplate) -> Checked:
    """Content as an editor has it. Broken Liquid, MJML or blocks are findings with their places here, not a refusal."""
    found: list[Finding] = []
    async with call.app.db.connection() as tx:
        try:
            checked = await content.load_unsaved(
                tx,
                workspace=call.workspace,
                subject=body.subject,
                html_content=body.html_content,
                text_content=body.text_content,
                strict=body.strict,
                source_type=body.source_type,
                source=_told(body.source),
                inline_css=body.inline_css,
                library=call.app.media,
            )
        except content.TemplateInvalid as error:
            found = [content.invalid_liquid(one.field, one.message) for one in error.fields]
            checked = content.Checkable(body.subject, body.html_content, body.text_content, bool(body.text_content))
        matter = await campaigns.content_matter(
            tx,
            workspace=call.workspace,
            checked=checked,
            contact=body.contact_id,
            sender_email=body.sender_email,
            public_url=call.app.public_url,
            sample=body.sample,
        )
    return await _checked(call, matter, body, found)


async def _campaign(call: Call, campaign: int, sample: int) -> Matter:
    async with call.app.db.connection() as tx:
        return await campaigns.campaign_matter(
            tx,
            workspace=call.workspace,
            campaign=CampaignId(campaign),
            public_url=call.app.public_url,
            sample=sample,
            now=call.now,
        )


async def _checked(call: Call, matter: Matter, wanted: Wanted | None, found: list[Finding] | None = None) -> Checked:
    report = await compliance.run_checks(
        matter,
        links=call.app.link_probe if wanted is not None and wanted.links else None,
        spam=call.app.spam_filter if wanted is not None and wanted.spam else None,
        resolver=delivery.SystemResolver() if wanted is not None and wanted.domain else None,
        network=wanted is not None,
        already=found or (),
    )
    return Checked.of(report, now=call.now)


def _told(source: str | dict[str, Any] | None) -> str:
    if source is None:
        return ""
    return source if isinstance(source, str) else orjson.dumps(source).decode()
