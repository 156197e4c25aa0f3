"""Whole columns, tested for what `clean_contact` would let through unchanged: which cells are not so plain?"""

from collections.abc import Sequence
from typing import Any

from tidings.audience.addresses import LIMIT, plain_address
from tidings.audience.fields import PHONE_LIMIT, TEXT_LIMIT, clean_contact
from tidings.audience.imports._values import read_list_names, read_lists, split_tags
from tidings.core.errors import Invalid

_LIMITS = {"phone": PHONE_LIMIT}


def plain_emails(cells: Sequence[Any], doubtful: set[int]) -> list[str]:
    """Addresses in lower case; what is not plain is `doubtful`."""
    try:
        emails = [cell.strip().lower() for cell in cells]
    except AttributeError:  # a JSON value that is no text
        doubtful.update(i for i, cell in enumerate(cells) if not isinstance(cell, str))
        emails = [cell.strip().lower() if isinstance(cell, str) else "" for cell in cells]
    plain = plain_address
    for position, email in enumerate(emails):
        if len(email) > LIMIT or plain(email) is None:
            doubtful.add(position)
    return emails


def plain_texts(name: str, cells: Sequence[Any], doubtful: set[int]) -> list[str]:
    """Texts of one of a contact's own fields; what is not plain is `doubtful`."""
    if any(type(cell) is not str for cell in cells):
        doubtful.update(i for i, cell in enumerate(cells) if not isinstance(cell, str))
        cells = [cell if isinstance(cell, str) else "" for cell in cells]
    texts = list(map(str.strip, cells))
    limit = _LIMITS.get(name, TEXT_LIMIT)
    if name in {"language", "time_zone"}:
        bad = {text for text in set(texts) if text and not _accepted(name, text)}
        if bad:
            doubtful.update(i for i, text in enumerate(texts) if text in bad)
    elif max(map(len, texts), default=0) > limit or not "".join(texts).isprintable():
        doubtful.update(i for i, text in enumerate(texts) if len(text) > limit or not text.isprintable())
    return texts


def _accepted(name: str, text: str) -> bool:
    try:
        return getattr(clean_contact({name: text}), name) == text
    except Invalid:
        return False


def plain_tags(cells: Sequence[Any], doubtful: set[int]) -> list[list[str] | None]:
    """Tags; what is not plain is `doubtful`."""
    tags: list[list[str] | None] = []
    for position, cell in enumerate(cells):
        if cell == "":
            tags.append(None)
            continue
        if not isinstance(cell, str):
            doubtful.add(position)
            tags.append(None)
            continue
        told = split_tags(cell)
        if len(told) > 20 or len(cell) > 1000 or any(len(t) > 100 or not t.isprintable() for t in told):
            doubtful.add(position)
        tags.append(list(told))
    return tags


def plain_lists(cells: Sequence[Any], doubtful: set[int]) -> list[list[str] | None]:
    """Names of lists; what cannot be read is `doubtful`."""
    named: list[list[str] | None] = []
    for position, cell in enumerate(cells):
        try:
            named.append(read_list_names(cell) if cell != "" else None)
        except ValueError:
            doubtful.add(position)
            named.append(None)
    return named


def plain_memberships(
    cells: Sequence[Any], doubtful: set[int]
) -> tuple[list[list[str] | None], list[list[str] | None]]:
    """Names of lists that people are on, and that they left; what cannot be read is `doubtful`."""
    on, left = list[list[str] | None](), list[list[str] | None]()
    for position, cell in enumerate(cells):
        try:
            here, gone = read_lists(cell) if cell != "" else ([], [])
        except ValueError:
            doubtful.add(position)
            here, gone = [], []
        on.append(here or None)
        left.append(gone or None)
    return on, left


def storable_text(text: str) -> bool:
    """Whether PostgreSQL can hold it, as far as can be told at a glance."""
    return text.isprintable() or ("\0" not in text and text.isascii())


def require_readable(text: str, name: str) -> None:
    """Raises Invalid for bytes that could not be decoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid.at(name, "has bytes that are not in the file's encoding; save the file as UTF-8") from None


def as_text(cell: Any) -> Any:
    """Numbers of JSON where text is wanted: a phone number, a name."""
    return str(cell) if isinstance(cell, (int, float)) and not isinstance(cell, bool) else cell
