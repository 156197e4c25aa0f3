"""The table that notices in prose put themselves into."""

NOTICES: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {}
"""By name: the message, and its recipients with action and class."""


def notice(name: str, expected: dict[str, tuple[str, str]], message: str) -> None:
    NOTICES[name] = (message.lstrip("\n"), expected)


def failed(*addresses: str, of: str = "hard") -> dict[str, tuple[str, str]]:
    return dict.fromkeys(addresses, ("failed", of))


def delayed(*addresses: str, of: str = "soft") -> dict[str, tuple[str, str]]:
    return dict.fromkeys(addresses, ("delayed", of))
