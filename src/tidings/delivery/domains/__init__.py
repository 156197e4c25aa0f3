"""Sending domains: their keys and return paths, and whether their DNS is as it should be."""

from tidings.delivery.domains._check import CheckState, DomainCheck, check_domain
from tidings.delivery.domains._dns import Resolver, SystemResolver, Unanswered
from tidings.delivery.domains._domains import (
    DkimKey,
    DomainConflict,
    DomainNotFound,
    SendingDomain,
    activate_keys,
    add_domain,
    clean_domain,
    delete_domain,
    get_domain,
    list_domains,
    new_keys,
    rotate_keys,
    set_return_path,
)

__all__ = [
    "CheckState",
    "DkimKey",
    "DomainCheck",
    "DomainConflict",
    "DomainNotFound",
    "Resolver",
    "SendingDomain",
    "SystemResolver",
    "Unanswered",
    "activate_keys",
    "add_domain",
    "check_domain",
    "clean_domain",
    "delete_domain",
    "get_domain",
    "list_domains",
    "new_keys",
    "rotate_keys",
    "set_return_path",
]
