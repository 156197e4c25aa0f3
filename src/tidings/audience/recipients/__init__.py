"""Who gets it? A campaign's audience: lists and segments, less other lists and segments, less whoever may not be mailed."""

from tidings.audience.recipients._anyone import anyone
from tidings.audience.recipients._audience import Audience
from tidings.audience.recipients._belonging import Belonging, OnList, belonging
from tidings.audience.recipients._recipients import (
    AudienceCount,
    count_recipients,
    listed_recipients,
    missing_segments_of,
    recipients,
)
from tidings.audience.recipients._sample import (
    SampledRows,
    SampleTooSlow,
    one_contact,
    sample_contacts,
    sample_recipients,
)

__all__ = [
    "Audience",
    "AudienceCount",
    "Belonging",
    "OnList",
    "SampleTooSlow",
    "SampledRows",
    "anyone",
    "belonging",
    "count_recipients",
    "listed_recipients",
    "missing_segments_of",
    "one_contact",
    "recipients",
    "sample_contacts",
    "sample_recipients",
]
