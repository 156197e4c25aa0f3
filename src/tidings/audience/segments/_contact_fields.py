"""Conditions on what a contact is: standard fields, custom fields, tags, the random sample."""

import hashlib

from tidings.audience.segments import _compare, _json_values, _values
from tidings.audience.segments._condition import Condition, Context
from tidings.audience.segments._nodes import Node, Not, Truth
from tidings.audience.segments._operators import Operator, refuse
from tidings.audience.segments._problems import Wrong
from tidings.audience.states import ContactStatus

O = Operator  # noqa: E741
TEXTS = {
    "email": "c.email",
    "email_domain": "split_part(c.email, '@', 2)",
    "first_name": "c.first_name",
    "last_name": "c.last_name",
    "phone": "c.phone",
    "language": "c.language",
    "time_zone": "c.time_zone",
}
MOMENTS = {"created_at": "c.created_at", "updated_at": "c.updated_at"}
_TAGS = frozenset({O.IS, O.CONTAINS, O.IN, O.IS_SET})
_STATUS = frozenset({O.IS, O.IN})
_PRIME = 2**31 - 1


def text(told: Condition, context: Context) -> Node:
    """email, first_name …: text that is never null; empty is not set."""
    told.only()
    wanted, negated = _compare.positive(told)
    sql = TEXTS[told.field]
    found = f"{sql} <> ''" if wanted is O.IS_SET else _compare.text(sql, wanted, told.value, context, name=told.field)
    return _signed(found, negated)


def moment(told: Condition, context: Context) -> Node:
    """created_at, updated_at: every contact has them."""
    told.only()
    wanted, negated = _compare.positive(told)
    if wanted is O.IS_SET:
        return _signed("true", negated)
    return _signed(_compare.moment(MOMENTS[told.field], wanted, told.value, context, name=told.field), negated)


def status(told: Condition, context: Context) -> Node:
    """active, unsubscribed, bounced or complained."""
    told.only()
    wanted, negated = _compare.positive(told)
    if wanted not in _STATUS:
        raise refuse(told.operator, told.field, frozenset({O.IS, O.IS_NOT, O.IN, O.NOT_IN}))
    listed = isinstance(told.value, list)
    some = _values.items(told.value)
    for position, one in enumerate(some):
        if one not in tuple(ContactStatus):
            part = f"value[{position}]" if listed else "value"
            raise Wrong(part, f"must be one of {', '.join(ContactStatus)}")
    return _signed(f"c.status = ANY ({context.values.put(some, 'contact_status[]')})", negated)


def tags(told: Condition, context: Context) -> Node:
    """Has a tag (contains, =), any of some (in). Tags are compared as they are written."""
    told.only()
    wanted, negated = _compare.positive(told)
    if wanted not in _TAGS:
        raise refuse(told.operator, told.field, _compare.with_negatives(_TAGS))
    if wanted is O.IS_SET:
        return _signed("c.tags <> '{}'", negated)
    if wanted is not O.IN and isinstance(told.value, list):
        raise Wrong("value", "must be one tag; use in or not_in for several")
    some = [_values.some_text(one).strip() for one in _values.items(told.value)]
    return _signed(f"c.tags && {context.values.put(some, 'text[]')}", negated)


def attribute(told: Condition, context: Context, *, name: str) -> Node:
    """A declared custom field, or whatever lies among the attributes under this name."""
    told.only()
    wanted, negated = _compare.positive(told)
    declared = context.fields.get(name)
    found = _json_values.compare(
        "c.attributes",
        name,
        wanted,
        told.value,
        context,
        name=told.field,
        type_=declared.type if declared else None,
    )
    return _signed(f"({found}) IS TRUE", negated)


def sample(told: Condition, context: Context) -> Node:
    """A stable share of all contacts, in hundredths of a per cent: a number (0 to it) or [from, to].

    A polynomial of degree three over a prime field, its coefficients drawn from the seed: samples of other seeds are
    independent, and ids that lie in a row, or a step apart, spread evenly.
    """
    told.only("seed")
    if told.operator is not O.RANDOM_SAMPLE:
        raise refuse(told.operator, told.field, frozenset({O.RANDOM_SAMPLE}))
    low, high = _values.pair(told.value) if isinstance(told.value, list) else (0, told.value)
    first, last = _hundredths(low), _hundredths(high)
    if first >= last:
        raise Wrong("value", "must be per cent above 0, or [from, to] with from below to")
    seed = _values.text(told.options.get("seed", ""), "seed")
    a, b, c, d = coefficients(seed)
    put = context.values.put
    x = f"(c.id % {_PRIME})"
    mixed = f"(({x} * {put(a, 'bigint')} + {put(b, 'bigint')}) % {_PRIME} * {x} + {put(c, 'bigint')}) % {_PRIME}"
    mixed = f"({mixed} * {x} + {put(d, 'bigint')}) % {_PRIME} % 10000"
    return Truth(f"({mixed} BETWEEN {put(first, 'bigint')} AND {put(last - 1, 'bigint')})")


def coefficients(seed: str) -> tuple[int, int, int, int]:
    """Four numbers below the prime, the first not 0."""
    digest = hashlib.blake2b(seed.encode(), digest_size=32).digest()
    a, b, c, d = (int.from_bytes(digest[at : at + 8]) % (_PRIME - 1) + 1 for at in (0, 8, 16, 24))
    return a, b, c, d


def bucket(contact: int, seed: str) -> int:
    """Where a contact lies among ten thousand buckets: what the SQL of `sample` computes."""
    a, b, c, d = coefficients(seed)
    x = contact % _PRIME
    return (((x * a + b) % _PRIME * x + c) % _PRIME * x + d) % _PRIME % 10000


def _hundredths(value: object) -> int:
    found = _values.number(value)
    if not 0 <= found <= 100 or (found * 100) % 1:
        raise Wrong("value", "must be per cent, 0 to 100, with at most two decimals")
    return int(found * 100)


def _signed(sql: str, negated: bool) -> Node:
    node = Truth(f"({sql})")
    return Not(node) if negated else node
