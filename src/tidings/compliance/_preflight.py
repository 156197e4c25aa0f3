"""What must be there before anything is sent."""

from datetime import datetime

from tidings import accounts, content, delivery
from tidings.audience.lists import missing_lists
from tidings.audience.recipients import (
    Audience,
    SampledRows,
    SampleTooSlow,
    anyone,
    missing_segments_of,
    sample_recipients,
)
from tidings.core.db import Tx
from tidings.core.errors import Conflict, FieldProblem, Invalid
from tidings.core.ids import ProviderId, RouteId, TemplateId, WorkspaceId

_LOOKED_AT = 20
"""Contacts for whom a message is made before a launch: a campaign waits for it."""


class NotReady(Conflict):
    """The campaign is well formed, but something it needs is missing; `fields` says what, and how to mend it."""

    code = "not_ready"


async def preflight(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    audience: Audience,
    provider: ProviderId | None,
    route: RouteId | None = None,
    template: TemplateId,
    subject: str = "",
    preheader: str = "",
    now: datetime,
) -> None:
    """Raises NotReady with everything that stands in the way of a send. (CAN-SPAM 15 U.S.C. 7704(a)(5): postal address.)

    `subject` and `preheader` '' : the template's. What the message says is looked at as some of the contacts would get it.
    """
    rows = await _some(tx, workspace, audience, now)
    problems = await missing_for_launch(
        tx,
        workspace=workspace,
        audience=audience,
        provider=provider,
        route=route,
        template=template,
        somebody=bool(rows),
        now=now,
    )
    if not problems:
        problems = await _said(tx, workspace, rows, template, (subject, preheader))
    if problems:
        raise NotReady("; ".join(f"{p.field}: {p.message}" for p in problems), fields=tuple(problems))


async def missing_for_launch(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    audience: Audience,
    provider: ProviderId | None,
    route: RouteId | None = None,
    template: TemplateId,
    somebody: bool = False,
    now: datetime,
) -> list[FieldProblem]:
    """What a campaign needs and has not: address, provider, audience, template.

    `somebody`: that there is someone in the audience is known already.
    """
    problems: list[FieldProblem] = []
    owner = await accounts.get_workspace(tx, workspace=workspace)
    if not owner.postal_address.strip():
        problems.append(
            FieldProblem("workspace.postal_address", "the law asks for your postal address in every message: set it")
        )
    try:
        if await delivery.find_way(tx, workspace=workspace, provider=provider, route=route) is None:
            problems.append(FieldProblem("provider_id", "there is no provider to send through yet: add one"))
    except (delivery.ProviderNotFound, delivery.RouteNotFound):
        problems.append(FieldProblem("provider_id", "what this campaign goes through was deleted: choose another"))
    problems += await _audience(tx, workspace, audience, now, somebody=somebody)
    try:
        await content.get_template(tx, workspace=workspace, template=template)
    except content.TemplateNotFound:
        problems.append(FieldProblem("template_id", "this campaign's template was deleted: choose another"))
    return problems


async def _some(tx: Tx, workspace: WorkspaceId, whom: Audience, now: datetime) -> SampledRows:
    """Some of those who would get it. None if finding them takes too long: the lanes refuse what cannot be made, recipient by
    recipient; and none if a segment cannot be read, which is told by what is missing."""
    try:
        return await sample_recipients(tx, workspace=workspace, audience=whom, limit=_LOOKED_AT, now=now, quick=True)
    except (SampleTooSlow, Invalid):
        return ()


async def _said(
    tx: Tx, workspace: WorkspaceId, rows: SampledRows, template: TemplateId, own: tuple[str, str]
) -> list[FieldProblem]:
    """Errors in what the message says: no way out that anyone sees, no address, nothing that could be sent at all."""
    owner = await accounts.get_workspace(tx, workspace=workspace)
    try:
        checked = await content.load_template(
            tx, workspace=workspace, template=template, subject=own[0], preheader=own[1]
        )
    except content.TemplateInvalid as error:
        return [FieldProblem("template_id", error.message)]
    if not rows:
        return []
    found = await content.check_mandatory(
        checked, rows=rows, workspace_name=owner.name, postal_address=owner.postal_address
    )
    return [FieldProblem("template_id", f"{one.message}: {one.mend}") for one in found]


async def _audience(
    tx: Tx, workspace: WorkspaceId, whom: Audience, now: datetime, *, somebody: bool
) -> list[FieldProblem]:
    if await missing_lists(tx, workspace=workspace, lists=[*whom.lists, *whom.excluded_lists]):
        return [FieldProblem("contact_list_ids", "a list of this campaign was deleted: choose another")]
    if await missing_segments_of(tx, workspace=workspace, audience=whom):
        return [FieldProblem("segment_ids", "a segment of this campaign was deleted: choose another")]
    try:
        if somebody or await anyone(tx, workspace=workspace, audience=whom, now=now):
            return []
    except Invalid as error:
        return [FieldProblem("segment_ids", f"a segment cannot be read any more: {error.message}")]
    if whom.segments:
        return [
            FieldProblem("segment_ids", "nobody is on these lists or in these segments: there is no one to send to")
        ]
    return [FieldProblem("contact_list_ids", "nobody is subscribed to these lists: there is no one to send to")]
