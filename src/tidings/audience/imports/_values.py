"""Values of cells: what a status word means, full names in two, tags in one cell, and custom fields by type."""

import contextlib
import csv
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import orjson

TYPES = ("text", "number", "boolean", "date")
"""Types that an import may declare; the choices of a choice are declared before."""

_TRUE = frozenset({"true", "yes", "y", "t", "1", "on", "x", "wahr", "ja", "oui", "vrai", "sí", "si", "sim", "да", "✓"})
_FALSE = frozenset({"false", "no", "n", "f", "0", "off", "-", "falsch", "nein", "non", "faux", "não", "нет"})
_NEVER = _FALSE | {"", "0000-00-00", "0000-00-00 00:00:00", "null", "none", "never", "nie", "jamais", "nunca", "mai"}
# Beside one another these are of a boolean; alone they are as likely a number.
_WORDS_OF_TRUTH = (_TRUE | _FALSE) - {"1", "0", "-", "x"}

_PLAIN_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d{1,2})?", re.ASCII)
_POINT_GROUPED = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_COMMA_GROUPED = re.compile(r"[-+]?\d{1,3}([.\s]\d{3})+(,\d+)?|[-+]?\d+,\d+", re.ASCII)
_ISO_DATE = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?", re.ASCII
)
_DOTTED_DATE = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})", re.ASCII)
_SLASHED_DATE = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})", re.ASCII)

_QUOTED = re.compile(r'"[^"]*"')

_STATUSES = {
    "active": """subscribed active enabled confirmed true yes 1 optin opted-in opted_in subscribe aktiv angemeldet abonniert actif
        abonné inscrit activo suscrito attivo iscritto ativo inscrito contactable""",
    "unlisted": """pending unconfirmed non-subscribed nonsubscribed not_subscribed transactional
        never_subscribed inactive unverified awaiting_confirmation draft wartend en_attente pendiente""",
    "unsubscribed": """unsubscribed unsubscribe blocklisted blacklisted blocked disabled archived deleted removed suppressed
        opted-out opted_out optout opt-out false no 0 dnc do_not_contact donotcontact abgemeldet désabonné desinscrit baja
        cancelado annullato disiscritto descadastrado unsubscribed(dnc)""",
    "bounced": "bounced bounce cleaned hard_bounce hardbounce hard-bounced hard_bounced invalid undeliverable rebotado",
    "complained": "complained complaint spam junk abuse spam_complaint reported marked_as_spam",
}
STATUSES = {word: status for status, words in _STATUSES.items() for word in words.split()}
_PARTICLES = frozenset(
    """von vom zu zur van der den de del della di da dos das du la le ter ten tot bin ibn al el
    st. af av ben san y""".split()  # noqa: SIM905 - words read better than forty quotation marks
)


def says_no(cell: Any) -> bool:
    """Whether a value in a column such as *Unsubscribed* or *Do not contact* means that the person did not leave."""
    word = str(cell).strip().lower()
    return word in _NEVER or (word not in _TRUE and read_status(word) == "active")


def read_status(word: str) -> str | None:
    """active, unlisted (a contact, on no list), unsubscribed, bounced, complained; None for a word we do not know."""
    return STATUSES.get(re.sub(r"\s+", "_", word.strip().lower()))


@lru_cache(maxsize=4096)
def split_name(name: str) -> tuple[str, str]:
    """First and last name of a full name: `Lee, Ann` and `Ann Lee` alike; particles go with the last name."""
    if name.count(",") == 1:
        last, first = (part.strip() for part in name.split(","))
        if first and last:
            return first, last
    words = name.split()
    if len(words) < 2:
        return name.strip(), ""
    start = len(words) - 1
    for position in range(1, len(words) - 1):
        if words[position].lower() in _PARTICLES:
            start = position
            break
    return " ".join(words[:start]), " ".join(words[start:])


