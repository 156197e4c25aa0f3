"""Which tags are there, and who has them? A contact's own are in `contacts.tags`.

Owns: tags.
"""

from tidings.audience.tags._tags import (
    Tag,
    TagExists,
    TagNotFound,
    create_tag,
    delete_tag,
    get_tag,
    list_tags,
    put_tags,
    register_tags,
    tag_contacts,
    update_tag,
)

__all__ = [
    "Tag",
    "TagExists",
    "TagNotFound",
    "create_tag",
    "delete_tag",
    "get_tag",
    "list_tags",
    "put_tags",
    "register_tags",
    "tag_contacts",
    "update_tag",
]
