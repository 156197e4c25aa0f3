"""One condition as it was told, and what it is compiled with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tidings.audience.fields import ContactField
from tidings.audience.segments._fragment import Values
from tidings.audience.segments._operators import Operator
from tidings.audience.segments._problems import Wrong

BARE = frozenset({Operator.IS_SET, Operator.IS_NOT_SET})
"""Operators without a value."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`field`, `operator` and `value` of the JSON; `options` are its other keys."""

    field: str
    operator: Operator
    value: Any
    options: Mapping[str, Any]

    def only(self, *known: str) -> None:
        """Raises Wrong for an option that this field does not have."""
        for name in self.options:
            if name not in known:
                has = f"it has {', '.join(known)}" if known else "it has none but field, operator and value"
                raise Wrong(str(name)[:40], f"is not an option of {self.field}; {has}")


@dataclass(slots=True)
class Context:
    """What conditions are compiled with; `lists` and `campaigns` collect what they name: id and path."""

    values: Values
    fields: Mapping[str, ContactField]
    now: datetime
    lists: list[tuple[int, str]] = field(default_factory=list)
    campaigns: list[tuple[int, str]] = field(default_factory=list)
    sending: bool = True
    """Whether there may be sends whose receipts are not gathered yet."""
    lists_gone: list[int] = field(default_factory=list)
    """Lists that were deleted lately: some of those who were on them may still have rows that say so."""
    path: str = ""
    """Of the condition that is compiled just now."""
