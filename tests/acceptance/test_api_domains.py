"""Sending domains over HTTP."""

from api_client import Client


async def test_keys_are_shown_activated_rotated_and_never_told(api: Client) -> None:
    made = await api("POST", "/domains", {"domain": "Bücher.example"})
    assert made.status == 201
    assert made.json["domain"] == "xn--bcher-kva.example"
    assert [key["state"] for key in made.json["keys"]] == ["pending", "pending"]
    assert {key["record"][:17].rstrip("; ") for key in made.json["keys"]} == {"v=DKIM1; k=ed2551", "v=DKIM1; k=rsa; p"}
    path = f"/domains/{made.json['id']}"
    active = await api("POST", f"{path}/activate")
    assert {key["state"] for key in active.json["keys"]} == {"active"}
    rotated = await api("POST", f"{path}/rotate", {"algorithms": ["ed25519"]})
    assert sorted(key["state"] for key in rotated.json["keys"]) == ["active", "active", "pending"]
    assert (await api("GET", path)).json == rotated.json
    assert b"PRIVATE" not in rotated.raw
    assert (await api("GET", f"{path}/check?ip=nonsense")).status == 422
    assert (await api("DELETE", path)).status == 204
    assert (await api("GET", path)).status == 404
