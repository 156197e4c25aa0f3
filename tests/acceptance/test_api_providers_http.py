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
    shown = json.dumps([one.json for one in [*answers, wrong]])
    assert "rate_per_second" in shown
    assert not any(value in shown for value in SECRETS[kind].values())
