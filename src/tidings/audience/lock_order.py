"""In which order rows are locked, everywhere, so that nobody waits for somebody who waits for them.

1. lists by id (`FOR KEY SHARE` to put people on them, `FOR UPDATE` to delete them or suppress addresses on them),
2. contacts by id,
3. consents, then subscriptions by contact and list, then suppressions by the hash of the address.

No foreign key keeps the list of a new row in `subscriptions` or `list_suppressions`. So whoever writes such rows locks the lists,
and before the people. Whoever locks several rows at once says `ORDER BY`, for the order of an index
is only the planner's opinion. What slips through is tried again: docs/decisions/0094-deadlocks-are-tried-again.md.
"""

from collections.abc import Sequence

from tidings.core.db import Tx
from tidings.core.ids import ContactId, WorkspaceId

_LISTS_OF = """
SELECT FROM lists
WHERE workspace_id = $1 AND id = ANY (ARRAY(
    SELECT list_id FROM subscriptions WHERE workspace_id = $1 AND contact_id = ANY ($2::bigint[])
    UNION
    SELECT list_id FROM list_suppressions WHERE workspace_id = $1 AND address_hash = ANY (ARRAY(
        SELECT address_hash FROM contacts WHERE workspace_id = $1 AND id = ANY ($2::bigint[])))))
ORDER BY id FOR KEY SHARE
"""


async def lock_lists_of(tx: Tx, *, workspace: WorkspaceId, contacts: Sequence[ContactId]) -> None:
    """Keep every list that these contacts are on, left, or are kept off; to be called before the contacts are locked."""
    await tx.execute(_LISTS_OF, workspace, list(contacts))
