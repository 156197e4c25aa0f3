"""Who is no more, and who are they now? Contacts that were deleted or merged, and what must outlive them.

Owns: contacts_gone, deleted_contacts, contact_merges.
"""

from tidings.audience.gone._deleting import delete_people, deleted_contact, deleted_hashes, forget_deleted, heirs
from tidings.audience.gone._numbers import note_gone
from tidings.audience.gone._survivors import LOCK, Merged, lock_survivors, merged_contact, survivor, told_of_survivors

__all__ = [
    "LOCK",
    "Merged",
    "delete_people",
    "deleted_contact",
    "deleted_hashes",
    "forget_deleted",
    "heirs",
    "lock_survivors",
    "merged_contact",
    "note_gone",
    "survivor",
    "told_of_survivors",
]
