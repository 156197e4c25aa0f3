"""Which contacts are there? By pages, by list, by any part of an address or a name."""

from tidings.audience.search._pages import count_contacts, count_members, list_contacts, list_members
from tidings.audience.search._search import Found, has_word, search_contacts, search_words

__all__ = [
    "Found",
    "count_contacts",
    "count_members",
    "has_word",
    "list_contacts",
    "list_members",
    "search_contacts",
    "search_words",
]
