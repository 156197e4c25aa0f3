"""Every operation, walked through the OpenAPI document, refuses broken input: a 4xx that says where, and nothing written."""

from collections.abc import Iterator
from typing import Any

import orjson

from api_client import Answer, Client
from api_world import World, everything, make_world, operations
from tidings import accounts
from tidings.bootstrap import App
from tidings.core.clock import utc_now

BROKEN_DOCUMENTS = (
    b"",
    b"{",
    b"{}}",
    b'{"a": }',
    b"[]",
    b"[{}]",
    b'"text"',
    b"7",
    b"true",
    b"NaN",
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b"{" * 5000,
    b'{"a":' * 5000,
    b"[" * 200_000,
    b'{"no_such_field_here": 1}',
)

BROKEN_IDS = ("x", "contact_0", "contact_-1", "contact_1.0", "contact_99999999999999999999", "%00", "a%00b", "%ff%fe",
              "'%20OR%201=1--", "x" * 3000, "%F0%9F%92%A5", "contact_%D9%A1", "list_1%0d%0aX:%20y")  # fmt: skip


ROWS = (b"[[[[]]]]", b"[null]", b"[{}]", b'["a\\u0007b", 3]')
"""Rows of an import are judged one by one when their turn comes: any may be sent."""

_SOURCE = {"source"}
INSTEAD = {
    "send_message": {"template_id"},
    "create_template": _SOURCE,
    "update_template": _SOURCE,
    "put_template": _SOURCE,
    "check_content": {"source"},
}
"""Fields that cannot stand beside others of a good body: a message has a template or its own content, a template HTML or
another source."""

FREE_TEXT = {"search", "tag"}
"""Query parameters for which any text is good that can be stored."""


def wrong_values(good: Any) -> Iterator[bytes]:
    """JSON texts that cannot be right for a field with this good value."""
    yield b'{"$": [{"no": ["such"]}], "\\u0000": 1}'
    yield b'"a\\u0000b"'
    yield b'"a\\ud800b"'
    yield b'["a", "\\udfff"]'
    yield b"[" * 300 + b"]" * 300  # JSON that can be read, but not written again
    yield b'{"a":' * 900 + b"1" + b"}" * 900
    yield b"1e999"
    yield b"9" * 4400
    yield b"Infinity"
    if not isinstance(good, dict):
        yield b'{"no": "such"}'
    if not isinstance(good, list):
        yield b"[[[[]]]]"
    if not isinstance(good, str):
        yield b'"text \xf0\x9f\x92\xa5"'
    if isinstance(good, str):
        yield b"7"
        yield b"true"
        yield orjson.dumps("x" * 3_000_000)
    if isinstance(good, list):
        yield b"[null]"
        yield b"[{}]"
        yield b'["a\\u0007b", 3]'
    if isinstance(good, bool):
        yield from (b"17", b"1", b"0", b'"yes"', b'"true"')
    if isinstance(good, int) and not isinstance(good, bool):
        yield b"-1"
        yield b"0.5"
        yield b"123456789012345678901234567890"


def refused(answer: Answer, what: Any, operation: dict[str, Any], *, field: str | None = None) -> None:
    """It must be a 4xx problem that the document tells of; where one field is broken it must name it."""
    assert 400 <= answer.status < 500, (what, answer)
    told = operation["responses"].get(str(answer.status), {}).get("x-codes", [])
    assert answer.problem["code"] in {*told, "no_such_route"}, (what, answer)
    assert answer.problem["detail"], what
    if answer.status == 422:
        assert answer.fields, (what, answer.json)
        for error in answer.problem["errors"]:
            assert error["message"], what
    if field is not None and answer.status != 413:
        assert answer.status == 422, (what, answer)
        if answer.fields == ["body"] and "nest" in answer.problem["detail"]:
            return
        assert any(f == field or f.startswith((f"{field}.", f"{field}[")) for f in answer.fields), (what, answer.json)


async def everyone(api: Client, app: App) -> tuple[Client, World]:
    """A client that may do everything, workspaces too, and a world."""
    async with app.db.transaction() as tx:
        key = await accounts.create_api_key(
            tx, workspace=api.workspace, name="all", scopes=["*", "operator"], now=utc_now()
        )
    return api.with_key(key), await make_world(api)


async def test_broken_documents(api: Client, app: App) -> None:
    client, world = await everyone(api, app)
    before = await everything(app)
    for method, path, name, operation in await operations(api):
        if "application/json" not in operation.get("requestBody", {}).get(
            "content", {}
        ):  # files: test_api_import_files.py
            continue
        optional = not operation["requestBody"].get("required")
        for document in BROKEN_DOCUMENTS:
            if document == b"" and optional:
                continue
            answer = await client(method, world.path(path), document)
            refused(answer, (name, document[:40]), operation)
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ";"):
            answer = await client(method, world.path(path), b"a=b", Content_Type=kind)
            assert answer.status == 415, (name, kind, answer)
    assert await everything(app) == before


