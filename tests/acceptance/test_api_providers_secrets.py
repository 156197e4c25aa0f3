"""Credentials of providers go in, encrypted, and never come out: not in answers, problems, logs or the database."""

import logging
from typing import Any

import pytest

from api_client import Client
from scripted_http import CONFIGS, SECRETS
from tidings.core.db import Database

_SMTP = {"host": "mail.example.com", "port": 587, "tls": "starttls"}
EVERY: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    **{kind: (CONFIGS[kind], SECRETS[kind]) for kind in CONFIGS},
    "mailgun": (CONFIGS["mailgun"], {**SECRETS["mailgun"], "signing_key": "signing-very-secret"}),
    "ses": (CONFIGS["ses"], {**SECRETS["ses"], "session_token": "session-very-secret"}),
    "smtp": (_SMTP, {"username": "mailer-very-secret", "password": "password-very-secret"}),
}


@pytest.mark.parametrize("kind", sorted(EVERY))
async def test_credentials_never_come_out(
    api: Client, db: Database, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    config, secret = EVERY[kind]
    asked = {"name": kind, "kind": kind, "config": config, "secret": secret}
    made = await api("POST", "/providers", asked, Idempotency_Key="once")
    assert made.status == 201, made.json
    path = f"/providers/{made.json['id']}"
    other = {name: f"{value}-2" for name, value in secret.items()}
    answers = [
        made,
        await api("POST", "/providers", asked, Idempotency_Key="once"),
        await api("POST", "/providers", asked),  # the name is taken
        await api("GET", path),
        await api("GET", "/providers"),
        await api("GET", f"{path}/notifications"),
        await api("PATCH", path, {"secret": other}),
        await api("PATCH", path, {"config": {**config, **secret}}),
        await api("POST", "/providers", {**asked, "name": "a", "config": {**config, **secret}}),
        await api("POST", "/providers", {**asked, "name": "b", "secret": {**secret, "unknown": "other-very-secret"}}),
        *[
            await api("POST", "/providers", {**asked, "name": "c", "secret": {**secret, name: f"{value}\r\nX: y"}})
            for name, value in secret.items()
        ],
        *[
            await api("POST", "/providers", {**asked, "name": "d", "secret": {**secret, name: [value]}})
            for name, value in secret.items()
        ],
        await api("POST", "/providers", {**asked, "kind": "very-unknown"}),
        await api("POST", "/providers", str(asked).encode()),  # no JSON: a problem must not quote it
    ]
    assert sorted({one.status for one in answers} - {200, 201}), "some were problems"
    words = {"other-very-secret", *secret.values(), *other.values()}
    for one in answers:
        assert not [word for word in words if word.encode() in one.raw], one
        assert not [word for word in words if word in str(one.headers)], one
    assert not [word for word in words if word in caplog.text]
    async with db.connection() as connection:
        tables = await connection.fetch(
            "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind IN ('r', 'p') AND"
            " relnamespace = 'public'::regnamespace"
        )
        assert "providers" in {row["name"] for row in tables}
        for row in tables:
            kept = await connection.fetchval(f"SELECT string_agg(t::text, ' ') FROM {row['name']} AS t") or ""  # noqa: S608
            assert row["name"] != "providers" or kind in kept, "what is there is found"
            for word in words:
                assert word not in kept, row["name"]
                assert word.encode().hex() not in kept, row["name"]
