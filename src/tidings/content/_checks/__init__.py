"""Is this fit to be sent? What can be told from what is written, and from what comes out for real contacts.

One file an idea: each declares its rules and finds what breaks them. `_run` puts them together; who needs contacts or
the network is above (`compliance`, `campaigns`).
"""

from tidings.content._checks._findings import (
    Finding,
    Part,
    Place,
    Severity,
    in_order,
    rule,
    rules,
)
from tidings.content._checks._loading import load_template, load_unsaved, read_unsaved
from tidings.content._checks._run import Checkable, check_content, check_mandatory, invalid_liquid
from tidings.content._checks._weight import GMAIL_CLIPS, check_size

__all__ = [
    "GMAIL_CLIPS",
    "Checkable",
    "Finding",
    "Part",
    "Place",
    "Severity",
    "check_content",
    "check_mandatory",
    "check_size",
    "in_order",
    "invalid_liquid",
    "load_template",
    "load_unsaved",
    "read_unsaved",
    "rule",
    "rules",
]
