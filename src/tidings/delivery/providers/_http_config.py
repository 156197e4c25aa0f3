"""The settings that every provider over HTTP has, checked when they are made."""

import dataclasses
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from tidings.core.errors import Invalid
from tidings.delivery.providers._interface import EVERY_KIND


def gather(
    what: str, cls: type[Any], config: Mapping[str, Any], secret: Mapping[str, Any] | None, *, secrets: tuple[str, ...]
) -> dict[str, Any]:
    """`config` and `secret` as arguments of the dataclass `cls`. Raises Invalid for what it lacks or must not hold."""
    known = [item.name for item in dataclasses.fields(cls)]
    shown = [name for name in known if name not in secrets]
    for name in sorted(config):
        if name in secrets:
            raise Invalid.at(name, "belongs to the secret, which is stored encrypted, not to the configuration")
        if name not in known:
            raise Invalid.at(name, f"{what} has no such setting; there are: {', '.join((*shown, *EVERY_KIND))}")
    for name, value in sorted((secret or {}).items()):
        if name not in secrets:
            raise Invalid.at(name, f"the secret of {what} holds: {', '.join(secrets)}")
        check_token(name, value)
    return {**config, **(secret or {})}


def listed(values: dict[str, Any], name: str, what: str) -> None:
    """Make the list that JSON has under `name` a tuple; an empty one if it is missing. Raises Invalid."""
    found = values.get(name, ())
    if not isinstance(found, list | tuple):
        raise Invalid.at(name, f"give a list of {what}")
    values[name] = tuple(cast("list[Any]", found))


def check_token(name: str, value: object) -> None:
    """Raise Invalid unless a credential can stand in a header: printable ASCII, no spaces."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value or not value:
        raise Invalid.at(name, "must be printable ASCII without spaces")


def check_common(connections: object, timeout_seconds: object, endpoint: object) -> None:
    """Raise Invalid unless the three settings that all have can be used. `endpoint` may be "", the provider's own."""
    if isinstance(connections, bool) or not isinstance(connections, int) or not 1 <= connections <= 1000:
        raise Invalid.at("connections", "give a whole number from 1 to 1000")
    if (
        isinstance(timeout_seconds, bool)
        or not isinstance(timeout_seconds, int | float)
        or not 0 < timeout_seconds <= 3600
    ):
        raise Invalid.at("timeout_seconds", "give a number of seconds above 0 and at most 3600")
    if endpoint == "":
        return
    advice = "give a URL such as https://api.example.com, without a path"
    if not isinstance(endpoint, str):
        raise Invalid.at("endpoint", advice)
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
    except ValueError:
        raise Invalid.at("endpoint", advice) from None
    extras = parts.username or parts.query or parts.fragment or parts.path.strip("/")
    if parts.scheme not in {"http", "https"} or not parts.hostname or extras:
        raise Invalid.at("endpoint", advice)
    if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise Invalid.at("endpoint", "credentials would travel unencrypted: use https")
