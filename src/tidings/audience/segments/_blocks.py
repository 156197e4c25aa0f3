"""From nodes to blocks of bits: 64 contacts a row, a bit each, set for those who meet the conditions.

Counting joins no contact to another table. Each table that the conditions look at is read once, in parallel, and becomes a
bit a contact: a million of them are sixteen thousand rows, which fit into the processor's caches. `and`, `or` and `not` are
operators on those. So what a count costs is what reading its tables costs, whatever the shape of the conditions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tidings.audience.segments._nodes import All, Members, Node, Not, Some, Truth
from tidings.audience.segments._render import one_scan, simplified

_GONE = "SELECT contact_id AS id FROM contacts_gone WHERE workspace_id = $1"
# Whoever is suppressed has a status that says so. They are few, and have an index.
_UNMAILABLE = "SELECT id FROM contacts WHERE workspace_id = $1 AND status <> 'active'"
_OF_DOMAINS = """SELECT o.id FROM contacts AS o WHERE o.workspace_id = $1 AND split_part(o.email, '@', -1) IN (
    SELECT y.domain FROM suppressions AS y WHERE y.workspace_id = $1 AND y.domain IS NOT NULL)"""

Narrowing = Callable[[str], str]
"""SQL that is true of those ids that are looked at, given how it may speak of an id."""


def count_of(node: Node, narrowed: Narrowing | None = None, *, domains: bool = False) -> str:
    """A SELECT of how many `contacts` there are, and how many of them are `mailable`. $1 is the workspace.

    `domains`: whether whole domains are suppressed.
    """
    node = _folded(simplified(node))
    if isinstance(node, Truth) and not domains:  # one scan says it all
        return f"""SELECT count(*) AS contacts, count(*) FILTER (WHERE c.status = 'active') AS mailable
            FROM contacts AS c WHERE c.workspace_id = $1{_also(narrowed, "c.id")} AND {node.sql}"""  # noqa: S608 - our own words
    if not _bounded(node) and not _asks_contacts(node):
        return _complement(_folded(simplified(Not(node))), narrowed, domains=domains)
    return f"""SELECT {_total("bits")} AS contacts, {_total("bits & ~unmailable")} AS mailable
        FROM ({_blocks(node, narrowed, _unmailable(domains=domains))}) AS b"""  # noqa: S608 - our own words


def _complement(others: Node, narrowed: Narrowing | None, *, domains: bool) -> str:
    """A SELECT of how many are none of the `others`: counting all contacts takes half of what making bits of them does."""
    return f"""SELECT everybody - others AS contacts, everybody - unmailable - mailable AS mailable
        FROM (SELECT (SELECT count(*) FROM contacts AS c WHERE c.workspace_id = $1{_also(narrowed, "c.id")}) AS everybody,
                     {_total("bits")} AS others, {_total("bits & ~unmailable")} AS mailable,
                     {_total("unmailable")} AS unmailable
              FROM ({_blocks(others, narrowed, _unmailable(domains=domains))}) AS b) AS t"""  # noqa: S608 - our own words


def _total(bits: str) -> str:
    return f"coalesce(sum(bit_count(({bits})::bit(64))), 0)::bigint"


def newest_of(node: Node, narrowed: Narrowing, *, offset: str, limit: str) -> str:
    """A SELECT of the highest ids, below `offset` others; both are told as SQL."""
    node = _folded(simplified(node))
    if isinstance(node, Truth):
        return f"""SELECT c.id FROM contacts AS c WHERE c.workspace_id = $1 AND {narrowed("c.id")} AND {node.sql}
            ORDER BY c.id DESC OFFSET {offset} LIMIT {limit}"""  # noqa: S608 - our own words
    # Every block that is not empty has one at least, so that no more blocks than contacts need be looked into.
    return f"""SELECT (k << 6) + place AS id
        FROM (SELECT k, bits FROM ({_blocks(node, narrowed)}) AS b WHERE bits <> 0
              ORDER BY k DESC LIMIT {offset} + {limit}) AS b
        CROSS JOIN generate_series(0, 63) AS place
        WHERE (bits >> place) & 1 = 1 ORDER BY 1 DESC OFFSET {offset} LIMIT {limit}"""  # noqa: S608 - our own words


def ids_of(node: Node, narrowed: Narrowing) -> str:
    """A SELECT of one column `id`: all that meet it, each once, in no order."""
    node = _folded(simplified(node))
    if isinstance(node, Truth):
        return f"SELECT c.id FROM contacts AS c WHERE c.workspace_id = $1 AND {narrowed('c.id')} AND {node.sql}"  # noqa: S608 - our own words
    return f"""SELECT (k << 6) + place AS id FROM ({_blocks(node, narrowed)}) AS b
        CROSS JOIN generate_series(0, 63) AS place WHERE (bits >> place) & 1 = 1"""  # noqa: S608 - our own words


@dataclass(slots=True)
class _Sources:
    """The tables that are read, and the columns of bits that come of them."""

    narrowed: Narrowing | None
    columns: int = 0
    contacts: list[tuple[int, str]] = field(default_factory=list)
    activity: list[tuple[int, str]] = field(default_factory=list)
    sets: list[tuple[int, str]] = field(default_factory=list)
    by_contact: set[str] = field(default_factory=set)

    def column(self, among: list[tuple[int, str]], sql: str) -> str:
        """The name of the column that holds who meets this."""
        for number, known in among:
            if known == sql:
                return f"b{number}"
        among.append((self.columns, sql))
        self.columns += 1
        return f"b{self.columns - 1}"

    def union(self) -> str:
        """SELECTs of a block's number and its bits, a column each."""
        found = [self._of_set(number, one) for number, one in self.sets]
        for table, id_, asked in (
            ("contacts AS c", "c.id", self.contacts),
            ("contact_activity AS a", "a.contact_id", self.activity),
        ):
            read = f"FROM {table} WHERE workspace_id = $1{_also(self.narrowed, id_)}"
            if len(asked) == 1:
                found.append(self._select(f"SELECT {id_} AS id {read} AND {asked[0][1]}", {asked[0][0]: ""}))
            elif asked:
                flags = ", ".join(f"{one} AS is{n}" for n, one in asked)
                found.append(self._select(f"SELECT {id_} AS id, {flags} {read}", {n: f"is{n}" for n, _ in asked}))
        return " UNION ALL ".join(found)

    def _of_set(self, number: int, sql: str) -> str:
        if self.narrowed:
            # Where no index has them in order of contacts, `+ 0` keeps the planner from one that would fetch each from its page.
            where = self.narrowed("n.id" if sql in self.by_contact else "(n.id + 0)")
            sql = f"SELECT n.id FROM ({sql}) AS n WHERE {where}"  # noqa: S608 - our own words
        return self._select(sql, {number: ""})

    def _select(self, sql: str, flags: dict[int, str]) -> str:
        """`flags` names the boolean column that decides whether a row has the column's bit; none: each has it."""
        filters = {n: f" FILTER (WHERE {flag})" if flag else "" for n, flag in flags.items()}
        told = ", ".join(
            f"bit_or(m.bit){filters[n]} AS b{n}" if n in filters else f"NULL::bigint AS b{n}"
            for n in range(self.columns)
        )
        shown = "".join(f", n.{flag}" for flag in flags.values() if flag)
        # OFFSET 0 hides the statistics of ids: the planner would take the blocks to be nearly as many as the contacts, and
        # have one process make them all. So each worker makes blocks of what it reads, in the scan itself. A plain 0 has a cast in
        # it, and would keep workers away: docs/decisions/0241-blocks-are-made-in-the-scan.md.
        return f"""SELECT m.k, {told}
            FROM (SELECT n.id >> 6 AS k, 1::bigint << (n.id & 63)::integer AS bit{shown}
                  FROM ({sql}) AS n OFFSET bigint '0') AS m GROUP BY m.k"""  # noqa: S608 - our own words


