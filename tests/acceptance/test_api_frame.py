"""The frame around every endpoint: who is let in, what is refused how, and that nothing is done twice."""

import asyncio
import json
import re

from api_client import Client
from api_world import make_world, operations, upload_file
from tidings import accounts
from tidings.bootstrap import App
from tidings.core.clock import utc_now


async def operator(api: Client, app: App, *more: str) -> Client:
    async with app.db.transaction() as tx:
        key = await accounts.create_api_key(
            tx, workspace=api.workspace, name="operator", scopes=["operator", *more], now=utc_now()
        )
    return api.with_key(key)


async def test_health_needs_no_key(api: Client) -> None:
    anyone = api.with_key(None)
    assert (await anyone("GET", "//healthz")).json == {"status": "ok"}
    assert (await anyone("GET", "//readyz")).json == {"status": "ready"}


async def test_without_a_good_key_it_is_401(api: Client) -> None:
    for authorization in (None, "Bearer", "Bearer tk_wrong", "Basic dXNlcjpwYXNz", "tk_x"):
        headers = {} if authorization is None else {"Authorization": authorization}
        answer = await api.with_key(None)("GET", "/workspaces/current", **headers)
        assert (answer.status, answer.problem["code"]) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    # Before a byte of the body counts.
    assert (await api.with_key(None)("POST", "/contacts/import", b"[" * 33_000_000)).status == 401


async def test_without_the_scope_it_is_403(api: Client) -> None:
    made = (await api("POST", "/api-keys", {"name": "Reader", "scopes": ["workspace:read"]})).json
    reader = api.with_key(made["key"])
    assert (await reader("GET", "/workspaces/current")).status == 200
    answer = await reader("PATCH", "/workspaces/current", {"name": "Mine"})
    assert (answer.status, answer.problem["code"]) == (403, "missing_scope")
    assert "workspace:write" in answer.problem["detail"]
    assert (await api("POST", "/workspaces", {"name": "Mine"})).status == 403


async def test_an_operator_makes_a_workspace_that_is_ready_to_use(api: Client, app: App) -> None:
    made = await (await operator(api, app))("POST", "/workspaces", {"name": "New", "postal_address": "3 Road"})
    assert made.status == 201
    tenant = api.with_key(made.json["api_key"])
    assert (await tenant("GET", "/workspaces/current")).json["id"] == made.json["id"]
    changed = await tenant("PATCH", "/workspaces/current", {"name": "Newer"})
    assert (changed.json["name"], changed.json["postal_address"]) == ("Newer", "3 Road")


async def test_a_revoked_key_stops_working_at_once_here(api: Client) -> None:
    made = (await api("POST", "/api-keys", {"name": "x", "scopes": ["workspace:read"]})).json
    other = api.with_key(made["key"])
    assert (await other("GET", "/workspaces/current")).status == 200
    assert (await api("DELETE", f"/api-keys/{made['id']}")).status == 204
    assert (await other("GET", "/workspaces/current")).status == 401
    keys = (await api("GET", "/api-keys")).json["items"]
    assert [key["revoked_at"] is not None for key in keys] == [False, True]
    assert made["key"] not in str(keys)


async def test_another_workspace_sees_and_revokes_no_keys(api: Client, stranger: Client) -> None:
    made = (await api("POST", "/api-keys", {"name": "x", "scopes": ["*"]})).json
    assert made["id"] not in [key["id"] for key in (await stranger("GET", "/api-keys")).json["items"]]
    assert (await stranger("DELETE", f"/api-keys/{made['id']}")).status == 404
    assert (await api.with_key(made["key"])("GET", "/api-keys")).status == 200


async def test_the_same_idempotency_key_makes_one_key(api: Client, app: App) -> None:
    body = {"name": "Once", "scopes": ["lists:read"]}
    first = await api("POST", "/api-keys", body, Idempotency_Key="abc")
    again = await api("POST", "/api-keys", body, Idempotency_Key="abc")
    assert (first.status, first.raw) == (201, again.raw)
    assert "Idempotent-Replayed" not in first.headers
    assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
    other = await api("POST", "/api-keys", body | {"name": "Other"}, Idempotency_Key="abc")
    assert (other.status, other.problem["code"]) == (422, "idempotency_key_reused")
    async with app.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM api_keys WHERE name <> 'test'") == 1
        kept = await connection.fetchval("SELECT body FROM idempotency_keys")
    assert first.json["key"].encode() not in kept


