"""Everything that is known, as a file: contacts and suppressions, as CSV or JSON lines."""

from tidings.audience.exports._export import (
    ExportAs,
    ExportFormat,
    ExportOf,
    count_exported,
    export_contacts,
    export_suppressions,
)

__all__ = [
    "ExportAs",
    "ExportFormat",
    "ExportOf",
    "count_exported",
    "export_contacts",
    "export_suppressions",
]
