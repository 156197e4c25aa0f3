"""What a campaign says to its audience, as it would be frozen at this moment."""

from tidings import accounts, content, delivery
from tidings.audience import lists
from tidings.campaigns._campaign import Campaign
from tidings.core.db import Tx
from tidings.core.ids import WorkspaceId


async def content_of(
    tx: Tx, *, workspace: WorkspaceId, campaign: Campaign, public_url: str
) -> tuple[content.FrozenTemplate, delivery.SendContent]:
    """Its template with the blocks in it, and the whole of its messages. Raises TemplateNotFound, TemplateInvalid, Invalid."""
    frozen = await content.freeze(
        tx, workspace=workspace, template=campaign.template_id, subject=campaign.subject, preheader=campaign.preheader
    )
    owner = await accounts.get_workspace(tx, workspace=workspace)
    domain = campaign.sender_email.rpartition("@")[2]
    # RFC 2919: the id of what people are subscribed to, stable for as long as the list lives.
    if len(campaign.list_ids) == 1 and not campaign.segment_ids:
        only = await lists.get_list(tx, workspace=workspace, list=campaign.list_ids[0])
        list_id, list_name = f"list-{only.id}.workspace-{workspace}.{domain}", only.name
    else:
        list_id, list_name = f"campaigns.workspace-{workspace}.{domain}", owner.name
    ours = await content.attachments_of(
        tx, workspace=workspace, ids=campaign.attachment_ids, beside=frozen.attached, field="attachment_ids"
    )
    said = delivery.SendContent(
        subject=frozen.subject,
        html=frozen.html,
        text=frozen.text,
        sender_email=campaign.sender_email,
        sender_name=campaign.sender_name,
        reply_to=campaign.reply_to,
        message_domain=domain,
        list_id=list_id,
        list_name=list_name,
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
        attached=(*frozen.attached, *(one.attached for one in ours)),
        preheader=frozen.preheader,
    )
    return frozen, said
