"""Warm-ups over HTTP and on the command line."""

from pathlib import Path

from api_client import Client
from cli_forked import tidings

SANDBOX = {"name": "new IP", "kind": "sandbox"}


async def test_begun_looked_at_and_stopped(api: Client) -> None:
    provider = (await api("POST", "/providers", SANDBOX)).json["id"]
    path = f"/providers/{provider}/warmup"
    assert (await api("GET", path)).status == 404
    begun = await api("PUT", path, {"start": 100, "growth": 2, "target": 1000})
    assert begun.status == 200, begun.json
    assert begun.json["caps"] == [100, 200, 400, 800, 1000]
    assert [(one["group"], one["step"], one["cap"]) for one in begun.json["groups"]] == [
        (group, 1, 100) for group in ("google", "microsoft", "yahoo", "apple", "other")
    ]
    assert begun.json["next_at"] > begun.json["started_at"]
    assert (await api("PUT", path, {"caps": [5, 10]})).json["caps"] == [5, 10]
    assert len((await api("PUT", path, {})).json["caps"]) == 19
    assert (await api("GET", path)).json["days"] == []
    assert (await api("DELETE", path)).status == 204
    assert (await api("GET", path)).json["code"] == "warmup_not_found"
    assert (await api("DELETE", path)).status == 404


async def test_what_is_wrong_is_named_and_changes_nothing(api: Client) -> None:
    provider = (await api("POST", "/providers", SANDBOX)).json["id"]
    path = f"/providers/{provider}/warmup"
    for told, field in (
        ({"start": 0}, "start"),
        ({"growth": 5}, "growth"),
        ({"caps": [10, 50]}, "caps[1]"),
        ({"caps": [10], "start": 3}, "caps"),
        ({"cap": [10]}, "cap"),
    ):
        refused = await api("PUT", path, told)
        assert refused.status == 422, refused.json
        assert [problem["field"] for problem in refused.json["errors"]] == [field]
    assert (await api("GET", path)).status == 404
    assert (await api("PUT", "/providers/provider_999/warmup", {})).status == 404


async def test_on_the_command_line(api: Client, database_url: str, tmp_path: Path) -> None:
    await api("POST", "/providers", SANDBOX)

    async def told(*words: str) -> str:
        env = {
            "TIDINGS_DATABASE_URL": database_url,
            "TIDINGS_DATA_DIR": str(tmp_path),
            "PATH": "/usr/bin:/bin",
            "COLUMNS": "120",
        }
        of = ("--workspace", f"workspace_{api.workspace}")
        _, out, err = await tidings("provider", "warmup", "new IP", *of, *words, env=env)
        return (out + err).decode()

    assert "has no warm-up" in await told()
    assert "1 of 3" in await told("--begin", "--start", "10", "--growth", "2", "--target", "30")
    shown = await told()
    assert "10 · 20 · 30" in shown
    assert "google" in shown
    assert "--begin" in await told("--start", "10")
    assert "growth" in await told("--begin", "--growth", "9")
    assert "stopped" in await told("--stop")
