"""Identifiers: plain integers inside, prefixed strings (`campaign_456`) outside."""

import re
from typing import NewType

from tidings.core.errors import Invalid

WorkspaceId = NewType("WorkspaceId", int)
ContactId = NewType("ContactId", int)
ListId = NewType("ListId", int)
TemplateId = NewType("TemplateId", int)
BlockId = NewType("BlockId", int)
MediaId = NewType("MediaId", int)
AttachmentId = NewType("AttachmentId", int)
CampaignId = NewType("CampaignId", int)
SendId = NewType("SendId", int)
ProviderId = NewType("ProviderId", int)
RouteId = NewType("RouteId", int)
ImportId = NewType("ImportId", int)
SegmentId = NewType("SegmentId", int)
FieldId = NewType("FieldId", int)
TagId = NewType("TagId", int)
FormId = NewType("FormId", int)
ConsentId = NewType("ConsentId", int)
MessageId = NewType("MessageId", int)
DomainId = NewType("DomainId", int)
InboundId = NewType("InboundId", int)
BounceMailboxId = NewType("BounceMailboxId", int)

_PUBLIC = re.compile(r"([a-z][a-z_]*)_([1-9][0-9]{0,18})", re.ASCII)
_MAX_BIGINT = 2**63 - 1


def public_id(kind: str, number: int) -> str:
    """The id that the outside sees: `public_id("campaign", 456)` is `campaign_456`."""
    return f"{kind}_{number}"


def parse_id(kind: str, text: str, *, field: str) -> int:
    """The number in a public id of this kind. Raises Invalid, naming `field`, for anything else."""
    match = _PUBLIC.fullmatch(text)
    if match is None or match[1] != kind or int(match[2]) > _MAX_BIGINT:
        raise Invalid.at(field, f"must be an id such as {kind}_123, not {text[:60]!r}")
    return int(match[2])
