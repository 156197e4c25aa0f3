"""What a campaign says to its audience, as it would be frozen at this moment."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidings import accounts, content, delivery
from tidings.audience import lists
from tidings.campaigns._campaign import Campaign
from tidings.core.db import Tx
from tidings.core.ids import WorkspaceId


@dataclass(frozen=True, slots=True)
class Basis:
    """What campaigns have in common that use the same template, lists and files, with the same subject and preheader."""

    workspace: WorkspaceId
    frozen: content.FrozenTemplate
    owner: accounts.Workspace
    only: lists.List | None
    """The one list that they go to."""
    attached: Sequence[content.Attached]

    def said_by(self, campaign: Campaign, *, public_url: str) -> delivery.SendContent:
        """The whole of the messages of one of them."""
        frozen, owner, workspace = self.frozen, self.owner, self.workspace
        domain = campaign.sender_email.rpartition("@")[2]
        # RFC 2919: the id of what people are subscribed to, stable for as long as the list lives.
        whose = "campaigns" if self.only is None else f"list-{self.only.id}"
        return delivery.SendContent(
            subject=frozen.subject,
            html=frozen.html,
            text=frozen.text,
            sender_email=campaign.sender_email,
            sender_name=campaign.sender_name,
            reply_to=campaign.reply_to,
            message_domain=domain,
            list_id=f"{whose}.workspace-{workspace}.{domain}",
            list_name=owner.name if self.only is None else self.only.name,
            # Campaign, template, kind, and the sender's own stable id of 5 to 15 characters.
            # https://support.google.com/mail/answer/6254652
            feedback_id=f"c{campaign.id}:t{frozen.template}:campaign:tidings-w{workspace}"[:127],
            workspace_name=owner.name,
            postal_address=owner.postal_address,
            campaign_id=campaign.id,
            campaign_name=campaign.name,
            public_url=public_url,
            track_opens=True,
            track_clicks=True,
            attached=(*frozen.attached, *self.attached),
            preheader=frozen.preheader,
        )


async def basis_of(tx: Tx, *, workspace: WorkspaceId, campaign: Campaign) -> Basis:
    """What this campaign is made of. Raises TemplateNotFound, TemplateInvalid, Invalid."""
    frozen = await content.freeze(
        tx, workspace=workspace, template=campaign.template_id, subject=campaign.subject, preheader=campaign.preheader
    )
    owner = await accounts.get_workspace(tx, workspace=workspace)
    only = None
    if len(campaign.list_ids) == 1 and not campaign.segment_ids:
        only = await lists.get_list(tx, workspace=workspace, list=campaign.list_ids[0])
    ours = await content.attachments_of(
        tx, workspace=workspace, ids=campaign.attachment_ids, beside=frozen.attached, field="attachment_ids"
    )
    return Basis(workspace, frozen, owner, only, tuple(one.attached for one in ours))
