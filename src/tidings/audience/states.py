"""Where people stand. Both orders are the database's too: weakest first."""

from enum import StrEnum


class ContactStatus(StrEnum):
    """Whether a contact may be mailed. A status never gives way to a weaker one by itself."""

    ACTIVE = "active"
    """May be mailed."""
    BOUNCED = "bounced"
    """Their server says that there is no such address."""
    UNSUBSCRIBED = "unsubscribed"
    """They left, or were taken off for good."""
    COMPLAINED = "complained"
    """They called a message spam."""


class SuppressionReason(StrEnum):
    """Why an address is never to be mailed. A reason never gives way to a weaker one."""

    BOUNCED = "bounced"
    """It does not exist."""
    MANUAL = "manual"
    """Someone of the workspace said so."""
    UNSUBSCRIBED = "unsubscribed"
    """Its owner left."""
    COMPLAINED = "complained"
    """Its owner called a message spam."""


class SubscriptionStatus(StrEnum):
    """Where a contact stands with one list."""

    PENDING = "pending"
    """Asked, not yet confirmed."""
    SUBSCRIBED = "subscribed"
    """On it."""
    UNSUBSCRIBED = "unsubscribed"
    """Was on it, and left: nothing but their own wish puts them back."""
