"""Whom do we know? One contact at a time: created, read, changed, deleted.

Owns: contacts. `SELECT`, `of_row`, `unknown` and `insert_contact` are for the other parts of audience.
"""

from tidings.audience.contacts._contacts import (
    SELECT,
    Contact,
    ContactExists,
    ContactNotFound,
    create_contact,
    delete_contact,
    find_contact,
    get_contact,
    insert_contact,
    of_row,
    put_contact,
    unknown,
    update_contact,
)
from tidings.audience.contacts._values import contact_values

__all__ = [
    "SELECT",
    "Contact",
    "ContactExists",
    "ContactNotFound",
    "contact_values",
    "create_contact",
    "delete_contact",
    "find_contact",
    "get_contact",
    "insert_contact",
    "of_row",
    "put_contact",
    "unknown",
    "update_contact",
]
