"""Statements of delivery by name, whichever of its parts has them."""

from pathlib import Path

from tidings import delivery
from tidings.core.db import sql


def delivery_sql(name: str) -> str:
    """The text of `name`.sql."""
    (found,) = Path(delivery.__file__).parent.glob(f"*/{name}.sql")
    return sql(f"tidings.delivery.{found.parent.name}", name)
