"""One file a provider: how it sends, and how its notifications are read. Never imports the database.

A worker implements `Source` and hands it to a `Provider`, which pulls `Outgoing` messages from it and settles each with
an `Outcome`.
"""

from tidings.delivery.providers._capabilities import Capabilities, capabilities
from tidings.delivery.providers._interface import EVERY_KIND, HealthState, Outgoing, Provider, ProviderHealth, Source
from tidings.delivery.providers._kinds import KINDS, check_config, connections_of, open_provider
from tidings.delivery.providers._mailgun import read_mailgun, verify_mailgun
from tidings.delivery.providers._notifications import BadSignature, Happening, Notification, NotSetUp, refusal_class
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
from tidings.delivery.providers._sendgrid import read_sendgrid, verify_sendgrid
from tidings.delivery.providers._ses import SesAccount, SesProvider, read_ses, read_ses_account
from tidings.delivery.providers._smtp_config import is_host, is_loopback
from tidings.delivery.providers._sns import SnsMessage, parse_sns, verify_sns

__all__ = [
    "EVERY_KIND",
    "KINDS",
    "Accepted",
    "BadSignature",
    "Capabilities",
    "Deferred",
    "FailureClass",
    "Fault",
    "Happening",
    "HealthState",
    "NotSetUp",
    "Notification",
    "Outcome",
    "Outgoing",
    "Provider",
    "ProviderHealth",
    "Rejected",
    "SesAccount",
    "SesProvider",
    "SnsMessage",
    "Source",
    "Throttled",
    "Unknown",
    "Withdrawn",
    "capabilities",
    "check_config",
    "connections_of",
    "is_host",
    "is_loopback",
    "open_provider",
    "parse_sns",
    "read_mailgun",
    "read_sendgrid",
    "read_ses",
    "read_ses_account",
    "refusal_class",
    "verify_mailgun",
    "verify_sendgrid",
    "verify_sns",
]
