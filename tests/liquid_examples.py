# ruff: noqa: E501 - tables read better unbroken
"""Random Liquid templates and contacts for differential tests: what a template's author or a list's owner might write."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from hypothesis import strategies as st

PIECES = (
    "Hello ", "world", "<b>", "</b>", "&amp;", "&", "=", "=3D", ".", "\n", "\n.", "\n..\n", "\r\n", "\r", " ", "  ", "\t\n", " \n",
    "é", "😀", "👩‍👩‍👧", "שלום", "مرحبا", "\u200f", "日本語", "x" * 80, "ab " * 60, "é" * 40, '"', "'", "{", "}", "%", "\x00", "\x0b", "\x7f",
    "\u2028", "From ", "</body>", "<!-- c -->", "--=_tidings_1_2", "-- \n", "=\r\n", "\\", "a=b;", "https://plain.example/?q=1",
)  # fmt: skip
"""Static text that has broken mail somewhere."""

VALUES = ("", "Ada", "O'Brien", "<script>", "a & b", ".", "..x", "José", "李", "😀" * 30, "y" * 90, "two words", " lead", "trail ", "cr\r",
          "a\r\nb", "l\nf", "=20", "tab\t", "שלום", "\u200fRTL", "vip", "pro", "{{ x }}", "{% if %}", "\x01", "a\u2028b", "x\x7f")  # fmt: skip
"""What fields of contacts hold in practice, and what they should not."""

PATHS = (
    "first_name", "last_name", "email", "name", "phone", "language", "tags", "created_at", "contact.first_name", "contact.last_name",
    "contact.tags", "contact.plan", "contact.id", "contact['plan']", "contact[key]", "contact.attributes.plan", "attributes.plan",
    "contact.size", "contact.missing", "plan", "score", "nested", "nested.a", "nested.a.b", "nested.missing.c", "items", "items[0]",
    "items.first", "items.last", "items.size", "tags.size", "tags[0]", "first_name.size", "missing", "missing.deeper", "flag", "nothing",
    "campaign.name", "campaign.id", "campaign.subject", "campaign.missing", "workspace.name", "workspace.postal_address", "workspace",
    "unsubscribe_url", "preferences_url", "view_in_browser_url", "x", "y", "i", "j", "forloop.index", "forloop.last", "forloop.parentloop.index", "forloop", "partial", "size",
    "contact.created_at", "nested[key]", "html", "i.a", "i.a.b", "i.b", "j.a", "i.missing", "i.size", "i[key]", "x.a",
)  # fmt: skip

LITERALS = (
    "'vip'",
    '"pro"',
    "''",
    "'a<b>'",
    "'é'",
    "0",
    "1",
    "-2",
    "1.5",
    "true",
    "false",
    "nil",
    "empty",
    "blank",
    "(1..3)",
    "'%Y-%m'",
)
FILTERS = (
    "upcase", "downcase", "capitalize", "default: 'friend'", "default: '<i>'", "default: last_name", "default: 'x', allow_false: true",
    "append: 'z'", "append: last_name", "prepend: '<'", "size", "escape", "safe", "escape_once", "split: ' '", "split: ''", "join: '-'",
    "first", "last", "plus: 2", "minus: score", "times: 1.5", "divided_by: 2", "modulo: 0", "round", "abs", "date: '%Y'", "truncate: 5",
    "truncatewords: 1, '…'", "replace: 'a', '<'", "remove: 'a'", "strip_html", "newline_to_br", "url_encode", "url_decode", "slice: 0, 3",
    "reverse", "sort", "uniq", "map: 'a'", "where: 'a'", "strip", "squish", "concat: tags", "sum", "compact", "escapejs", "base64_encode",
)  # fmt: skip

_KEYS = ("plan", "score", "nested", "items", "flag", "nothing", "key", "html", "size", "i", "partial", "email", "x")

text_values = st.sampled_from(VALUES) | st.text(max_size=12).map(lambda text: text.replace("\x00", ""))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.floats(-50, 50) | text_values,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("a", "b", "size", "first")), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def contacts(draw: st.DrawFn) -> tuple[Any, ...]:
    """A recipient's row, as the database gives it. Addresses are in order: what is not was refused long before."""
    email = draw(
        st.sampled_from(
            ("ada@example.com", "o'neil+tag@sub.example.org", "jörg@xn--bcher-kva.example", "a.b@x.example")
        )
    )
    attributes = draw(st.dictionaries(st.sampled_from(_KEYS), json_values, max_size=6))
    created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=draw(st.integers(0, 9000)))
    fields = [draw(text_values) for _ in range(5)]
    tags = draw(st.lists(st.sampled_from(("vip", "a", "é", "pro")), max_size=3))
    return (draw(st.integers(1, 10**6)), 789, email, *fields, tags, orjson.dumps(attributes).decode(), created, None, 0)


