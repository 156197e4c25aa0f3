"""Whom a campaign is meant for, as it was chosen."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidings.core.ids import ListId, SegmentId


@dataclass(frozen=True, slots=True)
class Audience:
    """Whoever is on any of the lists or in any of the segments, but on no excluded list and in no excluded segment."""

    lists: Sequence[ListId] = ()
    excluded_lists: Sequence[ListId] = ()
    segments: Sequence[SegmentId] = ()
    excluded_segments: Sequence[SegmentId] = ()
