"""How much may go where: limits of a provider by mailbox provider, shared by all workers of all hosts."""

from tidings.delivery.limits._budget_shares import Share
from tidings.delivery.limits._budgets import Budget
from tidings.delivery.limits._caps import Cap, restraints, set_caps, within
from tidings.delivery.limits._limits import DAY, HOUR, MINUTE, SETTINGS, Limit, limits_of
from tidings.delivery.limits._mailbox_providers import OTHER, by_domain
from tidings.delivery.limits._recipient_domains import MailboxProviders, collect_domains, look_up_domains

__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "OTHER",
    "SETTINGS",
    "Budget",
    "Cap",
    "Limit",
    "MailboxProviders",
    "Share",
    "by_domain",
    "collect_domains",
    "limits_of",
    "look_up_domains",
    "restraints",
    "set_caps",
    "within",
]
