"""Which lists are there, and on what terms do people get onto them by themselves?

Owns: lists, lists_gone.
"""

from tidings.audience.lists._clearing import clear_list, jobs, sweep_lists
from tidings.audience.lists._lists import (
    List,
    ListExists,
    ListInUse,
    ListNotFound,
    ListTerms,
    count_lists,
    create_list,
    delete_list,
    get_list,
    list_lists,
    missing_lists,
    public_lists,
    require_list,
    require_lists,
    some_lists,
    update_list,
)
from tidings.audience.lists._settings import ListSettings, OptIn, Visibility, sender_address

__all__ = [
    "List",
    "ListExists",
    "ListInUse",
    "ListNotFound",
    "ListSettings",
    "ListTerms",
    "OptIn",
    "Visibility",
    "clear_list",
    "count_lists",
    "create_list",
    "delete_list",
    "get_list",
    "jobs",
    "list_lists",
    "missing_lists",
    "public_lists",
    "require_list",
    "require_lists",
    "sender_address",
    "some_lists",
    "sweep_lists",
    "update_list",
]
