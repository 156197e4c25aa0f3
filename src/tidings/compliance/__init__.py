"""May this be sent, and has that person left? Preflight before a launch, and the one way out. Owns no table."""

from tidings.compliance._leave import leave, withdraw_barrier

__all__ = ["leave", "withdraw_barrier"]
