"""Which addresses are never to be mailed? By themselves, by whole domain, or for one list.

Owns: suppressions, list_suppressions.
"""

from tidings.audience.suppressions._file import RowProblem, Rows, read_addresses
from tidings.audience.suppressions._suppressions import (
    ConsentRequired,
    Suppression,
    SuppressionNotFound,
    ToSuppress,
    Wanted,
    clean_emails,
    count_suppressions,
    filters,
    forget_addresses,
    get_suppression,
    lift_suppressions,
    list_suppressions,
    suppress_addresses,
    table,
)

__all__ = [
    "ConsentRequired",
    "RowProblem",
    "Rows",
    "Suppression",
    "SuppressionNotFound",
    "ToSuppress",
    "Wanted",
    "clean_emails",
    "count_suppressions",
    "filters",
    "forget_addresses",
    "get_suppression",
    "lift_suppressions",
    "list_suppressions",
    "read_addresses",
    "suppress_addresses",
    "table",
]
