# ruff: noqa: E501 - tables read better unbroken
"""`tidings render --jsonl`: one line in, one line out, whatever the line is."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.content import render_line


def answer(told: Any, **options: bool) -> dict[str, str]:
    """What one line gives."""
    line = told if isinstance(told, bytes) else json.dumps(told).encode()
    written = render_line(line, **options)
    assert b"\n" not in written
    read = json.loads(written)
    assert list(read) in (["output"], ["error"]), read
    assert isinstance(*read.values(), str)
    return read


@pytest.mark.parametrize(
    ("told", "output"),
    [
        ({"template": "a"}, "a"),
        ({"template": "{{ a }}", "data": None, "templates": None}, ""),
        ({"template": "{{ a.b[0] }}", "data": {"a": {"b": ["c"]}}}, "c"),
        ({"template": "{{ n }} {{ n | plus: 1 }}", "data": {"n": 10**25}}, f"{10**25} {10**25 + 1}"),
        ({"template": "{{ x }}", "data": {"x": 1e400}}, None),
        ({"template": "{% render 'p', x: 1 %}{% include 'p' %}", "templates": {"p": "[{{ x }}]"}}, "[1][]"),
        ({"template": "{% include name %}", "data": {"name": "a/b.html"}, "templates": {"a/b.html": "x"}}, "x"),
        ({"template": "{% snippet a %}b{{ c }}{% endsnippet %}{% render a, c: 1 %}{% render a %}"}, "b1b"),
        (
            {
                "template": "{% snippet a %}b{% snippet c %}d{% endsnippet %}{% render c %}{% endsnippet %}{% render a %}"
            },
            "bd",
        ),
        (
            {"template": '{% include "p" %}{% render a %}', "templates": {"p": "{% snippet a %}b{% endsnippet %}c"}},
            "cb",
        ),
        ({"template": "{% render a %}"}, None),
        ({"template": "{{ '\ud800' }}{{ x }}", "data": {"x": "é"}}, "\ud800é"),
        (b'\xef\xbb\xbf{"template": "bom"}\r\n', "bom"),
        (b"", None),
        (b"\n", None),
        (b"nonsense", None),
        (b'{"template": "\xff"}', None),
        (b'{"template": "x", "data": {"x": NaN}}', None),
        (b"[" * 100_000, None),
        (b'{"template": "x", "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
        (b'{"template": "x", "data": {"x": ' + b"9" * 5000 + b"}}", None),
        ([], None),
        ({}, None),
        ({"template": None}, None),
        ({"template": 5}, None),
        ({"template": "x", "data": [1]}, None),
        ({"template": "x", "templates": {"p": 1}}, None),
        ({"template": "{{ x"}, None),
        ({"template": "{% render 'p' %}", "templates": {"p": "{% render 'p' %}"}}, None),
        ({"template": "{{ x | divided_by: 0 }}", "data": {"x": 1}}, None),
        ({"template": "{{ " + "9" * 5000 + " }}"}, None),
        ({"template": "{% if a %}" * 5000 + "{% endif %}" * 5000}, None),
    ],
)
def test_a_line_of_whatever_kind_is_answered(told: Any, output: str | None) -> None:
    read = answer(told)
    assert read.get("output") == output, read
    assert output is not None or read["error"].strip()


def test_strict_and_html_hold_for_blocks_too() -> None:
    line = {"template": "{{ a }}{% render 'p' %}", "data": {"a": "<"}, "templates": {"p": "{{ '<' }}{{ b }}"}}
    assert answer(line) == {"output": "<<"}
    assert answer(line, html=True) == {"output": "&lt;<"}
    assert "'b' is undefined" in answer(line, strict=True)["error"]
    assert answer({"template": "{% if b %}x{% endif %}{{ b | default: 'd' }}"}, strict=True) == {"output": "d"}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5),
       lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("template", "data", "templates", "x")), inner, max_size=4)))  # fmt: skip
def test_any_line_at_all(told: Any) -> None:
    answer(told)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(("{{", "}}", "{%", "%}", "-", " ", "raw", "endraw", "doc", "enddoc", "comment", "endcomment", "if", "endif", "a", "|",
       ":", ",", "'", '"', "(", ")", "..", "[", "]", ".", "=", "<", "#", "\n", "liquid", "case", "when", "for", "in", "else", "{", "}", "%", "1", "\ud800")), max_size=14).map("".join))  # fmt: skip
def test_a_template_of_scraps_is_answered(template: str) -> None:
    answer({"template": template, "data": {"a": [1]}})


def test_lines_and_answers_are_as_many() -> None:
    lines = [
        b'{"template": "{{ a }}", "data": {"a": 1}}',
        b"",
        b"bad",
        b"\xff\xfe",
        b'{"template": "{% for %}"}',
        b'{"template": "last"}',
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tidings.cli", "render", "--jsonl"],
        input=b"\n".join(lines),
        capture_output=True,
        check=True,
        timeout=60,
    )
    read = [json.loads(line) for line in done.stdout.splitlines()]
    assert [next(iter(one)) for one in read] == ["output", "error", "error", "error", "error", "output"]


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("a\n {% for i in (1..9999999) %}x{% endfor %}", "line 2, column 5: a range of more than 1,000,000 numbers"),
        ("a{{ '99999999999999999999' | date: '%Y' }}", "line 1, column 2: date: timestamp out of range"),
        ("a{{ m | sort | join }}", "line 1, column 2: sort: can't sort sequence"),
        ("a{{ n | plus: 1 }}", "line 1, column 2: "),
        (
            "{% for i in (1..30) %}{% assign k = i | append: t %}{% endfor %}",
            "line 1, column 4: variables of more than",
        ),
        ("a{% render 'b' %}", "line 1, column 12: there is no block named 'b'"),
        ("a{% include 'b' %}", "line 1, column 13: there is no block named 'b'"),
        ("{% for i in (1..2) %}" * 30 + "{% endfor %}" * 30, "loops or blocks within each other more than 30 deep"),
        ("{% if " + " and ".join("a" * 5000) + " %}{% endif %}", "template: is nested too deeply"),
        ("{% if a %}" * 400 + "{% endif %}" * 400, "column 314: is nested too deeply"),
    ],
)
def test_errors_say_what_is_wrong_and_where(template: str, error: str) -> None:
    data = {"m": [1, "a", {}], "n": "9" * 5000, "t": "x" * 900_000}
    assert error in answer({"template": template, "data": data})["error"]