async def test_ten_at_once_with_one_idempotency_key_do_it_once(api: Client, app: App) -> None:
    body = {"name": "Once", "scopes": ["lists:read"]}
    answers = await asyncio.gather(*(api("POST", "/api-keys", body, Idempotency_Key="k") for _ in range(10)))
    assert {a.status for a in answers} <= {201, 409}
    assert len({a.raw for a in answers if a.status == 201}) == 1
    assert {a.problem["code"] for a in answers if a.status == 409} <= {"idempotency_still_running"}
    async with app.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM api_keys WHERE name = 'Once'") == 1


async def test_a_refused_request_leaves_its_idempotency_key_free(api: Client) -> None:
    refused = await api("POST", "/api-keys", {"name": "x", "scopes": ["lists:fly"]}, Idempotency_Key="k")
    assert refused.status == 422
    assert (await api("POST", "/api-keys", {"name": "x", "scopes": ["*"]}, Idempotency_Key="k")).status == 201


BROKEN = (
    (b"", "body", "required"),
    (b"{", "body", "line 1, column 2"),
    (b'{"name": "x" "scopes": []}', "body", "line 1"),
    (b"[" * 100_000, "body", "JSON"),
    (b'{"name": ' + b"9" * 5000 + b"}", "name", "finite"),
    (b"\xff\xfe", "body", "JSON"),
    (b'{"name": "a\\u0000b", "scopes": ["*"]}', "name", "NUL"),
    (b'{"name": "a\\ud800b", "scopes": ["*"]}', "name", "pair"),
    (b'{"name": "x", "scopes": [NaN]}', "scopes[0]", "finite"),
    (b'{"name": "a\\u0007b", "scopes": ["*"]}', "name", "control"),
    (b'{"name": "x", "scopes": ["*"], "scoops": 1}', "scoops", "spelling"),
    (b'{"name": "' + b"x" * 256 + b'", "scopes": ["*"]}', "name", "255"),
    (b'{"name": "x"}', "scopes", "required"),
    (b'{"name": "x", "scopes": ["*", "lists:fly"]}', "scopes", "lists:fly"),
    (b'{"name": "x", "scopes": ["*", 7]}', "scopes[1]", "string"),
    (b"[]", "body", "JSON object"),
    (b'"text"', "body", "JSON object"),
    (b"null", "body", "JSON object"),
)


async def test_broken_bodies_name_the_field_and_the_reason(api: Client) -> None:
    for body, field, word in BROKEN:
        answer = await api("POST", "/api-keys", body)
        assert answer.status == 422, body
        assert field in answer.fields, answer.json
        assert word in str(answer.problem["errors"]), answer.json


async def test_other_refusals_are_problems_too(api: Client) -> None:
    for answer, status, code in (
        (await api("GET", "/nothing"), 404, "no_such_route"),
        (await api("GET", "//%ff%fe"), 404, "no_such_route"),
        (await api("PUT", "/api-keys", {}), 405, "method_not_allowed"),
        (await api("POST", "/api-keys", b"a=b", Content_Type="text/plain"), 415, "unsupported_media_type"),
        (await api("POST", "/api-keys", b" " * (4 * 1024 * 1024 + 1)), 413, "body_too_large"),
        (await api("DELETE", "/api-keys/key_0"), 422, "invalid"),
        (await api("DELETE", "/api-keys/key_9223372036854775808"), 422, "invalid"),
        (await api("DELETE", "/api-keys/key_1%00"), 422, "invalid"),
        (await api("DELETE", "/api-keys/key_1%ff"), 422, "invalid"),
        (await api("DELETE", "/api-keys/key_9223372036854775807"), 404, "api_key_not_found"),
    ):
        assert (answer.status, answer.problem["code"]) == (status, code)


async def test_a_dead_database_is_503_and_not_ready(api: Client, app: App) -> None:
    await app.db.close()
    for path in ("//readyz", "/workspaces/current"):
        answer = await api("GET", path)
        assert (answer.status, answer.problem["code"], answer.headers["Retry-After"]) == (503, "unavailable", "1")


