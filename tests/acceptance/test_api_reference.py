"""The reference page: the whole document for people, from this server alone, whatever is in it."""

import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from api_client import Client
from api_world import operations
from tidings.api._reference import render
from tidings.api._schema_words import json_text
from tidings.api.app import create_app

DOCS = Path(__file__).parents[2] / "docs"


class Page(HTMLParser):
    """The elements of a page, its anchors, where it links to, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        if tag not in {"meta", "br"}:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name == "id":
                self.ids.append(value or "")
            if name in {"href", "src", "action"}:
                self.targets.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_the_page_tells_all_and_loads_nothing(api: Client) -> None:
    answer = await api.with_key(None)("GET", "/docs")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    source = answer.raw.decode()
    assert "url(" not in source
    assert "@import" not in source
    page = Page(source)
    assert page.open == []
    assert page.elements.isdisjoint({"script", "link", "img", "iframe", "object", "form"})
    assert len(page.ids) == len(set(page.ids))
    # It leads to itself and to the document beside it, nowhere else.
    assert {t.removeprefix("#") for t in page.targets if t.startswith("#")} <= set(page.ids)
    assert {t for t in page.targets if not t.startswith("#")} == {"openapi.json"}
    for method, path, name, operation in await operations(api):
        assert name in page.ids
        assert f"{method.lower()} /api/v1{path}" in page.text
        assert operation["summary"] in page.text
        assert operation["x-scope"] in page.text if "x-scope" in operation else name == "unsubscribe"
        for parameter in operation.get("parameters", []):
            assert parameter["name"] in page.text
    document = (await api("GET", "/openapi.json")).json
    for problem in document["x-problems"]:
        assert f"problem-{problem['code']}" in page.ids
    assert all(
        word in page.text for word in ("1 to 255 characters", "id such as list_123", "else 50", "counts.sent_count")
    )


async def test_every_operation_has_its_example(api: Client) -> None:
    text = Page((await api("GET", "/docs")).raw.decode()).text
    examples = re.findall(r'curl (?:-X (\w+) )?"\$TIDINGS/api/v1([^"]+)"', text)
    others = {"{version}": "1", "{other}": "1", "{email}": "ann@example.com"}
    wanted = [
        (
            "" if method == "GET" else method,
            re.sub(r"\{\w+\}", lambda m: others.get(m[0], m[0]), re.sub(r"\{(\w+)_id\}", r"\1_123", path)),
        )
        for method, path, _, _ in await operations(api)
    ]
    assert sorted(examples) == sorted(wanted)


def test_what_the_document_says_is_text_not_markup() -> None:
    document: Any = create_app(SimpleNamespace(db=None)).openapi()  # pyright: ignore[reportArgumentType]
    hostile = "<script>alert(1)</script>\"'&"

    def poison(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: poison(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [poison(v, key) for v in value]
        if key in {
            "summary",
            "description",
            "title",
            "version",
            "name",
            "code",
            "default",
            "x-codes",
            "email",
            "subject",
        }:
            return f"{value}{hostile}"
        return value

    clean, poisoned = Page(render(document)), Page(render(poison(document)))
    assert hostile in poisoned.text
    assert poisoned.elements == clean.elements
    assert poisoned.open == []


def test_json_is_laid_out_to_be_read() -> None:
    assert json_text({"a": [1, "ü"]}) == '{"a": [1, "ü"]}'
    long = {"a": ["x" * 60, "y" * 60], "b": {}}
    assert json_text(long) == f'{{\n  "a": [\n    "{"x" * 60}",\n    "{"y" * 60}"\n  ],\n  "b": {{}}\n}}'


async def test_what_the_documentation_asks_for_is_there(api: Client) -> None:
    paths = (await api("GET", "/openapi.json")).json["paths"]
    there = [
        (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path.removeprefix("/api/v1")) + "$"))
        for path, methods in paths.items()
        for method in methods
    ]
    asked = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (?:/api/v1)?(/[a-z][\w/{}.-]*)|\$API(/[a-z][\w/{}.-]*)")
    wrong: list[str] = []
    count = 0
    for page in sorted(DOCS.rglob("*.md")):
        for method, path, called in asked.findall(page.read_text(encoding="utf-8")):
            if path.startswith(
                ("/n/", "/u/", "/c/", "/o/", "/v3/", "/v2/", "/api/")
            ):  # of the edge, the catcher, or others
                continue
            count += 1
            if not any(
                (not method or method == one) and form.match((path or called).rstrip(".")) for one, form in there
            ):
                wrong.append(f"{page.relative_to(DOCS)}: {method} {path or called}")
    assert wrong == []
    assert count > 100
