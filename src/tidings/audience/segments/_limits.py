"""How much one segment may ask for: what a hostile one costs is bounded before the database sees it."""

DEPTH = 10
"""Groups within groups, those of segments within segments included."""

CONDITIONS = 100
"""Conditions of one segment, those of the segments that it names included."""

SETS = 24
"""Of these, conditions that read another table than contacts: lists, engagement, custom events."""

LIST_ITEMS = 1000
"""Values of `in` and `not_in`."""

TEXT = 1000
"""Characters of a value."""

REFERENCES = 100
"""Campaigns, or lists, that one condition names."""

FILTERS = 10
"""Conditions on the properties of one custom event."""

TIMES = 1_000_000
"""The highest number of times that can be asked for."""