def _blocks(node: Node, narrowed: Narrowing | None, unmailable: str = "") -> str:
    """A SELECT of `k` (an id without its last six bits), `bits`, and if a set of them is given, those who are `unmailable`."""
    sources = _Sources(narrowed)
    bits = _bits(node, sources)
    if not _bounded(node):
        bits = f"({bits}) & {sources.column(sources.contacts, 'true')}"
    elif not _sure(node):
        bits = f"({bits}) & ~{sources.column(sources.sets, _GONE)}"
    others = f", {sources.column(sources.sets, unmailable)} AS unmailable" if unmailable else ""
    united = ", ".join(f"coalesce(bit_or(b{n}), 0) AS b{n}" for n in range(sources.columns))
    return f"""SELECT k, {bits} AS bits{others}
        FROM (SELECT k, {united} FROM ({sources.union()}) AS parts GROUP BY k) AS united"""  # noqa: S608 - our own words


def _unmailable(*, domains: bool) -> str:
    return f"({_UNMAILABLE}) UNION ALL ({_OF_DOMAINS})" if domains else _UNMAILABLE


def _bits(node: Node, sources: _Sources) -> str:
    if isinstance(node, Truth):
        return sources.column(sources.contacts, node.sql)
    if isinstance(node, Members):
        if node.activity:
            return sources.column(sources.activity, f"({node.activity})")
        if node.by_contact:
            sources.by_contact.add(node.sql)
        return sources.column(sources.sets, node.sql)
    if isinstance(node, Not):
        return f"~{_bits(node.part, sources)}"
    word = " & " if isinstance(node, All) else " | "
    return f"({word.join(_bits(part, sources) for part in node.parts)})"


def _folded(node: Node) -> Node:
    """Truths beside each other as one, so that each contact's row gives one bit for them."""
    if isinstance(node, Not):
        inner = _folded(node.part)
        return Truth(f"(NOT {inner.sql})") if isinstance(inner, Truth) else Not(inner)
    if isinstance(node, (All, Some)):
        parts = [_folded(part) for part in node.parts]
        if isinstance(node, All):
            parts = one_scan(parts)
        truths = [part.sql for part in parts if isinstance(part, Truth)]
        others: list[Node] = [part for part in parts if not isinstance(part, Truth)]
        if truths or not others:
            empty, word = ("true", " AND ") if isinstance(node, All) else ("false", " OR ")
            others.insert(0, Truth(f"({word.join(truths)})" if truths else empty))
        return others[0] if len(others) == 1 else type(node)(tuple(others))
    return node


def _bounded(node: Node) -> bool:
    """Whether whoever meets it is in one of the sets at least, and not only out of some."""
    if isinstance(node, (All, Some)):
        return (any if isinstance(node, All) else all)(map(_bounded, node.parts))
    return not isinstance(node, Not)


def _asks_contacts(node: Node) -> bool:
    """Whether each contact's row is read anyway."""
    if isinstance(node, (All, Some)):
        return any(map(_asks_contacts, node.parts))
    return isinstance(node.part if isinstance(node, Not) else node, Truth)


def _sure(node: Node) -> bool:
    """Whether nobody meets it who is not a contact any more."""
    if isinstance(node, (All, Some)):
        return (any if isinstance(node, All) else all)(map(_sure, node.parts))
    return isinstance(node, Truth) or (isinstance(node, Members) and node.sure)


def _also(narrowed: Narrowing | None, id_: str) -> str:
    return f" AND {narrowed(id_)}" if narrowed else ""
