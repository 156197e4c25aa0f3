"""How do people get in by the thousand? JSON, CSV, XLSX and ZIP files, accepted at once and worked off in the background.

A file streams into `import_pieces` (`_accept`), is looked at (`_formats`, `_open`, `_mapping`), and read by a process of its own
(`_reader`, `_child`) that checks a column at a time (`_check`); `_work` stores a batch a transaction.

Owns: imports, import_pieces, import_batches, import_rejects. Background job: audience.import (see `jobs`).
"""

from tidings.audience.imports._accept import (
    Choices,
    FileTooLarge,
    Reading,
    Upload,
    cancel_import,
    forget_uploads,
    queue_import,
    start_import,
)
from tidings.audience.imports._rejects import rejected_rows
from tidings.audience.imports._states import (
    Import,
    ImportNotFound,
    ImportPolicy,
    ImportState,
    ImportStatus,
    count_imports,
    get_import,
    list_imports,
)
from tidings.audience.imports._tables import BrokenFile
from tidings.audience.imports._work import jobs, run_import

__all__ = [
    "BrokenFile",
    "Choices",
    "FileTooLarge",
    "Import",
    "ImportNotFound",
    "ImportPolicy",
    "ImportState",
    "ImportStatus",
    "Reading",
    "Upload",
    "cancel_import",
    "count_imports",
    "forget_uploads",
    "get_import",
    "jobs",
    "list_imports",
    "queue_import",
    "rejected_rows",
    "run_import",
    "start_import",
]
