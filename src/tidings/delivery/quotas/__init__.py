"""What limits a provider from outside: its account, and the warm-up of a new address or domain."""

from tidings.delivery.quotas._accounts import Accounts
from tidings.delivery.quotas._limit_uses import LimitUse, provider_limits
from tidings.delivery.quotas._warmup import (
    Warmup,
    WarmupDay,
    WarmupGroup,
    WarmupNotFound,
    get_warmup,
    start_warmup,
    step_warmup,
    stop_warmup,
)
from tidings.delivery.quotas._warmup_plan import GROWTH, START, TARGET, Move, checked, ladder

__all__ = [
    "GROWTH",
    "START",
    "TARGET",
    "Accounts",
    "LimitUse",
    "Move",
    "Warmup",
    "WarmupDay",
    "WarmupGroup",
    "WarmupNotFound",
    "checked",
    "get_warmup",
    "ladder",
    "provider_limits",
    "start_warmup",
    "step_warmup",
    "stop_warmup",
]