async def test_wrong_keys_are_refused_unasked_after_a_while_and_good_ones_never_held_up(api: Client) -> None:
    assert (await api("GET", "/workspaces/current")).status == 200
    guesser = api.with_key("tk_guess")
    answers = await asyncio.gather(*(guesser("GET", "/workspaces/current") for _ in range(65)))
    assert {a.status for a in answers} == {401, 429}
    assert [a.status for a in answers].count(401) in range(60, 64)
    refused = await guesser("POST", "/contacts", {"email": "ann@example.com"})
    assert (refused.status, refused.problem["code"], refused.headers["Retry-After"]) == (429, "rate_limited", "1")
    # Not by an address that the client makes up, nor for who was let in before, nor for who has no key at all.
    made_up = await guesser("GET", "/workspaces/current", X_Forwarded_For="192.0.2.1", Forwarded="for=192.0.2.1")
    assert made_up.status == 429
    other = (await api("POST", "/api-keys", {"name": "x", "scopes": ["*"]})).json["id"]
    assert (await api("DELETE", f"/api-keys/{other}")).status == 204  # after which every key is asked for again
    assert (await api("GET", "/workspaces/current")).status == 200
    assert (await api.with_key(None)("GET", "/workspaces/current")).status == 401


async def test_leaving_is_for_people_not_for_floods(api: Client) -> None:
    anyone = api.with_key(None)
    answers = await asyncio.gather(*(anyone("POST", "/public/unsubscribe", {"token": "x"}) for _ in range(130)))
    assert [a.status for a in answers].count(422) in range(120, 126)
    refused = next(a for a in answers if a.status == 429)
    assert (refused.problem["code"], refused.headers["Retry-After"]) == ("rate_limited", "1")


async def test_the_document_tells_scopes_problems_and_idempotency(api: Client) -> None:
    document = (await api.with_key(None)("GET", "/openapi.json")).json
    create = document["paths"]["/api/v1/api-keys"]["post"]
    assert create["operationId"] == "create_api_key"
    assert "`workspace:write`" in create["description"]
    assert [p["name"] for p in create["parameters"]] == ["Idempotency-Key"]
    assert create["security"] == [{"apiKey": []}]
    told = document["components"]["schemas"]["ImportOut"]["properties"]["problems"]["items"]["$ref"]
    assert document["components"]["schemas"][told.rpartition("/")[2]]["required"] == ["row", "field", "message"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert "default" in operation["responses"], (method, path)
            for status, answer in operation["responses"].items():
                kinds = set(answer.get("content", {}))
                assert kinds <= {"application/json"} if status < "3" else kinds == {"application/problem+json"}, (
                    path,
                    status,
                )
            assert operation["summary"], (method, path)
            assert not operation["summary"].istitle() or " " not in operation["summary"], operation["summary"]
            assert operation["description"], (method, path)


async def test_the_examples_of_the_document_are_good(api: Client, app: App) -> None:
    client = await operator(api, app, "*")
    world = await make_world(client)
    schemas = (await api.with_key(None)("GET", "/openapi.json")).json["components"]["schemas"]
    for method, path, name, operation in await operations(api):
        if "application/json" not in operation.get("requestBody", {}).get("content", {}):
            continue
        if name in {"start_import", "dry_run_import"}:
            world.ids["import_id"] = await upload_file(client)
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        reference = schema.get("$ref") or schema["anyOf"][0]["$ref"]
        (example,) = schemas[reference.rpartition("/")[2]]["examples"]
        if name.startswith("create_") and "name" in example:  # the world has one of that name, perhaps
            example = example | {"name": f"another_{name}"}
        if "contact_2" in json.dumps(example):  # someone else, there for this operation
            other = (await client("POST", "/contacts", {"email": f"{name}-other@example.com"})).json["id"]
            example = json.loads(json.dumps(example).replace("contact_2", other))
        sent = re.sub(
            r'"(list|contact|template|segment)_1"', lambda m: f'"{world.ids[m[1] + "_id"]}"', json.dumps(example)
        )
        # One example for two operations: make, and make or change.
        sent = sent.replace("eve@", f"{name}@")
        answer = await client(method, world.path(path), sent.encode())
        if name == "unsubscribe":
            assert answer.fields == ["token"]
        elif name == "retry_campaign":  # it was not sent yet
            assert answer.problem["code"] == "campaign_wrong_state"
        else:
            assert answer.status < 300, (name, answer)
        if name in {"delete_contacts", "merge_contacts"}:  # the one of the world is gone
            again = {"email": "ann@example.com", "list_ids": [world.ids["list_id"]]}
            world.ids["contact_id"] = (await client("PUT", "/contacts", again)).json["id"]
