"""From nodes to one SELECT of contact ids, for what is joined to it: launches, exports. Counting has another: `_blocks.py`.

Sets that every member must be in (or must not) become semi-joins (or anti-joins), which PostgreSQL hashes whatever their
size. Sets within `or` become left joins, never sub-plans: those are hashed only while they fit into memory, and are run
once a contact when they do not.
"""

from tidings.audience.segments._nodes import All, Members, Node, Not, Some, Truth, of_activity


def select_ids(node: Node) -> str:
    """`SELECT c.id FROM contacts AS c …`; $1 is the workspace."""
    joins: list[str] = []
    where = ["c.workspace_id = $1"]
    for part in _conjuncts(node):
        if isinstance(part, Members):
            where.append(f"c.id IN ({part.sql})")
        elif isinstance(part, Not) and isinstance(part.part, Members):
            where.append(f"NOT EXISTS (SELECT FROM ({part.part.sql}) AS x WHERE x.id = c.id)")
        else:
            where.append(_boolean(part, joins))
    return f"SELECT c.id FROM contacts AS c {' '.join(joins)} WHERE {' AND '.join(where)}"  # noqa: S608 - our own words


def _conjuncts(node: Node) -> list[Node]:
    """The parts that all must hold. Unions of sets are one set, and what is asked of activity is asked at once."""
    node = simplified(node)
    return one_scan(list(node.parts)) if isinstance(node, All) else [node]


def one_scan(parts: list[Node]) -> list[Node]:
    """With one that asks for some activity, the others narrow it down, also those that ask for none of a kind."""
    asked = [part for part in parts if isinstance(part, Members) and part.activity]
    denied = [part for part in parts if isinstance(part, Not) and isinstance(part.part, Members) and part.part.activity]
    if not asked or len(asked) + len(denied) < 2:
        return parts
    words = [f"({part.activity})" for part in asked]
    words += [f"NOT ({part.part.activity})" for part in denied if isinstance(part.part, Members)]
    return [*(part for part in parts if part not in asked and part not in denied), of_activity(" AND ".join(words))]


def simplified(node: Node) -> Node:
    """The same, flat: `not` stands only before sets and truths, groups within their like are dissolved, unions are one set."""
    if isinstance(node, Not):
        inner = simplified(node.part)
        if isinstance(inner, Not):
            return inner.part
        if isinstance(inner, All):
            return simplified(Some(tuple(Not(part) for part in inner.parts)))
        if isinstance(inner, Some):
            return simplified(All(tuple(Not(part) for part in inner.parts)))
        return Not(inner)
    if isinstance(node, (All, Some)):
        kind = type(node)
        parts: list[Node] = []
        for part in map(simplified, node.parts):
            parts += part.parts if isinstance(part, kind) else [part]
        if kind is Some:
            parts = _united(parts)
        return parts[0] if len(parts) == 1 else kind(tuple(parts))
    return node


def _united(parts: list[Node]) -> list[Node]:
    sets = [part for part in parts if isinstance(part, Members)]
    if len(sets) < 2:
        return parts
    active = [part for part in sets if part.activity]
    if len(active) > 1:
        sets = [part for part in sets if not part.activity]
        sets.append(of_activity(f"({' OR '.join(f'({part.activity})' for part in active)})"))
    union = sets[0]
    if len(sets) > 1:
        together = " UNION ALL ".join(f"({part.sql})" for part in sets)
        union = Members(
            together,
            sure=all(part.sure for part in sets),
            by_contact=all(part.by_contact for part in sets),
            scattered=any(part.scattered for part in sets),
        )
    return [*(part for part in parts if not isinstance(part, Members)), union]


def _boolean(node: Node, joins: list[str]) -> str:
    if isinstance(node, Truth):
        return node.sql
    if isinstance(node, Not):
        return f"NOT {_boolean(node.part, joins)}"
    if isinstance(node, Members):
        alias = f"m{len(joins)}"
        inner = node.sql if node.once else f"SELECT DISTINCT id FROM ({node.sql}) AS d"  # noqa: S608 - our own words
        joins.append(f"LEFT JOIN ({inner}) AS {alias} ON {alias}.id = c.id")
        return f"({alias}.id IS NOT NULL)"
    if not node.parts:
        return "true" if isinstance(node, All) else "false"
    word = " AND " if isinstance(node, All) else " OR "
    return f"({word.join(_boolean(part, joins) for part in node.parts)})"
