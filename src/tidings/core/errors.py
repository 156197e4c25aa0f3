"""The kinds of error. A slice subclasses one beside what raises it; `api/problems.py` maps kind to status."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with one field of the input.

    `field` is the path in the request (`contacts[3].email`), `message` says what is wrong and how to mend it.
    """

    field: str
    message: str


class TidingsError(Exception):
    """Base of all errors that a caller may be told about. `code` is stable: programs may switch on it."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, fields: tuple[FieldProblem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields


class NotFound(TidingsError):
    """What was asked for is not in this workspace."""

    code = "not_found"


class Conflict(TidingsError):
    """The request is well formed, but the state of things forbids it."""

    code = "conflict"


class Invalid(TidingsError):
    """The input is wrong; `fields` says where and how to mend it."""

    code = "invalid"

    @classmethod
    def at(cls, field: str, message: str) -> "Invalid":
        """The common case: one field is wrong."""
        return cls(f"{field}: {message}", fields=(FieldProblem(field, message),))


class Unauthenticated(TidingsError):
    """Nobody we know: no credentials, or none that count."""

    code = "unauthenticated"


class Forbidden(TidingsError):
    """The caller is known, and may not do this."""

    code = "forbidden"


class RateLimited(TidingsError):
    """Too much, too soon. `retry_after_seconds` says when to try again."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(TidingsError):
    """Something that we depend on is out of reach; trying again later may help."""

    code = "unavailable"
