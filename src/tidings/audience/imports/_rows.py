"""The clean rows of a batch: made one a person, and written as PostgreSQL reads them (COPY's text format)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from operator import itemgetter
from typing import Any

import orjson

from tidings.audience.imports._plan import OUT, TEXTS, Checked, Plan

_STRENGTH = {None: 0, "active": 0, "unlisted": 1, "bounced": 2, "unsubscribed": 3, "complained": 4}
_ESCAPED = re.compile("[\\\\\t\n\r]")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


@dataclass(slots=True)
class Values:
    """Clean values of a batch by column; None in a list: nothing was said. `left`: names of lists that they left,
    `on`: that they are on."""

    emails: list[str]
    texts: dict[str, list[str]]
    tags: list[list[str] | None] | None = None
    attributes: list[dict[str, Any] | None] | None = None
    statuses: list[str | None] | None = None
    left: list[list[str] | None] | None = None
    on: list[list[str] | None] | None = None

    def keep(self, positions: Sequence[int]) -> None:
        """Leave out all other rows."""
        if not positions:
            self.emails = []
            return
        pick = itemgetter(*positions) if len(positions) > 1 else lambda column: (column[positions[0]],)
        self.emails = list(pick(self.emails))
        self.texts = {name: list(pick(column)) for name, column in self.texts.items()}
        for name in ("tags", "attributes", "statuses", "left", "on"):
            if (column := getattr(self, name)) is not None:
                setattr(self, name, list(pick(column)))


def stronger(a: str | None, b: str | None) -> str | None:
    """Of two statuses the one that keeps more back."""
    return a if _STRENGTH[a] > _STRENGTH[b] else b


class Writer:
    """Writes the batches of one import."""

    def __init__(self, plan: Plan, key: bytes) -> None:
        self._plan = plan
        self._hasher = blake2b(key=key, digest_size=16)
        self._empty = "{}" if plan.overwrite else "\\N"

    def write(self, values: Values, done: Checked) -> None:
        """Put the people of a batch into `done`, each once."""
        if len(set(values.emails)) != len(values.emails):
            self._merge(values, done)
        emails, hasher = values.emails, self._hasher
        done.people = len(emails)
        hashes: list[str] = []
        for email in emails:
            one = hasher.copy()
            one.update(email.encode())
            hashes.append("\\\\x" + one.hexdigest())
        nothing = ["\\N"] * len(emails)
        written = [_escape(emails), hashes]
        for name in TEXTS:
            column = values.texts.get(name)
            written.append(nothing if column is None else _escape(column))
        if values.tags is None:
            written.append(nothing)
        else:
            arrays, done.tags = _arrays(values.tags, self._empty)
            written.append(arrays)
        written.append(nothing if values.attributes is None else self._objects_of(values.attributes))
        statuses = values.statuses
        if statuses is None:
            written.append(nothing)
        else:
            written.append([status or "\\N" for status in statuses])
            done.out = any(status in OUT for status in statuses)
            done.unlisted = "unlisted" in statuses
        if values.left is not None and any(values.left):
            arrays, done.left = _arrays(values.left, "\\N")
            written.append(arrays)
        if values.on is not None and any(values.on):
            arrays, done.on = _arrays(values.on, "\\N")
            written.append(arrays)
        # By address, always: two imports of the same people wait for each other instead of deadlocking.
        lines = sorted(map("\t".join, zip(*written, strict=True)))
        lines.append("")
        done.data = "\n".join(lines).encode()

    def _objects_of(self, attributes: list[dict[str, Any] | None]) -> list[str]:
        dumps = orjson.dumps
        return _escape([dumps(told).decode() if told else self._empty for told in attributes], nulls=True)

    def _merge(self, values: Values, done: Checked) -> None:
        """Rows of one address become one, by the policy: the first counts, all add up, or the last counts."""
        first: dict[str, int] = {}
        for position, email in enumerate(values.emails):
            known = first.setdefault(email, position)
            if known != position:
                if self._merge_into(values, known, position):
                    done.updated += 1
                else:
                    done.unchanged += 1
        values.keep(list(first.values()))

    def _merge_into(self, values: Values, known: int, other: int) -> bool:
        changed = False
        if values.statuses is not None:
            values.statuses[known] = stronger(values.statuses[other], values.statuses[known])
        for named in (values.left, values.on):
            if named is not None and (more := named[other]):
                named[known] = [*dict.fromkeys([*(named[known] or ()), *more])]
        if self._plan.skip:
            return False
        overwrite = self._plan.overwrite
        for column in values.texts.values():
            if (overwrite or column[other]) and column[other] != column[known]:
                column[known] = column[other]
                changed = True
        if (tags := values.tags) is not None and (overwrite or tags[other]):
            old = [] if overwrite else tags[known] or []
            new = list(dict.fromkeys([*old, *(tags[other] or ())]))
            changed = changed or new != (tags[known] or [])
            tags[known] = new
        if (attributes := values.attributes) is not None and (overwrite or attributes[other]):
            before = attributes[known] or {}
            kept = {k: v for k, v in before.items() if k not in self._plan.customs} if overwrite else before
            now = {**kept, **(attributes[other] or {})}
            changed = changed or now != before
            attributes[known] = now
        return changed


def _arrays(rows: list[list[str] | None], empty: str) -> tuple[list[str], list[str]]:
    """Arrays of text as COPY reads them, and every word there is."""
    cache: dict[tuple[str, ...], str] = {}
    written: list[str] = []
    for told in rows:
        if not told:
            written.append(empty)
            continue
        key = tuple(told)
        text = cache.get(key)
        if text is None:
            quoted = ",".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in told)
            text = cache[key] = _escape_one("{" + quoted + "}")
        written.append(text)
    return written, sorted({word for key in cache for word in key})


def _escape(column: list[str], *, nulls: bool = False) -> list[str]:
    """As COPY's text format wants it (PostgreSQL manual, COPY, "Text Format")."""
    if _ESCAPED.search("".join(column)) is None:
        return column
    return [text if nulls and text == "\\N" else _escape_one(text) for text in column]


def _escape_one(text: str) -> str:
    return _ESCAPED.sub(lambda match: _ESCAPES[match[0]], text)
