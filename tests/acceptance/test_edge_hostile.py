"""Whatever strangers send to the pages: nothing of theirs runs or leads anywhere, and nothing is our fault."""

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from edge_world import SECRET, ask, campaign, running_edge
from signup_world import KEYS, hidden, make_signup, press
from tidings.audience.forms import FormField
from tidings.audience.suppressions import ToSuppress, suppress_addresses
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.edge import _signing_up

TEXTS = (
    "",
    "a",
    "\0",
    "a\0b",
    "💥",
    "\udcff",
    "ann@example.com",
    "on",
    "x" * 5000,
    "<script>",
    "{0}",
    "\r\nX: y",
    "%00",
    "9" * 30,
)
NAMES = (
    "email", "first_name", "phone", "consent", "act", "shown", "list", "lang", "ticket", "your_homepage", "reason", "wording", "💥"
)  # fmt: skip
LANGUAGES = ("de", "fr;q=9", "x" * 3000, ",,,;;;")


def body_of(fields: dict[str, str], dice: random.Random) -> tuple[bytes, str]:
    """The fields in one of the encodings that browsers and programs send, or something else altogether."""
    match dice.randrange(4):
        case 0:
            told = {n: dice.choice([v, [v, None, {"a": [1]}], 7, 1e300, True, None, {}]) for n, v in fields.items()}
            return json.dumps(told).encode(), "application/json"
        case 1:
            text = "&".join(f"{n}={v}" for n, v in fields.items())
            return text.encode("utf-8", "surrogateescape"), "application/x-www-form-urlencoded"
        case 2:
            parts = [f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()]
            kind = dice.choice(
                ("multipart/form-data; boundary=b", 'multipart/form-data; boundary="', "multipart/form-data")
            )
            return "".join([*parts, "--b--"]).encode("utf-8", "surrogateescape"), kind
        case _:
            return dice.randbytes(200), dice.choice(
                ("application/json", "text/plain", "application/x-www-form-urlencoded")
            )


async def test_anything_at_the_pages(
    db: Database, database_url: str, workspace: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_signing_up, "_SOONEST_SECONDS", 0.0)
    monkeypatch.setattr(_signing_up, "_A_MINUTE", 1e9)
    dice = random.Random(3)
    signup = await make_signup(
        db,
        workspace,
        names=("<script>alert(1)</script>",),
        title='<script>{0}{x}"',
        intro="<script>\n{}",
        consent="<script>'\"",
        consent_box=True,
        fields=[FormField("first_name", "<script>", False), FormField("phone")],
    )
    sent = await campaign(db, workspace, Keyring(SECRET))
    token, faults = sent.token(1), list[Any]()
    paths = [
        *(
            signup.path,
            f"{signup.path}/ticket",
            f"{signup.path}x",
            f"/s/{signup.token}",
            f"/p/{token}",
            f"/p/{token[:-1]}",
        ),
        *(f"/u/{token}", f"/o/{token}.gif", f"/o/{signup.token}", f"/u/{signup.token}", f"/f/{token}", f"/s/{token}"),
        *(f"/c/{token}/{index}" for index in ("0", "x", "99999", "٣", "x?u=https://evil.example&s=b", "-1", "0/1")),
    ]
    async with running_edge(database_url, tmp_path) as base:
        known = hidden((await ask(base, signup.path)).body)
        for _ in range(500):
            fields = {name: value for name, value in known.items() if dice.random() < 0.8}
            fields |= {dice.choice(NAMES): dice.choice(TEXTS) for _ in range(dice.randrange(5))}
            body, kind = body_of(fields, dice)
            method, path = dice.choice(("POST", "POST", "POST", "GET", "HEAD", "OPTIONS", "PUT")), dice.choice(paths)
            headers = {
                "Content-Type": kind,
                "Accept-Language": dice.choice(LANGUAGES),
                "Origin": dice.choice(("null", "https://evil.example")),
                "X-Forwarded-For": '1.2.3.4, "x',
                "X-Forwarded-Host": "evil.example",
                "Host": "evil.example",
            }
            answer = await ask(base, path, method, data=body if method == "POST" else None, headers=headers)
            if answer.status >= 500 and b"form is not ready" not in answer.body:
                faults.append((method, path, kind, body[:200], answer.status))
            if answer.headers.get("content-type", "").startswith("text/html"):
                assert b"<script>" not in answer.body
                assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
                assert "no-store" in answer.headers["cache-control"]
            assert b"evil.example" not in answer.body
            assert "evil.example" not in str(answer.headers)
    assert faults == []


async def test_redirects_are_uris(
    db: Database, database_url: str, workspace: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_signing_up, "_SOONEST_SECONDS", 0.0)
    there = "https://example.com/danke-schön?谢=1&a=%20b#ü"
    signup = await make_signup(db, workspace, redirect_url=there, opt_in="single")
    async with running_edge(database_url, tmp_path) as base:
        answer = await press(base, signup, email="ann@example.com")
    assert answer.status == 303
    assert answer.headers["location"] == "https://example.com/danke-sch%C3%B6n?%E8%B0%A2=1&a=%20b#%C3%BC"


async def test_everybody_waits_alike(
    db: Database, database_url: str, workspace: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_signing_up, "_SOONEST_SECONDS", 0.0)
    signup = await make_signup(db, workspace, opt_in="single")
    async with db.transaction() as tx:
        shut = [ToSuppress("shut@example.com")]
        await suppress_addresses(tx, workspace=signup.workspace, addresses=shut, source="api", keys=KEYS, now=utc_now())
    async with running_edge(database_url, tmp_path) as base:
        for email in ("new@example.com", "new@example.com", "shut@example.com"):
            known = hidden((await ask(base, signup.path)).body)
            started = time.monotonic()
            answer = await ask(base, signup.path, "POST", data=known | {"email": email})
            assert answer.status == 200
            assert time.monotonic() - started >= 0.1
