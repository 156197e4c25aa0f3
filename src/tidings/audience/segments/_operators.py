"""The operators, and what else people call them."""

from enum import StrEnum
from typing import Any

from tidings.audience.segments._problems import Wrong


class Operator(StrEnum):
    """What a condition asks of its field."""

    IS = "="
    """It is this. Text whatever its case; a day is all of the day."""
    IS_NOT = "!="
    """It is not this, or there is none."""
    MORE = ">"
    """More, or later."""
    AT_LEAST = ">="
    """As much or more, as late or later."""
    LESS = "<"
    """Less, or earlier."""
    AT_MOST = "<="
    """As much or less, as early or earlier."""
    BETWEEN = "between"
    """From one value to another, both included."""
    CONTAINS = "contains"
    """This is part of it; of tags and lists: this is one of them."""
    NOT_CONTAINS = "not_contains"
    """This is no part of it, or there is none."""
    STARTS_WITH = "starts_with"
    """It begins with this."""
    ENDS_WITH = "ends_with"
    """It ends with this."""
    IN = "in"
    """It is one of these."""
    NOT_IN = "not_in"
    """It is none of these, or there is none."""
    IS_SET = "is_set"
    """There is one, and it is not empty; of what happened: at least once."""
    IS_NOT_SET = "is_not_set"
    """There is none, or it is empty; of what happened: never."""
    BEFORE = "before"
    """Before this day or moment."""
    AFTER = "after"
    """After this day or moment."""
    IN_THE_LAST = "in_the_last"
    """No longer ago than this, and not in the future."""
    NOT_IN_THE_LAST = "not_in_the_last"
    """Not within the last so long: longer ago, in the future, or there is none."""
    IN_THE_NEXT = "in_the_next"
    """From now until so long from now."""
    ANNIVERSARY = "anniversary"
    """Its day and month come round today, in so many days, or between so many and so many days."""
    RANDOM_SAMPLE = "random_sample"
    """So many per cent of the contacts, always the same ones."""


NEGATED = {
    Operator.IS_NOT: Operator.IS,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.NOT_IN: Operator.IN,
    Operator.IS_NOT_SET: Operator.IS_SET,
    Operator.NOT_IN_THE_LAST: Operator.IN_THE_LAST,
}
"""Negatives hold exactly where their positive does not."""

ALIASES: dict[str, Operator] = {
    alias: operator
    for operator, aliases in {
        Operator.IS: "== eq equals equal is on exactly",
        Operator.IS_NOT: "<> ne neq not_equals not_equal is_not does_not_equal",
        Operator.MORE: "gt greater_than more_than",
        Operator.AT_LEAST: "gte ge at_least greater_than_or_equal on_or_after",
        Operator.LESS: "lt less_than fewer_than",
        Operator.AT_MOST: "lte le at_most less_than_or_equal on_or_before",
        Operator.CONTAINS: "includes has",
        Operator.NOT_CONTAINS: "does_not_contain not_includes does_not_include has_not",
        Operator.STARTS_WITH: "begins_with",
        Operator.IN: "any_of one_of is_one_of is_any_of",
        Operator.NOT_IN: "none_of is_none_of not_any_of",
        Operator.IS_SET: "exists is_not_empty not_empty is_not_null ever",
        Operator.IS_NOT_SET: "not_exists is_empty empty is_null never",
        Operator.BEFORE: "earlier_than",
        Operator.AFTER: "later_than",
        Operator.IN_THE_LAST: "within_the_last in_last within_last",
        Operator.NOT_IN_THE_LAST: "not_within_the_last not_in_last",
        Operator.IN_THE_NEXT: "within_the_next in_next",
        Operator.ANNIVERSARY: "birthday",
        Operator.RANDOM_SAMPLE: "sample",
    }.items()
    for alias in aliases.split()
}


def operator(told: Any) -> Operator:
    """The operator of this name, in any case, with spaces or hyphens for underscores. Raises Wrong."""
    if not isinstance(told, str):
        raise Wrong("operator", "is required: one of " + ", ".join(Operator))
    name = told.strip().lower().replace(" ", "_").replace("-", "_")[:40]
    try:
        return ALIASES.get(name) or Operator(name)
    except ValueError:
        raise Wrong("operator", f"there is no operator {told[:40]!r}; there are {', '.join(Operator)}") from None


def refuse(wanted: Operator, field: str, allowed: "tuple[Operator, ...] | frozenset[Operator]") -> Wrong:
    """What to say of an operator that a field does not have."""
    return Wrong(
        "operator", f"{field} has no operator {wanted}; it has {', '.join(o for o in Operator if o in allowed)}"
    )