paths = st.sampled_from(PATHS)
primaries = paths | paths | st.sampled_from(LITERALS)
printable = paths | paths | st.sampled_from([one for one in LITERALS if one not in {"empty", "blank"}])
"""Without those that would be printed with their addresses in memory."""


@st.composite
def conditions(draw: st.DrawFn) -> str:
    """What stands after `if`."""
    parts = []
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        left = draw(primaries)
        operator = draw(st.sampled_from(("", "", "==", "!=", "contains", "<", ">=", ">", "<=", "<>")))
        parts.append(f"{left} {operator} {draw(primaries)}" if operator else left)
    joiner = draw(st.sampled_from((" and ", " or ")))
    return joiner.join(parts)


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """What stands between `{{` and `}}`."""
    filters = draw(st.lists(st.sampled_from(FILTERS), max_size=2))
    return " | ".join([draw(printable), *filters])


outputs = st.tuples(
    st.sampled_from(("{{ ", "{{ ", "{{- ")), expressions(), st.sampled_from((" }}", " }}", " -}}"))
).map("".join)


@st.composite
def blocks(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """A tag with something inside it."""
    dash = draw(st.sampled_from(("", "", "", "-")))
    one, other, condition = draw(inner), draw(inner), draw(conditions())
    match draw(st.integers(0, 10)):
        case 0 | 1:
            return f"{{%{dash} if {condition} %}}{one}{{% else {dash}%}}{other}{{% endif %}}"
        case 2:
            return f"{{% if {condition} %}}{one}{{% elsif {draw(conditions())} %}}{other}{{% endif {dash}%}}"
        case 3:
            return f"{{% unless {condition} %}}{one}{{% endunless %}}"
        case 4:
            options = draw(
                st.sampled_from(
                    ("", " limit: 2", " offset: 1", " reversed", " limit: 1 offset: 1", " offset: continue")
                )
            )
            inside = draw(
                st.sampled_from(
                    ("", "{{ i }}", "{{ forloop.index }}", "{% if i == 1 %}{% continue %}{% endif %}", "{% break %}")
                )
            )
            over = draw(st.sampled_from(("items", "tags", "nested", "(1..3)", "first_name", "contact.tags", "missing")))
            return f"{{% for i in {over}{options} %}}{inside}{one}{{% else %}}{other}{{% endfor %}}"
        case 5:
            return f"{{% for j in (1..2) %}}{one}{{{{ forloop.parentloop.index }}}}{{% endfor %}}"
        case 6:
            return f"{{% capture x %}}{one}{{% endcapture %}}{other}{{{{ x }}}}"
        case 7:
            when = draw(st.sampled_from(("'pro'", "1", "'vip', 'pro'", "blank or nil", "last_name")))
            return f"{{% case {draw(paths)} %}} {{% when {when} %}}{one}{{% else %}}{other}{{% endcase %}}"
        case 8:
            return f"{{% ifchanged %}}{one}{{% endifchanged %}}"
        case 9:
            return f"{{% comment %}}{one}{{% endcomment %}}{other}"
        case _:
            return f"{one}{other}"


simple = st.one_of(
    st.sampled_from(PIECES),
    st.sampled_from(PIECES),
    outputs,
    outputs,
    expressions().map(lambda text: f"{{% assign y = {text} %}}"),
    expressions().map(lambda text: f"{{% echo {text} %}}"),
    st.sampled_from(
        ("{% cycle 'a', 'b' %}", "{% raw %}{{ raw }}{% endraw %}", "{% # note %}", "{% assign x = 'vip' -%}")
    ),
    st.sampled_from(("{% increment n %}", "{% liquid\nassign x = plan\necho x\n%}", "{% assign i = 3 %}")),
)
templates = st.lists(
    st.recursive(simple, lambda inner: blocks(st.lists(inner, max_size=3).map("".join)), max_leaves=6), max_size=6
).map("".join)
