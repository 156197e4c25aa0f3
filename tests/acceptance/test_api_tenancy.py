"""Two workspaces on one installation: for every operation, neither sees nor changes anything of the other."""

from api_client import Client
from api_world import everything, make_world, operations
from tidings.bootstrap import App

_OWN_AFFAIRS = {
    "add_inbound_message",
    "add_bounce_mailbox",
    "forget_suppressed_addresses",
    # Nothing in these refers to what exists; they make or read the caller's own.
    "create_list",
    "create_contact_field",
    "create_tag",
    "create_block",
    "add_provider",
    "add_domain",
    "create_api_key",
    "update_workspace",
}


async def test_no_operation_reaches_into_another_workspace(api: Client, stranger: Client, app: App) -> None:
    world = await make_world(api)
    before = await everything(app, api.workspace)
    bodies = world.bodies()
    for method, path, name, operation in await operations(api):
        if name in {"create_workspace", "unsubscribe"}:
            continue
        body = bodies.get(name) if "requestBody" in operation else None
        answer = await stranger(method, world.path(path), body)
        what = (method, path, answer)
        if "{" in path:
            assert answer.status == 404, what
        elif name in _OWN_AFFAIRS:
            assert answer.status in {200, 201, 202}, what
        elif method == "GET":
            assert answer.status == 200, what
            for parameter in ("contact_id", "list_id", "template_id", "provider_id", "campaign_id", "key_id"):
                assert f'"{world.ids[parameter]}"'.encode() not in answer.raw, what
        else:
            assert answer.status == 422, what
            assert answer.fields, what
        assert await everything(app, api.workspace) == before, what


async def test_ones_own_list_takes_no_contacts_of_others(api: Client, stranger: Client, app: App) -> None:
    world = await make_world(api)
    own = (await stranger("POST", "/lists", {"name": "Mine"})).json["id"]
    before = await everything(app)
    answer = await stranger("POST", f"/lists/{own}/contacts", {"contact_ids": [world.ids["contact_id"]]})
    assert (answer.status, answer.fields) == (422, ["contact_ids[0]"])
    removed = await stranger("POST", f"/lists/{own}/contacts/remove", {"contact_ids": [world.ids["contact_id"]]})
    assert removed.json == {"removed": []}
    assert (await stranger("DELETE", f"/lists/{own}/contacts/{world.ids['contact_id']}")).status == 204
    assert await everything(app) == before


async def test_both_may_have_the_same_people_and_names(api: Client, stranger: Client) -> None:
    await make_world(api)
    await make_world(stranger)


async def test_without_a_key_nothing_answers_but_the_public(api: Client, app: App) -> None:
    world = await make_world(api)
    before = await everything(app)
    for method, path, name, operation in await operations(api):
        body = world.bodies().get(name) if "requestBody" in operation else None
        answer = await api.with_key(None)(method, world.path(path), body)
        assert answer.status == (422 if name == "unsubscribe" else 401), (method, path, answer)
        assert answer.problem["code"] in {"unauthenticated", "invalid"}
    assert await everything(app) == before


async def test_every_operation_needs_its_scope(api: Client, app: App) -> None:
    world = await make_world(api)
    made = (await api("POST", "/api-keys", {"name": "none", "scopes": ["providers:read"]})).json
    poor = api.with_key(made["key"])
    before = await everything(app)
    for method, path, name, operation in await operations(api):
        if operation.get("x-scope") in {None, "providers:read"}:
            continue
        body = world.bodies().get(name) if "requestBody" in operation else None
        answer = await poor(method, world.path(path), body)
        assert (answer.status, answer.problem["code"]) == (403, "missing_scope"), (method, path, answer)
        assert operation["x-scope"] in answer.problem["detail"]
    assert await everything(app) == before
