"""What conditions become on their way to SQL: truths about a contact, sets of contacts, and what joins them."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Truth:
    """SQL that is true or not (never null) of the contact `c`."""

    sql: str


@dataclass(frozen=True, slots=True)
class Members:
    """A SELECT of one column `id`: the contacts that meet the condition. `once`: it gives each at most once.

    `activity`: what is asked of a row of contact_activity, if that is where it looks; several such are asked in one scan.
    """

    sql: str
    once: bool = False
    activity: str = ""


def of_activity(condition: str) -> Members:
    """Those of whose activity this holds, which is never null."""
    return Members(
        f"SELECT contact_id AS id FROM contact_activity WHERE workspace_id = $1 AND {condition}",  # noqa: S608 - our own words
        once=True,
        activity=condition,
    )


@dataclass(frozen=True, slots=True)
class All:
    """Every one of these holds; true if there is none."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of these holds; false if there is none."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    part: "Node"


Node: TypeAlias = Truth | Members | All | Some | Not
