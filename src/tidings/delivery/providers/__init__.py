"""One file a provider: how it sends, and how its notifications are read. Never imports the database.

A worker implements `Source` and hands it to a `Provider`, which pulls `Outgoing` messages from it and settles each with
an `Outcome`.
"""

from tidings.delivery.providers._interface import HealthState, Outgoing, Provider, ProviderHealth, Source
from tidings.delivery.providers._kinds import KINDS, check_config, open_provider
from tidings.delivery.providers._outcomes import (
    Accepted,
    Deferred,
    Fault,
    Outcome,
    Rejected,
    Throttled,
    Unknown,
    Withdrawn,
)
from tidings.delivery.providers._refusals import FailureClass

__all__ = [
    "KINDS",
    "Accepted",
    "Deferred",
    "FailureClass",
    "Fault",
    "HealthState",
    "Outcome",
    "Outgoing",
    "Provider",
    "ProviderHealth",
    "Rejected",
    "Source",
    "Throttled",
    "Unknown",
    "Withdrawn",
    "check_config",
    "open_provider",
]
