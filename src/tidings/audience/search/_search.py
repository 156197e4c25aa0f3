"""Finding contacts by any part of their address or name, alone or with a status, a tag, a list: newest first.

One walk along the primary key, which holds address and name (see docs/decisions/0070): it ends as soon as it has a page
and knows whether there are more than `CAP`, and at the worst reads one index of the workspace's contacts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tidings.audience.contacts import SELECT, Contact, of_row
from tidings.audience.states import ContactStatus
from tidings.core.db import Tx
from tidings.core.errors import Invalid
from tidings.core.ids import ListId, WorkspaceId

CAP = 1000
"""So many are counted; beyond it the answer is "more than"."""

WORDS = 10

_FEW = 2000
"""A word that fewer have is rare."""

_KEYS = """
SELECT lower(word) AS plain, contact_search_key(word) AS key FROM unnest($1::text[]) WITH ORDINALITY AS t (word, o) ORDER BY o
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of contacts. `total` is None where nothing was counted; `capped`: there are more than `total`."""

    contacts: list[Contact]
    total: int | None
    capped: bool


async def search_contacts(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    search: str = "",
    status: ContactStatus | None = None,
    tag: str | None = None,
    list: ListId | None = None,  # noqa: A002 - it is one
    before: int | None = None,
    offset: int = 0,
    limit: int,
) -> Found:
    """Contacts that have every word of `search` in their address or name, whatever its case and accents.

    `before` is the id to continue below; without it, matches are counted up to `CAP`. Raises Invalid.
    """
    named = await search_words(tx, search)
    most = limit if before is not None else max(CAP, offset + limit) + 1
    below = 2**63 - 1 if before is None else before
    among = None
    if named and (status is not None or tag is not None or list is not None):
        # Few have a rare word: they are found in the index, and the filters look at no one else.
        statement, values = search_sql(named)
        few = await tx.fetch(statement, workspace, below, _FEW, *values)
        if len(few) < _FEW:
            named, among = [], [row["id"] for row in few]
    statement, values = search_sql(named, status=status, tag=tag, list_=list, among=among)
    rows = await tx.fetch(statement, workspace, below, most, *values)
    page = [row["id"] for row in rows[offset : offset + limit]]
    contacts = await tx.fetch(
        f"{SELECT} WHERE c.workspace_id = $1 AND c.id = ANY ($2::bigint[]) ORDER BY c.id DESC", workspace, page
    )
    return Found(
        [of_row(row) for row in contacts],
        total=None if before is not None else min(len(rows), most - 1),
        capped=before is None and len(rows) == most,
    )


async def search_words(tx: Tx, search: str) -> list[tuple[str, str]]:
    """The words of a search as they are looked for: in lower case, and without accents. Raises Invalid."""
    words = search.split()
    if len(words) > WORDS:
        raise Invalid.at("search", f"must have at most {WORDS} words")
    return [(row["plain"], row["key"]) for row in await tx.fetch(_KEYS, words)] if words else []


def search_sql(
    words: Sequence[tuple[str, str]],
    *,
    status: ContactStatus | None = None,
    tag: str | None = None,
    list_: ListId | None = None,
    among: Sequence[int] | None = None,
) -> tuple[str, list[Any]]:
    """The statement and its values from $4 on: $1 workspace, $2 below this id, $3 how many. One column, `id`."""
    values: list[Any] = []

    def value(one: Any) -> str:
        values.append(one)
        return f"${len(values) + 3}"

    where = "c.workspace_id = $1 AND c.id < $2" + "".join(
        f" AND ({has_word(plain, key, value)})" for plain, key in words
    )
    if among is not None:
        where += f" AND c.id = ANY ({value(among)}::bigint[])"
    if status is not None:
        where += f" AND c.status = {value(status)}"
    if tag is not None:
        where += f" AND c.tags @> ARRAY[{value(tag)}::text]"
    if list_ is not None:
        where += f""" AND EXISTS (SELECT FROM subscriptions AS b WHERE b.workspace_id = $1 AND b.list_id = {value(list_)}
                                  AND b.contact_id = c.id AND b.status = 'subscribed')"""
    return f"SELECT c.id FROM contacts AS c WHERE {where} ORDER BY c.id DESC LIMIT $3", values  # noqa: S608 - our own words


def has_word(plain: str, key: str, value: Callable[[Any], str]) -> str:
    """The condition on `c` that address or name have a word; `value` puts a parameter and returns its mark."""
    at = value(_pattern(key))
    found = f"c.email LIKE {at} OR c.name_key LIKE {at}"
    return found if plain == key else f"{found} OR c.email LIKE {value(_pattern(plain))}"


def _pattern(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
