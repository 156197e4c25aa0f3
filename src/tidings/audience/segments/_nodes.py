"""What conditions become on their way to SQL: truths about a contact, sets of contacts, and what joins them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Truth:
    """SQL that is true or not (never null) of the contact `c`."""

    sql: str


@dataclass(frozen=True, slots=True)
class Members:
    """A SELECT of one column `id`: the contacts that meet the condition. `once`: it gives each at most once.

    `sure`: all of them are contacts, as a foreign key says. Who was deleted may have left a trace elsewhere.
    `by_contact`: an index has them in the order of contacts, so that those of a range of ids are found at once.
    `scattered`: rows that it needs lie all over their table: to be read in the order of its pages, not in that of an index.
    `activity`: what is asked of a row of contact_activity, if that is where it looks; several such are asked in one scan.
    """

    sql: str
    once: bool = False
    sure: bool = False
    by_contact: bool = False
    scattered: bool = False
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


def sets_of(node: Node) -> Iterator[Members]:
    """Every set that a node is made of."""
    if isinstance(node, Members):
        yield node
    elif isinstance(node, Not):
        yield from sets_of(node.part)
    elif isinstance(node, (All, Some)):
        for part in node.parts:
            yield from sets_of(part)
