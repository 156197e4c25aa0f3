"""The API's reference for people at `/api/v1/docs`: the OpenAPI document as one page of HTML, with nothing loaded from anywhere."""

import html
import re
import shlex
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from string import Template
from typing import Any

from fastapi import FastAPI, Request, Response

from tidings.api._schema_words import Field, Schema, Schemas, json_text

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def install(api: FastAPI, *, path: str) -> None:
    """Answer at `path` with the page. It is made once, at the first look."""

    @lru_cache(maxsize=1)
    def page() -> bytes:
        return render(api.openapi()).encode()

    async def reference(_request: Request) -> Response:
        return Response(page(), media_type="text/html", headers=_HEADERS)

    api.add_route(path, reference, methods=["GET"], include_in_schema=False)


def render(document: dict[str, Any]) -> str:
    """The page for an OpenAPI document completed by `_openapi`; whatever the document says comes out escaped."""
    tags: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0], []).append((method, path, operation))
    schemas = Schemas(document["components"]["schemas"])
    page = Template(files("tidings.api").joinpath("_reference.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=html.escape(f"{document['info']['title']} API {document['info']['version']}"),
        description=_text(document["info"]["description"]),
        contents="".join(_contents(tag, operations) for tag, operations in tags.items()),
        sections="".join(_section(schemas, tag, operations) for tag, operations in tags.items()),
        problems="".join(_problem(problem) for problem in document["x-problems"]),
    )


def _contents(tag: str, operations: list[tuple[str, str, dict[str, Any]]]) -> str:
    links = "".join(
        f'<li><span class="method {method}">{method}</span>'
        f'<a href="#{_anchor(one["operationId"])}">{_text(one["summary"])}</a></li>'
        for method, _, one in operations
    )
    return f'<li><a href="#{_anchor(tag)}-operations">{_title(tag)}</a><ul>{links}</ul></li>'


def _section(schemas: Schemas, tag: str, operations: list[tuple[str, str, dict[str, Any]]]) -> str:
    articles = "".join(_operation(schemas, *one) for one in operations)
    return f'<section id="{_anchor(tag)}-operations"><h2>{_title(tag)}</h2>{articles}</section>'


def _operation(schemas: Schemas, method: str, path: str, operation: dict[str, Any]) -> str:
    anchor = _anchor(operation["operationId"])
    told = "".join(f"<p>{_text(paragraph)}</p>" for paragraph in operation["description"].split("\n\n"))
    shown = re.sub(r"(\{\w+\})", r"<i>\1</i>", html.escape(path))
    parts = [
        f'<article id="{anchor}"><h3><a href="#{anchor}">{_text(operation["summary"])}</a></h3>',
        f'<code class="line"><span class="method {method}">{method}</span> {shown}</code>{told}',
    ]
    if parameters := operation.get("parameters"):
        rows = [
            schemas.field(
                p["name"], p["schema"], required=p["required"], place=p["in"], description=p.get("description", "")
            )
            for p in parameters
        ]
        parts.append(f"<h4>Parameters</h4>{_table(rows)}")
    request = operation.get("requestBody", {})
    if body := schemas.resolved(_json(request)):
        rows = sorted(schemas.fields(body), key=lambda row: not row.required)
        heading = "Body" if request.get("required") else "Body, may be left out"
        parts.append(f"<h4>{heading}</h4><p>{_text(body['description'])}</p>{_table(rows)}")
    parts.append(f"<h4>Example</h4><pre>{html.escape(_curl(method, path, operation, body))}</pre><h4>Answers</h4>")
    answers = operation["responses"].items()
    parts += [_answer(schemas, status, answer) for status, answer in answers if status != "default"]
    return f"{''.join(parts)}</article>"


def _answer(schemas: Schemas, status: str, answer: dict[str, Any]) -> str:
    if codes := answer.get("x-codes"):
        links = ", ".join(f'<a href="#problem-{_anchor(code)}"><code>{html.escape(code)}</code></a>' for code in codes)
        return f'<span class="problem"><b>{html.escape(status)}</b> {links}</span>'
    schema = schemas.resolved(_json(answer))
    if not schema:
        return f'<p><b>{html.escape(status)}</b> <span class="faint">without a body</span></p>'
    told = _text(schema.get("description", "").replace("\n", " "))
    return f"<details><summary><b>{html.escape(status)}</b> {told}</summary>{_table(schemas.fields(schema))}</details>"


def _problem(problem: dict[str, Any]) -> str:
    code = html.escape(problem["code"])
    told = f"<small>{problem['status']}</small> {_text(problem['description'])}"
    return f'<tr id="problem-{_anchor(problem["code"])}"><th><code>{code}</code></th><td>{told}</td></tr>'


def _table(rows: Iterable[Field]) -> str:
    return f"<table>{''.join(map(_row, rows))}</table>"


def _row(row: Field) -> str:
    mark = '<span class="required">required</span>' if row.required else ""
    told = f"<br>{_text(row.description)}" if row.description else ""
    return f"<tr><th><code>{html.escape(row.name)}</code>{mark}</th><td><small>{html.escape(row.kind)}</small>{told}</td></tr>"


def _json(content: dict[str, Any]) -> Schema | None:
    return content.get("content", {}).get("application/json", {}).get("schema")


def _curl(method: str, path: str, operation: dict[str, Any], body: Schema) -> str:
    for parameter in operation.get("parameters", []):
        path = path.replace(f"{{{parameter['name']}}}", parameter["schema"].get("examples", ["1"])[0])
    lines = [f'curl {"" if method == "get" else f"-X {method.upper()} "}"$TIDINGS{path}"']
    if "x-scope" in operation:
        lines.append('-H "Authorization: Bearer $KEY"')
    if body:
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json_text(body['examples'][0]))}"]
    elif form := operation.get("requestBody", {}).get("content", {}).get("multipart/form-data"):
        lines.append(f"-F file=@{form['schema']['properties']['file'].get('examples', ['contacts.csv'])[0]}")
    return " \\\n  ".join(lines)


def _text(text: str) -> str:
    """Escaped; what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _title(tag: str) -> str:
    return html.escape(f"{tag[:1].upper()}{tag[1:]}".replace("Api", "API"))


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "-", name.lower())
