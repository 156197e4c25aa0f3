"""`tidings bench render`: what a message costs to build, beside python-liquid, Jinja2 and the standard library."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from importlib.util import find_spec
from random import Random
from time import process_time
from typing import Any, TypeAlias

import orjson
from liquid import DictLoader, Environment
from rich.console import Console
from rich.table import Table

from tidings import delivery
from tidings.bench._campaign import send_content
from tidings.bench._templates import BLOCKS, KINDS, SIZES, Measured, template
from tidings.content import Parts, compile_liquid, read_attributes
from tidings.core.crypto import Keyring
from tidings.core.ids import SendId, WorkspaceId
from tidings.tracking import Tokens

BAR_MICROSECONDS = 30.0
"""A message of 5 KB whose template compiles without fallback costs no more."""
_NAMES = ("Ada", "Grace", "José", "Wei", "O'Brien", "Zoë", "Max", "Ines")
_DATE = b"Wed, 25 Nov 2026 12:00:00 +0000"
_BATCH = 50
_ROUNDS = 5
_RECIPIENTS = 10_000
_PRODUCTS, _PRICES, _CITIES = 2_000, 200, 500
"""Of a shop: what recurs between recipients is encoded once, and should recur as it does there."""

Row: TypeAlias = tuple[Any, ...]
Build: TypeAlias = Callable[[Row], bytes]


def run(*, seconds: float, json: bool) -> list[dict[str, object]]:
    """Measure, print, and return a line a template and size. All of it in microseconds of processor time a message."""
    rows = _rows()
    lines = [_measure(kind, size, rows, seconds) for kind in KINDS for size in SIZES]
    console = Console(stderr=json)
    table = Table(title="microseconds a message, HTML and text, ready for the wire")
    for name in ("template", "size", "octets", "tidings", "python-liquid", "Jinja2", "EmailMessage alone", "compiled"):
        table.add_column(name, justify="left" if name == "template" else "right")
    for line in lines:
        table.add_row(*("-" if value is None else str(value) for value in line.values()))
    console.print(table)
    if not _has_jinja():
        console.print("Jinja2 is not installed: `pip install jinja2` shows its column.")
    if json:
        print(orjson.dumps({"templates": lines, "bar_microseconds": BAR_MICROSECONDS}).decode())
    return lines


def _measure(kind: str, size: str, rows: list[Row], seconds: float) -> dict[str, object]:
    made = template(kind, size)
    ours = _ours(made)
    builds: dict[str, Build | None] = {
        "tidings": ours,
        "python_liquid": _python_liquid(made),
        "jinja2": _jinja(made) if _has_jinja() else None,
        "email_message": _alone(made),
    }
    figures = {name: round(_microseconds(build, rows, seconds), 1) if build else None for name, build in builds.items()}
    python = compile_liquid(made.liquid, html=True).python
    return {
        "template": kind,
        "size": size,
        "octets": len(ours(rows[0])),
        **figures,
        "compiled": bool(python) and "fallback(" not in python,
    }


def _microseconds(build: Build, rows: list[Row], seconds: float) -> float:
    """Of the fastest of some rounds: what is slower was somebody else's doing."""
    best = float("inf")
    for _ in range(_ROUNDS):
        done, started = 0, process_time()
        while process_time() - started < seconds / _ROUNDS or not done:
            first = done % len(rows)
            for row in rows[first : first + _BATCH]:
                build(row)
            done += _BATCH
        best = min(best, (process_time() - started) / done * 1e6)
    return best


def _rows() -> list[Row]:
    """Recipients, no two alike, and the same ones every time."""
    chosen = Random(1)  # noqa: S311 - nobody is to be surprised
    return [
        (
            *(n, n, f"reader{n}@example.com", _NAMES[n % len(_NAMES)], f"Last{n}", "", "de" if n % 3 else "en", "UTC"),
            ["vip"] if n % 5 == 0 else [],
            orjson.dumps(_attributes(n, chosen.randrange)).decode(),
            datetime(2026, 1, 1, tzinfo=UTC),
            None,
            0,
        )
        for n in range(1, _RECIPIENTS + 1)
    ]


def _attributes(n: int, below: Callable[[int], int]) -> dict[str, object]:
    return {
        "plan": "gold" if n % 2 else "free",
        "city": f"Springfield {below(_CITIES)}",
        "basket": [
            {"name": f"Product {below(_PRODUCTS)}", "price": f"{below(_PRICES)}.99", "new": item % 2 == 0}
            for item in range(5)
        ],
    }


def _ours(made: Measured) -> Build:
    content = send_content(subject="{{ first_name }}, this week", html=made.liquid, text=made.liquid_text)
    message = delivery.message_builder(content)
    return lambda row: message(row, _DATE)


def _python_liquid(made: Measured) -> Build:
    main = Parts.of(made.liquid).main
    escaping = Environment(autoescape=True, loader=DictLoader(BLOCKS))
    parsed = (Environment().from_string(made.liquid_text), escaping.from_string(main))
    return _usual(lambda values: tuple(one.render(values) for one in parsed))


def _jinja(made: Measured) -> Build:
    import jinja2

    environment = jinja2.Environment(autoescape=True, loader=jinja2.DictLoader(BLOCKS))
    plain = jinja2.Environment(autoescape=False)  # noqa: S701 - of a text part
    parsed = (plain.from_string(made.jinja_text), environment.from_string(made.jinja))
    return _usual(lambda values: tuple(one.render(values) for one in parsed))


def _alone(made: Measured) -> Build:
    """The standard library's message of what is rendered already."""
    parsed = (Environment().from_string(made.jinja_text).render(), made.jinja)
    return _usual(lambda _values: parsed)


def _usual(render: Callable[[Mapping[str, Any]], tuple[str, ...]]) -> Build:
    """What senders usually do: one dictionary, two templates, one EmailMessage. Links are not even wrapped."""
    tokens = Tokens(Keyring("benchmark")).for_send(WorkspaceId(1), SendId(1))

    def build(row: Row) -> bytes:
        values = {
            **read_attributes(row[9]),
            **dict(zip(("email", "first_name", "last_name", "phone", "language", "time_zone", "tags"), row[2:9], strict=True)),
            "workspace": {"name": "Bench", "postal_address": "1 Main Street, Springfield"},
            "unsubscribe_url": f"https://t.example.org/u/{tokens(row[0], row[1])}",
        }  # fmt: skip
        text, html = render(values)
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"] = "Example News <news@example.org>", row[2]
        message["Subject"] = f"{row[3]}, this week"
        message.set_content(text)
        message.add_alternative(html, subtype="html")
        return message.as_bytes()

    return build


def _has_jinja() -> bool:
    return find_spec("jinja2") is not None
