"""The whole way: a form, the message that a mail server gets, the button in it, a campaign; and leaving one list in the middle."""

import asyncio
import random
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from delivery_world import World, eventually, world
from edge_world import ask
from signup_world import hidden, people
from tidings import accounts, edge
from tidings.accounts import SYSTEM
from tidings.audience import forms, leaving, lists
from tidings.audience.forms import FormDraft
from tidings.audience.lists import ListSettings, Visibility
from tidings.campaigns import CampaignStatus
from tidings.compliance import SignupTokens
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import ListId
from tidings.tracking import Tokens
from tidings.up import free_ports


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.edge._signing_up._SOONEST_SECONDS", 0.0)


@asynccontextmanager
async def edge_of(w: World) -> AsyncGenerator[str, None]:
    """An edge of this world; its address."""
    (port,) = free_ports(1)
    w.app.public_url = f"http://127.0.0.1:{port}"
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.ensure_future(
        edge.run(w.app, host="127.0.0.1", port=port, stop=stop, ready=lambda _: ready.set())
    )
    await ready.wait()
    try:
        yield w.app.public_url
    finally:
        stop.set()
        await serving


async def form_path(w: World, **settings: Any) -> str:
    by = SYSTEM(w.workspace)
    async with w.app.db.transaction() as tx:
        await accounts.update_workspace(
            tx, workspace=w.workspace, sender_email="hello@acme.example", sender_name="Acme Shop", by=by, now=utc_now()
        )
        await lists.update_list(
            tx, workspace=w.workspace, list=w.newsletter, settings=ListSettings(**settings), by=by, now=utc_now()
        )
        draft = FormDraft(name="Site", list_ids=[w.newsletter])
        form = await forms.create_form(tx, workspace=w.workspace, draft=draft, by=by, now=utc_now())
    return f"/f/{SignupTokens(w.app.keys).form(w.workspace, form.id)}"


async def sign_up(base: str, path: str, email: str) -> None:
    page = await ask(base, path)
    assert (await ask(base, path, "POST", data=hidden(page.body) | {"email": email})).status == 200


async def received(w: World, email: str, count: int = 1) -> Any:
    """The latest message to an address, as another parser reads it."""
    got = await eventually(
        lambda: asyncio.sleep(0, [one for one in w.server.accepted if one.recipient == email]),
        lambda found: len(found) >= count,
    )
    return message_from_bytes(got[-1].message, policy=policy.default)


async def test_from_the_form_to_a_campaign(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w, edge_of(w) as base:
        path = await form_path(w, confirm_subject="Ja zu {{ list_names }}?")
        await sign_up(base, path, "ann@example.com")
        await sign_up(base, path, "never@example.com")
        mail = await received(w, "ann@example.com")
        assert mail["From"] == "Acme Shop <hello@acme.example>"
        assert mail["To"].addresses[0].addr_spec == "ann@example.com"
        assert mail["Subject"] == "Ja zu Newsletter?"
        assert mail["Auto-Submitted"] == "auto-generated"
        # There is nothing to leave yet, and a link that did nothing would be a lie.
        assert not [name for name in mail if name.lower().startswith("list-unsubscribe")]
        text, markup = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
        (link,) = re.findall(r"http://[^\s]+/s/[\w-]{32}", text)
        assert link in markup
        assert "ann@example.com" in text
        assert "unsubscribe" not in text.lower()
        page = await ask("", link)
        assert b'value="confirm"' in page.body
        # The form said that name, and it is kept as proof; the workspace itself is called Acme.
        assert "asked Acme Shop to" in text
        assert b"Acme Shop may write to" in page.body
        assert await people(db) == {}
        assert (await ask("", link, "POST", data={"act": "confirm"})).status == 200
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        sent = [one.recipient for one in w.server.accepted if b"Hello" in one.message]
        assert sent == ["ann@example.com"]


@pytest.mark.parametrize("reason", ["unsubscribed", "bounced"])
async def test_who_was_out_gets_the_message_that_brings_them_back(db: Database, tmp_path: Path, reason: Any) -> None:
    async with world(db, tmp_path) as w, edge_of(w) as base:
        path = await form_path(w)
        (ann,) = await w.contacts("ann@example.com")
        async with db.transaction() as tx:
            await leaving.suppress(
                tx, workspace=w.workspace, contacts=[(ann, "")], reason=reason, source="x", now=utc_now()
            )
        await sign_up(base, path, "ann@example.com")
        text = (await received(w, "ann@example.com")).get_body(("plain",)).get_content()
        (link,) = re.findall(r"http://[^\s]+/s/[\w-]{32}", text)
        await ask("", link, "POST", data={"act": "confirm"})
        assert await people(db) == {"ann@example.com": ("active", {w.newsletter: "subscribed"})}


async def test_nothing_of_a_list_is_handed_over_once_it_was_switched_off(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, connections=4, chunk_size=200) as w, edge_of(w) as base:
        await form_path(w, visibility=Visibility.PUBLIC)
        w.server.delay_seconds = 0.002
        ids = await w.contacts(*(f"a{n}@example.com" for n in range(800)))
        by_id = {id_: f"a{n}@example.com" for n, id_ in enumerate(ids)}
        campaign = await w.campaign()
        await w.launch(campaign)
        await eventually(lambda: asyncio.sleep(0, len(w.server.accepted)), lambda n: n > 30)
        async with db.connection() as connection:
            rows = await connection.fetch("SELECT send_id, n, contact_id FROM deliveries")
        token = Tokens(w.app.keys).for_send(w.workspace, rows[0]["send_id"])
        links = {row["contact_id"]: token(row["n"], row["contact_id"]) for row in rows}
        off = [("act", "save"), ("shown", str(w.newsletter))]
        done: dict[str, float] = {}
        dice = random.Random(7)

        async def switch(session: aiohttp.ClientSession) -> None:
            for contact in dice.sample(ids, 15):
                async with session.post(f"{base}/p/{links[contact]}", data=off) as response:
                    assert response.status == 200
                done.setdefault(by_id[contact], asyncio.get_running_loop().time())

        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(switch(session) for _ in range(4)))
        await w.until(campaign, CampaignStatus.SENT, 40)
        assert [one.recipient for one in w.server.accepted if one.began > done.get(one.recipient, float("inf"))] == []
        spared = {email: why for email, (state, why) in (await w.states()).items() if state == "skipped"}
        assert spared, "nobody switched it off before their turn: the test tried nothing"
        assert set(spared.values()) == {"left_list"}
        assert set(w.server.recipients) | set(spared) == set(by_id.values())
        stands = await people(db)
        assert all(stands[email] == ("active", {ListId(w.newsletter): "unsubscribed"}) for email in done)
