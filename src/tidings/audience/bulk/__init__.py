"""The same for many contacts at once: changed, deleted, tagged."""

from tidings.audience.bulk._bulk import delete_contacts, update_contacts
from tidings.audience.bulk._tag_many import TaggedMany, tag_everybody

__all__ = [
    "TaggedMany",
    "delete_contacts",
    "tag_everybody",
    "update_contacts",
]
