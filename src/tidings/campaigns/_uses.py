"""Campaigns that still need something, so that it is not taken from them."""

from itertools import islice

from tidings import content
from tidings.core.db import Tx
from tidings.core.ids import AttachmentId, ListId, ProviderId, SegmentId, TemplateId, WorkspaceId, public_id


async def using_template(tx: Tx, *, workspace: WorkspaceId, template: TemplateId) -> list[str]:
    """The ids of campaigns that still need this template: all but those sent or cancelled, ten at most."""
    rows = await tx.fetch(
        """
        SELECT id FROM campaigns WHERE workspace_id = $1 AND template_id = $2 AND status NOT IN ('sent', 'cancelled')
        ORDER BY id LIMIT 10
        """,
        workspace,
        template,
    )
    return [public_id("campaign", row["id"]) for row in rows]


async def using_attachment(tx: Tx, *, workspace: WorkspaceId, attachment: AttachmentId) -> list[str]:
    """The ids of campaigns still to be launched that bring this file along themselves, ten at most."""
    rows = await tx.fetch(
        """
        SELECT id FROM campaigns
        WHERE workspace_id = $1 AND status IN ('draft', 'scheduled') AND $2 = ANY (attachment_ids) ORDER BY id LIMIT 10
        """,
        workspace,
        attachment,
    )
    return [public_id("campaign", row["id"]) for row in rows]


async def using_provider(tx: Tx, *, workspace: WorkspaceId, provider: ProviderId) -> list[str]:
    """The ids of campaigns still to be launched that name this provider, ten at most."""
    rows = await tx.fetch(
        """
        SELECT id FROM campaigns
        WHERE workspace_id = $1 AND status IN ('draft', 'scheduled') AND provider_id = $2 ORDER BY id LIMIT 10
        """,
        workspace,
        provider,
    )
    return [public_id("campaign", row["id"]) for row in rows]


async def using_block(tx: Tx, *, workspace: WorkspaceId, name: str) -> list[str]:
    """The ids of campaigns still to be launched whose own subject or preheader renders this shared block, ten at most."""
    rows = await tx.fetch(
        """
        SELECT id, subject, preheader FROM campaigns
        WHERE workspace_id = $1 AND status IN ('draft', 'scheduled')
          AND (position($2 in subject) > 0 OR position($2 in preheader) > 0)
        ORDER BY id
        """,
        workspace,
        name,
    )
    # A name may be there without being rendered.
    using = (row["id"] for row in rows if name in content.names_in(row["subject"], row["preheader"]))
    return [public_id("campaign", id_) for id_ in islice(using, 10)]


async def using_list(tx: Tx, *, workspace: WorkspaceId, list_id: ListId) -> list[str]:
    """The ids of campaigns that still go to this list or leave it out: all but those sent or cancelled, ten at most."""
    rows = await tx.fetch(
        """
        SELECT id FROM campaigns
        WHERE workspace_id = $1 AND $2 = ANY (list_ids || exclude_list_ids) AND status NOT IN ('sent', 'cancelled')
        ORDER BY id LIMIT 10
        """,
        workspace,
        list_id,
    )
    return [public_id("campaign", row["id"]) for row in rows]


async def using_segment(tx: Tx, *, workspace: WorkspaceId, segment: SegmentId) -> list[str]:
    """The ids of campaigns that still go to this segment or leave it out: all but those sent or cancelled, ten at most."""
    rows = await tx.fetch(
        """
        SELECT id FROM campaigns
        WHERE workspace_id = $1 AND $2 = ANY (segment_ids || exclude_segment_ids) AND status NOT IN ('sent', 'cancelled')
        ORDER BY id LIMIT 10
        """,
        workspace,
        segment,
    )
    return [public_id("campaign", row["id"]) for row in rows]
