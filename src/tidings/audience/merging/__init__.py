"""Are these two one person? Everything that is known of one goes over to the other."""

from tidings.audience.merging._merge import Pair, Side, lock_pair, merge_contacts

__all__ = [
    "Pair",
    "Side",
    "lock_pair",
    "merge_contacts",
]