@lru_cache(maxsize=4096)
def split_tags(text: str) -> tuple[str, ...]:
    """Tags in one cell, with commas, semicolons or bars between them, in quotation marks or not, or a JSON list."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        try:
            told = orjson.loads(text)
        except ValueError:
            text = text[1:-1]
        else:
            return tuple(dict.fromkeys(str(tag).strip() for tag in told if str(tag).strip()))
    bare = _QUOTED.sub("", text)
    separator = next((s for s in (";", "|") if s in bare and "," not in bare), ",")
    tags = (tag.strip().strip("\"'").strip() for tag in text.split(separator))
    if '"' in text and '"' not in bare:
        with contextlib.suppress(
            csv.Error
        ):  # as in a row of CSV: a separator between quotation marks belongs to the tag
            tags = (tag.strip() for tag in next(csv.reader([text], delimiter=separator, skipinitialspace=True)))
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def read_list_names(cell: Any) -> list[str]:
    """Names of lists that somebody left: in one cell with commas between them, quoted as in a row of CSV where need be; or
    as our JSON exports have it, where only those count that were left. Raises ValueError."""
    return [name for name, status in _named_lists(cell) if status in {None, "unsubscribed"}]


def read_lists(cell: Any) -> tuple[list[str], list[str]]:
    """Names of lists that somebody is on, and of those that they left, which only our JSON exports have in the same cell.
    Who has not confirmed yet is on neither. Raises ValueError."""
    named = _named_lists(cell)
    on = [name for name, status in named if status in {None, "subscribed"}]
    return on, [name for name, status in named if status == "unsubscribed"]


def _named_lists(cell: Any) -> list[tuple[str, str | None]]:
    """Each name once, with the status that is told of it. Raises ValueError."""
    if isinstance(cell, list) or (isinstance(cell, str) and cell.startswith("[{")):
        try:
            told = orjson.loads(cell) if isinstance(cell, str) else cell
        except ValueError:
            raise ValueError("must be a list of objects with name and status") from None
        if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in told):
            raise ValueError("must be a list of objects with name and status")
        last = sorted(told, key=lambda one: one.get("status") == "unsubscribed")  # and so it holds
        named = {one["name"].strip(): str(one.get("status")) for one in last}
    elif not isinstance(cell, str):
        raise ValueError("must be names of lists with commas between them")
    elif cell == "[]":
        named = {}
    else:
        try:
            named = dict.fromkeys(
                name.strip() for name in next(csv.reader([cell], skipinitialspace=True, strict=True), [])
            )
        except csv.Error as error:
            raise ValueError(f"must be names of lists with commas between them: {error}") from None
    if any(len(name) > 255 or not name.isprintable() for name in named):
        raise ValueError("must be names of lists: up to 255 printable characters each")
    return [(name, status) for name, status in named.items() if name]


def coercion(type_: str | None, choices: Sequence[str]) -> Callable[[Any], Any]:
    """What turns a cell into the JSON value of a field of this type. It raises ValueError saying how to mend the cell."""
    if type_ == "choice" and choices:
        by_key = {choice.casefold(): choice for choice in choices}

        def choose(value: Any) -> str:
            found = by_key.get(str(value).strip().casefold())
            if found is None:
                raise ValueError(f"must be one of {', '.join(choices)[:200]}")
            return found

        return choose
    return {"number": to_number, "boolean": to_boolean, "date": to_date}.get(type_ or "text", _to_text)


def to_number(value: Any) -> int | float:
    """1234.5 from `1234.5`, `1,234.50`, `1.234,5` or `1 234,5`. Raises ValueError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    text = str(value).strip().replace("\u00a0", " ").replace("\u202f", " ")
    if _PLAIN_NUMBER.fullmatch(text):
        pass
    elif _POINT_GROUPED.fullmatch(text):
        text = text.replace(",", "")
    elif _COMMA_GROUPED.fullmatch(text):
        text = text.replace(".", "").replace(" ", "").replace(",", ".")
    else:
        raise ValueError("must be a number such as 1234.5")
    if len(text) > 30:
        raise ValueError("must be a number of at most 30 digits")
    number = float(text)
    whole = int(text) if re.fullmatch(r"[-+]?\d+", text) else None
    return whole if whole is not None and abs(whole) < 2**53 else number


def to_boolean(value: Any) -> bool:
    """Yes or no, in the words of some languages. Raises ValueError."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("must be yes or no (or true/false, 1/0)")


def to_date(value: Any) -> str:
    """`2026-03-01` from that, a timestamp, `1.3.2026`, `2026/3/1`, or `25/12/2026` where only one reading is a date.

    Raises ValueError; also for `03/04/2026`, which is two dates.
    """
    text = str(value).strip()
    if match := _ISO_DATE.fullmatch(text):
        return _date(match[1], match[2], match[3])
    if match := _DOTTED_DATE.fullmatch(text):
        return _date(match[3], match[2], match[1])
    if match := _YEAR_FIRST.fullmatch(text):
        return _date(match[1], match[2], match[3])
    if match := _SLASHED_DATE.fullmatch(text):
        first, second = int(match[1]), int(match[2])
        if first > 12 >= second:
            return _date(match[3], match[2], match[1])
        if second > 12 >= first or first == second:
            return _date(match[3], match[1], match[2])
        raise ValueError("may be two dates; write it as YYYY-MM-DD")
    raise ValueError("must be a date such as 2026-03-01")


def infer_type(values: Sequence[Any]) -> str:
    """The narrowest type that all of these values have: boolean, number, date or text. Zip codes and phones are text."""
    told = [value for value in values if value is not None and value != ""]
    if not told:
        return "text"
    words = {str(value).strip().lower() for value in told}
    if all(isinstance(value, bool) for value in told) or (words <= _WORDS_OF_TRUTH and len(words) > 1):
        return "boolean"
    if all(_is_quantity(value) for value in told):
        return "number"
    try:
        for value in told:
            to_date(value)
    except ValueError:
        return "text"
    return "date"


def _is_quantity(value: Any) -> bool:
    # A leading zero or plus, or very many digits: something to identify by, not to reckon with.
    text = str(value).strip()
    digits = text.lstrip("-")
    if text.startswith("+") or len(digits) > 15 or re.match(r"0\d", digits):
        return False
    try:
        to_number(value)
    except ValueError:
        return False
    return True


def _to_text(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _date(year: str, month: str, day: str) -> str:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        raise ValueError(f"there is no such day as {year}-{int(month):02}-{int(day):02}") from None


def excel_date(serial: float, *, from_1904: bool) -> str:
    """The date, or time of day, that a cell formatted as a date holds: days since the end of 1899, or of 1903."""
    from datetime import timedelta

    base = datetime(1904, 1, 1) if from_1904 else datetime(1899, 12, 30)  # noqa: DTZ001 - workbooks know no time zone
    moment = base + timedelta(seconds=round(serial * 86400))
    if serial < 1 and not from_1904:
        return moment.time().isoformat()
    if not from_1904 and serial < 60:  # the 29th of February 1900, which Excel believes in
        moment += timedelta(days=1)
    return moment.date().isoformat() if moment.time() == datetime.min.time() else moment.isoformat(sep=" ")
