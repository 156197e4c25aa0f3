"""Which blocks render which: never each other, and not too many within one another."""

from collections.abc import Mapping, Sequence

from tidings.content._parts import MAX_DEPTH


def too_deep(graph: Mapping[str, Sequence[str]], name: str) -> str:
    """Why blocks that render each other so cannot be, '' if they can. Only ways through `name` are new."""
    below = _longest(graph, name)
    if below[-1] == name and len(below) > 1:
        return f"blocks would render each other for ever: {' → '.join(below)}"
    users: dict[str, list[str]] = {}
    for user, uses in graph.items():
        for used in uses:
            users.setdefault(used, []).append(user)
    chain = [*reversed(_longest(users, name)), *below[1:]]
    if len(chain) > MAX_DEPTH:
        return f"more than {MAX_DEPTH} blocks within blocks: {' → '.join(chain)}"
    return ""


def _longest(graph: Mapping[str, Sequence[str]], name: str) -> list[str]:
    """The longest way down from a block, or one that comes back to it."""
    known: dict[str, list[str]] = {}

    def down(at: str) -> list[str]:
        if at not in known:
            known[at] = [at]  # for cycles among others: there are none
            ways = [[at, name] if used == name else [at, *down(used)] for used in graph.get(at, ())]
            known[at] = max(ways, key=lambda way: (way[-1] == name, len(way)), default=[at])
        return known[at]

    return down(name)
