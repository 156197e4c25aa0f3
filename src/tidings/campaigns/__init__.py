"""What goes to whom, when, and how is it doing? Campaigns from draft to report.

Owns: campaigns. Emits nothing of its own; what becomes of messages is `delivery`'s to tell.
"""

from tidings.campaigns._archive import Archive, Archived, ArchiveTokens, get_archived, list_archived
from tidings.campaigns._campaign import (
    Campaign,
    CampaignStatus,
    Draft,
    count_campaigns,
    create_campaign,
    delete_campaign,
    duplicate_campaign,
    get_campaign,
    list_campaigns,
    update_campaign,
)
from tidings.campaigns._checks import SAMPLE, campaign_matter, content_matter
from tidings.campaigns._contact_timeline import TOP, Happening, Position, TimelineKind, contact_timeline
from tidings.campaigns._control import cancel, follow_sends, pause, resume, retry_failed
from tidings.campaigns._deleting import delete_attachment, delete_media, delete_provider, delete_template
from tidings.campaigns._errors import CampaignNotFound, WrongState
from tidings.campaigns._launch import launch, launch_due
from tidings.campaigns._report import Counts, Progress, Rates, Speedometer, counts_of, of_sends, progress_of, rates_of
from tidings.campaigns._template_tests import Reader, preview_template, send_template_test
from tidings.campaigns._tests import CampaignPreview, preview_campaign, send_campaign_test
from tidings.campaigns._uses import using_block, using_list, using_segment
from tidings.campaigns._why import Explanation, Reason, Why, explain, explain_address

__all__ = [
    "SAMPLE",
    "TOP",
    "Archive",
    "ArchiveTokens",
    "Archived",
    "Campaign",
    "CampaignNotFound",
    "CampaignPreview",
    "CampaignStatus",
    "Counts",
    "Draft",
    "Explanation",
    "Happening",
    "Position",
    "Progress",
    "Rates",
    "Reader",
    "Reason",
    "Speedometer",
    "TimelineKind",
    "Why",
    "WrongState",
    "campaign_matter",
    "cancel",
    "contact_timeline",
    "content_matter",
    "count_campaigns",
    "counts_of",
    "create_campaign",
    "delete_attachment",
    "delete_campaign",
    "delete_media",
    "delete_provider",
    "delete_template",
    "duplicate_campaign",
    "explain",
    "explain_address",
    "follow_sends",
    "get_archived",
    "get_campaign",
    "launch",
    "launch_due",
    "list_archived",
    "list_campaigns",
    "of_sends",
    "pause",
    "preview_campaign",
    "preview_template",
    "progress_of",
    "rates_of",
    "resume",
    "retry_failed",
    "send_campaign_test",
    "send_template_test",
    "update_campaign",
    "using_block",
    "using_list",
    "using_segment",
]
