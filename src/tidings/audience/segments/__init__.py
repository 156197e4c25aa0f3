"""Who matches conditions, at this moment? The language is described in docs/reference/segments.md.

Owns: segments. Reads, in SQL alone, what tracking, delivery and campaigns know of people (decision 0060).
"""

from tidings.audience.segments._fragment import Fragment
from tidings.audience.segments._members import (
    Membership,
    conditions_members,
    missing_segments,
    segment_members,
    settle_plans,
    unsettle_plans,
)
from tidings.audience.segments._preview import (
    SegmentCount,
    SegmentTooSlow,
    count_segment,
    fetch_of_members,
    members_between,
    sample_segment,
)
from tidings.audience.segments._problems import SegmentInvalid
from tidings.audience.segments._schema import ROOT as CONDITIONS_SCHEMA
from tidings.audience.segments._schema import schemas as conditions_schemas
from tidings.audience.segments._store import (
    Segment,
    SegmentExists,
    SegmentInUse,
    SegmentNotFound,
    count_segments,
    create_segment,
    delete_segment,
    get_segment,
    list_segments,
    update_segment,
)

__all__ = [
    "CONDITIONS_SCHEMA",
    "Fragment",
    "Membership",
    "Segment",
    "SegmentCount",
    "SegmentExists",
    "SegmentInUse",
    "SegmentInvalid",
    "SegmentNotFound",
    "SegmentTooSlow",
    "conditions_members",
    "conditions_schemas",
    "count_segment",
    "count_segments",
    "create_segment",
    "delete_segment",
    "fetch_of_members",
    "get_segment",
    "list_segments",
    "members_between",
    "missing_segments",
    "sample_segment",
    "segment_members",
    "settle_plans",
    "unsettle_plans",
    "update_segment",
]