async def test_broken_fields(api: Client, app: App) -> None:
    client, world = await everyone(api, app)
    before = await everything(app)
    bodies = world.bodies()
    schemas = (await api.with_key(None)("GET", "/openapi.json")).json["components"]["schemas"]
    for method, path, name, operation in await operations(api):
        if "application/json" not in operation.get("requestBody", {}).get(
            "content", {}
        ):  # files: test_api_import_files.py
            continue
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        reference = schema.get("$ref") or schema["anyOf"][0]["$ref"]
        properties = schemas[reference.rpartition("/")[2]]["properties"]
        good = bodies[name]
        told = good.keys() | INSTEAD.get(name, set[str]())
        assert properties.keys() == told, f"api_world.py must tell every field of {name}"
        for field in good:
            for value in wrong_values(good[field]):
                if (name, field) == ("import_contacts", "contacts") and value in ROWS:
                    continue
                others = orjson.dumps({k: v for k, v in good.items() if k != field})
                comma = b"," if len(good) > 1 else b""
                text = b'{"' + field.encode() + b'":' + value + comma + others[1:]
                answer = await client(method, world.path(path), text)
                refused(answer, (name, field, value[:40]), operation, field=field)
    assert await everything(app) == before


async def test_broken_paths(api: Client, app: App) -> None:
    client, world = await everyone(api, app)
    before = await everything(app)
    for method, path, name, operation in await operations(api):
        for parameter in [p for p in world.ids if f"{{{p}}}" in path]:
            for broken in BROKEN_IDS:
                target = world.path(path.replace(f"{{{parameter}}}", broken))
                body = world.bodies().get(name) if "requestBody" in operation else None
                answer = await client(method, target, body)
                refused(answer, (name, target[:80]), operation)
                assert answer.status in {404, 414, 422}, (name, target[:80], answer)
    assert await everything(app) == before


async def test_broken_queries(api: Client, app: App) -> None:
    client, world = await everyone(api, app)
    before = await everything(app)
    for method, path, name, operation in await operations(api):
        for parameter in [p for p in operation.get("parameters", []) if p["in"] == "query"]:
            field = parameter["name"]
            for broken in ("%00", "%ff", "-1e9", "99999999999999999999999", "a" * 4000, "%F0%9F%92%A5%27--", "[]"):
                answer = await client(method, f"{world.path(path)}?{field}={broken}")
                if field in FREE_TEXT and answer.status == 200 and broken != "%00":
                    continue
                refused(answer, (name, field, broken[:20]), operation, field=field)
    after = await everything(app)
    before["audit_entries"] = after["audit_entries"]  # an export of what strange words find is one, and told as such
    assert after == before


async def test_broken_idempotency_keys(api: Client, app: App) -> None:
    client, world = await everyone(api, app)
    before = await everything(app)
    create = next(operation for _, _, name, operation in await operations(api) if name == "create_list")
    for key in ("", "x" * 256, "a\tb"):
        answer = await client("POST", "/lists", {"name": "Once"}, Idempotency_Key=key)
        refused(answer, key, create, field="Idempotency-Key")
    assert await everything(app) == before
    assert world.ids


async def test_a_query_parameter_that_is_not_known_is_refused(api: Client) -> None:
    """Of a filter misspelt, everything would be the answer."""
    await api("POST", "/contacts", {"email": "ann@example.com"})
    for path, name in (
        ("/contacts?staus=active", "staus"),
        ("/contacts?page=1&page_size=1&Search=ann", "Search"),
        ("/contacts/export?list=list_1", "list"),
        ("/segments/segment_1/preview?exact=true&x=", "x"),
    ):
        answer = await api("GET", path)
        assert (answer.status, answer.fields) == (422, [name]), path
    answer = await api("POST", "/segments/preview?exact=true", {"conditions": {"field": "email", "operator": "is_set"}})
    assert (answer.status, answer.fields) == (422, ["exact"])
    assert "it takes none, and a JSON body" in answer.problem["detail"]
    good = await api("GET", "/contacts?search=ann&tag=vip&status=active&page_size=2&page=1")
    assert good.status == 200
    assert (await api("GET", "/contacts?staus=active", Authorization="Bearer tk_nobody")).status == 401
    # Who leaves is not turned away for what somebody on the way added.
    left = await api("POST", "/public/unsubscribe?utm_source=mail", {"token": "not one of ours"}, Authorization="")
    assert (left.status, left.fields) == (422, ["token"])
