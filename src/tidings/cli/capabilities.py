"""`tidings provider capabilities`: which kind of provider has what."""

import dataclasses
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from tidings.delivery import EVERY_KIND, Capabilities, capabilities


def show(*, json: bool) -> None:
    """Print it."""
    kinds, every_kind = capabilities(), EVERY_KIND
    if json:
        print(orjson.dumps({kind: _asdict(one) for kind, one in kinds.items()}).decode())
        return
    table = Table("", *kinds, box=None, header_style="bold")
    table.add_row("largest message", *(_size(one) for one in kinds.values()))
    table.add_row("notifications", *("yes" if one.notifies else "by mail" for one in kinds.values()))
    for title, names_of in (("config", lambda one: one.settings), ("secret", lambda one: one.secrets)):
        table.add_section()
        names = dict.fromkeys(name for one in kinds.values() for name in names_of(one))
        for name in names:
            table.add_row(f"{title} {name}", *("yes" if name in names_of(one) else "–" for one in kinds.values()))
    table.add_section()
    for name in every_kind:
        table.add_row(f"config {name}", *("yes" for _ in kinds))
    Console().print(table)


def _asdict(one: Capabilities) -> dict[str, Any]:
    return dataclasses.asdict(one) | {"settings": (*one.settings, *EVERY_KIND)}


def _size(one: Capabilities) -> str:
    return "the server says" if one.largest is None else f"{one.largest // 1_000_000} MB"
