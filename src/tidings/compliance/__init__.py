"""May this be sent, and has that person left? Preflight before a launch, and the one way out. Owns no table."""

from tidings.compliance._leave import leave, withdraw_barrier
from tidings.compliance._preflight import NotReady, preflight

__all__ = ["NotReady", "leave", "preflight", "withdraw_barrier"]
