"""The kinds of provider there are, and how each is made from its stored settings."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tidings.core.errors import Invalid
from tidings.delivery.providers._interface import Provider
from tidings.delivery.providers._mailgun import MailgunConfig, MailgunProvider
from tidings.delivery.providers._sandbox import SandboxConfig, SandboxProvider
from tidings.delivery.providers._sendgrid import SendgridConfig, SendgridProvider
from tidings.delivery.providers._ses import SesConfig, SesProvider
from tidings.delivery.providers._smtp_config import SmtpConfig
from tidings.delivery.providers._smtp_pool import SmtpProvider

KINDS = ("smtp", "ses", "sendgrid", "mailgun", "sandbox")
"""In the order in which they are offered."""


def open_provider(kind: str, config: Mapping[str, Any], secret: Mapping[str, Any] | None = None) -> Provider:
    """A provider of this kind, not yet started. Raises Invalid, naming the field.

    `config` is what may be shown (host, port …), `secret` what is stored encrypted (password).
    """
    match kind:
        case "smtp":
            return SmtpProvider(SmtpConfig.parse(config, secret))
        case "ses":
            return SesProvider(SesConfig.parse(config, secret))
        case "sendgrid":
            return SendgridProvider(SendgridConfig.parse(config, secret))
        case "mailgun":
            return MailgunProvider(MailgunConfig.parse(config, secret))
        case "sandbox":
            return SandboxProvider(SandboxConfig.parse(config, secret))
        case _:
            raise _unknown(kind)


def check_config(kind: str, config: Mapping[str, Any], secret: Mapping[str, Any] | None = None) -> None:
    """Raise Invalid, naming the field, if `open_provider` could not work with these settings. Touches no network."""
    match kind:
        case "smtp":
            SmtpConfig.parse(config, secret)
        case "ses":
            SesConfig.parse(config, secret)
        case "sendgrid":
            SendgridConfig.parse(config, secret)
        case "mailgun":
            MailgunConfig.parse(config, secret)
        case "sandbox":
            SandboxConfig.parse(config, secret)
        case _:
            raise _unknown(kind)


_CONFIGS: dict[str, Any] = {
    "smtp": SmtpConfig,
    "ses": SesConfig,
    "sendgrid": SendgridConfig,
    "mailgun": MailgunConfig,
}


def connections_of(kind: str, config: Mapping[str, Any]) -> int | None:
    """How many connections a provider with these settings opens, or requests it has under way; None: it has no limit."""
    if kind not in _CONFIGS:
        return None
    given = config.get("connections")
    if given is not None:
        return given
    defaults: dict[str, Any] = {item.name: item.default for item in dataclasses.fields(_CONFIGS[kind])}
    return defaults["connections"]


def _unknown(kind: str) -> Invalid:
    return Invalid.at("kind", f"unknown provider {kind!r}; there are: {', '.join(KINDS)}")
