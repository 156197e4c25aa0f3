"""What each kind of provider can do, besides the settings that every kind has: read off its settings, so that a table of it
cannot say anything else.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from tidings.delivery.providers._interface import EVERY_KIND
from tidings.delivery.providers._mailgun import MailgunConfig, MailgunProvider
from tidings.delivery.providers._sendgrid import SendgridConfig, SendgridProvider
from tidings.delivery.providers._ses import SesConfig, SesProvider
from tidings.delivery.providers._smtp_config import SmtpConfig

_SECRETS = frozenset({"password", "access_key_id", "secret_access_key", "session_token", "api_key", "signing_key"})


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Of one kind. `largest`: bytes of the largest message; None: what the server says when it is connected to (SIZE)."""

    settings: tuple[str, ...]
    secrets: tuple[str, ...]
    largest: int | None
    notifies: bool
    """It tells later what became of a message."""


def capabilities() -> dict[str, Capabilities]:
    """Of every kind that leaves this machine."""
    return {
        "smtp": _read(SmtpConfig, None, notifies=False),
        "ses": _read(SesConfig, SesProvider.largest, notifies=True),
        "sendgrid": _read(SendgridConfig, SendgridProvider.largest, notifies=True),
        "mailgun": _read(MailgunConfig, MailgunProvider.largest, notifies=True),
    }


def _read(config: Any, largest: int | None, *, notifies: bool) -> Capabilities:
    names = [item.name for item in dataclasses.fields(config)]
    return Capabilities(
        tuple(name for name in names if name not in _SECRETS and name not in EVERY_KIND),
        tuple(name for name in names if name in _SECRETS),
        largest,
        notifies,
    )
