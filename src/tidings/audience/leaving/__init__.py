"""How does somebody get out? They leave, or their address dies; every send worker hears of it with the commit.

Writes: contacts, subscriptions, suppressions, list_suppressions. Emits: unsubscribed. Callers outside go through `compliance`.
"""

from tidings.audience.leaving._hashes import suppress_hashes
from tidings.audience.leaving._leaving import announce_withdrawn, suppress, unsubscribe

__all__ = [
    "announce_withdrawn",
    "suppress",
    "suppress_hashes",
    "unsubscribe",
]
