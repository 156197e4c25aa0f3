"""Providers over HTTP are added over the API, and their credentials never come back."""

import json

import pytest

from api_client import Client
from scripted_http import CONFIGS, SECRETS


@pytest.mark.parametrize("kind", sorted(CONFIGS))
async def test_added_changed_and_never_shown(api: Client, kind: str) -> None:
    settings = {"name": kind, "kind": kind, "config": {**CONFIGS[kind], "rate_per_second": 14}, "secret": SECRETS[kind]}
    made = await api("POST", "/providers", settings)
    assert made.status == 201, made.json
    path = f"/providers/{made.json['id']}"
    answers = [made, await api("GET", path), await api("GET", "/providers"), await api("PATCH", path, {"name": "new"})]
    wrong = await api("POST", "/providers", {**settings, "name": "x", "config": {**CONFIGS[kind], **SECRETS[kind]}})
    assert wrong.status == 422, wrong.json
    assert wrong.fields == [f"config.{min(SECRETS[kind])}"]
    shown = json.dumps([one.json for one in [*answers, wrong]])
    assert "rate_per_second" in shown
    assert not any(value in shown for value in SECRETS[kind].values())


async def test_wrong_settings_are_named_by_where_they_stand(api: Client) -> None:
    smtp = {"name": "S", "kind": "smtp"}
    for wrong, fields in (
        ({"config": {"host": "a b", "port": 0}}, ["config.host", "config.port"]),
        ({"config": {"host": "a.example", "timeouts": {"dot": 0}}}, ["config.timeouts.dot"]),
        (
            {"config": {"host": "a.example", "limits": {"google": {"per_minute": 0}}}},
            ["config.limits.google.per_minute"],
        ),
        ({"config": {}}, ["config.host"]),
        ({"config": {"host": "a.example", "username": "me"}}, ["secret.password"]),
        ({"config": {"host": "a.example"}, "secret": {"token": "x"}}, ["secret.token"]),
        ({"kind": "sendgrid"}, ["secret.api_key"]),
        ({"kind": "pigeon"}, ["kind"]),
        ({"name": "n" * 101, "config": {"host": "a.example"}}, ["name"]),
    ):
        answer = await api("POST", "/providers", {**smtp, **wrong})
        assert (answer.status, answer.fields) == (422, fields), answer.json
        assert answer.problem["detail"].startswith(f"{fields[0]}: ")
    made = await api("POST", "/providers", {**smtp, "config": {"host": "a.example"}})
    path = f"/providers/{made.json['id']}"
    assert (await api("PATCH", path, {"secret": {"password": "p"}})).fields == ["config.username"]
    assert (await api("PATCH", path, {"is_default": False})).fields == ["is_default"]
