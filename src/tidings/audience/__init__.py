"""Who may be mailed? Contacts, lists, subscriptions, suppressions, imports.

Owns: contacts, lists, subscriptions, suppressions, imports, import_batches.
Emits: unsubscribed. Background job: audience.import (see `jobs`).
"""

from tidings.audience._addresses import InvalidAddress, address_hash, address_key, normalise_email
from tidings.audience._contacts import (
    Contact,
    ContactExists,
    ContactNotFound,
    create_contact,
    delete_contact,
    get_contact,
    update_contact,
)
from tidings.audience._fields import ContactFields, clean_contact
from tidings.audience._import_job import jobs, run_import
from tidings.audience._imports import Import, ImportNotFound, ImportStatus, get_import, start_import
from tidings.audience._leaving import announce_withdrawn, suppress, unsubscribe
from tidings.audience._lists import (
    List,
    ListExists,
    ListInUse,
    ListNotFound,
    count_lists,
    create_list,
    delete_list,
    get_list,
    list_lists,
    missing_lists,
    require_list,
    update_list,
)
from tidings.audience._members import Added, remove, subscribe
from tidings.audience._pages import count_contacts, count_members, list_contacts, list_members
from tidings.audience._recipients import anyone, recipients_sql
from tidings.audience._states import ContactStatus, SubscriptionStatus, SuppressionReason

__all__ = [
    "Added",
    "Contact",
    "ContactExists",
    "ContactFields",
    "ContactNotFound",
    "ContactStatus",
    "Import",
    "ImportNotFound",
    "ImportStatus",
    "InvalidAddress",
    "List",
    "ListExists",
    "ListInUse",
    "ListNotFound",
    "SubscriptionStatus",
    "SuppressionReason",
    "address_hash",
    "address_key",
    "announce_withdrawn",
    "anyone",
    "clean_contact",
    "count_contacts",
    "count_lists",
    "count_members",
    "create_contact",
    "create_list",
    "delete_contact",
    "delete_list",
    "get_contact",
    "get_import",
    "get_list",
    "jobs",
    "list_contacts",
    "list_lists",
    "list_members",
    "missing_lists",
    "normalise_email",
    "recipients_sql",
    "remove",
    "require_list",
    "run_import",
    "start_import",
    "subscribe",
    "suppress",
    "unsubscribe",
    "update_contact",
    "update_list",
]
