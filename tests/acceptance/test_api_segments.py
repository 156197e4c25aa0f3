"""Segments over HTTP: from conditions to people, and what is refused."""

from typing import Any

from api_client import Client

VIPS: dict[str, Any] = {"and": [{"field": "tags", "operator": "contains", "value": "vip"}]}


async def test_a_segment_from_draft_to_deletion(api: Client) -> None:
    for name, tags in (("ann", ["vip"]), ("bob", []), ("eve", ["vip", "new"])):
        answer = await api("POST", "/contacts", {"email": f"{name}@example.com", "tags": tags})
        assert answer.status == 201
    told = (await api("POST", "/segments/preview", {"conditions": VIPS, "sample_size": 1})).json
    assert (told["contact_count"], told["mailable_count"], told["exact"], told["error"]) == (2, 2, True, 0)
    assert [contact["email"] for contact in told["sample"]] == ["eve@example.com"]

    made = await api("POST", "/segments", {"name": "VIPs", "conditions": VIPS})
    assert made.status == 201
    path = f"/segments/{made.json['segment_id']}"
    assert made.json["conditions"] == VIPS
    assert (await api("POST", "/segments", {"name": "VIPs", "conditions": VIPS})).status == 409

    # Live: whoever comes to meet the conditions is in at once.
    await api("POST", "/contacts", {"email": "zoe@example.com", "tags": ["vip"]})
    assert (await api("GET", f"{path}/preview")).json["contact_count"] == 3
    page = (await api("GET", f"{path}/contacts?page_size=2")).json
    assert (page["total"], [c["email"] for c in page["items"]]) == (3, ["zoe@example.com", "eve@example.com"])
    rest = (await api("GET", f"{path}/contacts?page_size=2&cursor={page['next_cursor']}")).json
    assert [c["email"] for c in rest["items"]] == ["ann@example.com"]

    refused = await api("PATCH", path, {"conditions": {"and": [VIPS, {"field": "tags", "operator": "~", "value": 1}]}})
    assert (refused.status, refused.json["code"]) == (422, "segment_invalid")
    assert [error["field"] for error in refused.json["errors"]] == ["conditions.and[1].operator"]
    assert (await api("GET", path)).json["conditions"] == VIPS
    changed = await api("PATCH", path, {"conditions": {"not": VIPS}})
    assert changed.status == 200
    assert (await api("GET", f"{path}/preview?exact=true")).json["contact_count"] == 1

    assert (await api("DELETE", path)).status == 204
    assert (await api("GET", path)).json["code"] == "segment_not_found"


async def test_the_document_has_the_language(api: Client) -> None:
    document = (await api.with_key(None)("GET", "/openapi.json")).json
    schemas = document["components"]["schemas"]
    assert schemas["NewSegment"]["properties"]["conditions"] == {"$ref": "#/components/schemas/SegmentConditions"}
    for reference in schemas["SegmentConditions"]["oneOf"]:
        assert reference["$ref"].rpartition("/")[2] in schemas
    assert "x-schema" not in str(document)
