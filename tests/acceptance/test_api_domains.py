"""Sending domains over HTTP."""

from collections.abc import Sequence

import dns.zone
import pytest

from api_client import Client
from tidings import delivery
from tidings.core.db import Database


async def test_keys_are_shown_activated_rotated_and_never_told(api: Client) -> None:
    made = await api("POST", "/domains", {"domain": "Bücher.example"})
    assert made.status == 201
    assert made.json["domain"] == "xn--bcher-kva.example"
    assert [key["state"] for key in made.json["keys"]] == ["pending", "pending"]
    assert {key["record"][:17].rstrip("; ") for key in made.json["keys"]} == {"v=DKIM1; k=ed2551", "v=DKIM1; k=rsa; p"}
    path = f"/domains/{made.json['id']}"
    active = await api("POST", f"{path}/activate")
    assert {key["state"] for key in active.json["keys"]} == {"active"}
    for key in (await api("GET", path)).json["keys"]:
        # A zone file is read by dnspython, which we did not write.
        zone = dns.zone.from_text("$TTL 300\n" + key["zone_line"], origin=".", relativize=False, check_origin=False)
        found = zone.get_rdataset(f"{key['name']}.", "TXT")
        assert found is not None
        (record,) = found
        assert b"".join(record.strings).decode() == key["record"]
    rotated = await api("POST", f"{path}/rotate", {"algorithms": ["ed25519"]})
    assert sorted(key["state"] for key in rotated.json["keys"]) == ["active", "active", "pending"]
    assert (await api("GET", path)).json == rotated.json
    assert b"PRIVATE" not in rotated.raw
    assert (await api("GET", f"{path}/check?ip=nonsense")).status == 422
    assert (await api("DELETE", path)).status == 204
    assert (await api("GET", path)).status == 404


async def test_keys_are_made_while_no_transaction_is_open(
    api: Client, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_then: list[int] = []
    generate = delivery.new_keys

    async def watched(algorithms: Sequence[delivery.DkimAlgorithm]) -> list[delivery.PrivateKey]:
        async with db.connection() as connection:
            open_then.append(
                await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state ^@ 'idle in'"
                )
            )
        return await generate(algorithms)

    monkeypatch.setattr(delivery, "new_keys", watched)
    body = {"domain": "example.org", "algorithms": ["ed25519"]}
    path = f"/domains/{(await api('POST', '/domains', body)).json['id']}"
    assert (await api("POST", f"{path}/rotate")).status == 200
    assert (await api.with_key(None)("POST", "/domains", body)).status == 401
    assert open_then == [0, 0]
