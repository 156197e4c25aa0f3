"""Signing up through the real edge: what people see, what is kept, and that nothing tells who is known."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from edge_world import CHROME, ask, asked, consent, running_edge
from signup_world import FORM, KEYS, Signup, hidden, make_signup, people, press
from tidings.accounts import SYSTEM
from tidings.audience import contacts, leaving
from tidings.audience.fields import ContactFields
from tidings.audience.forms import FormField
from tidings.audience.lists import ListSettings, OptIn
from tidings.audience.suppressions import ToSuppress, suppress_addresses
from tidings.compliance import SignupTokens
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.core.ids import ContactId, FormId

HOSTILE = "\"><script>alert(1)</script>'&"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.edge._signing_up._SOONEST_SECONDS", 0.0)


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been sent."""
    sent: list[Any] = []

    async def keep(tx: Any, *, letter: Any, **_: Any) -> None:
        sent.append(letter)

    monkeypatch.setattr("tidings.compliance._optin.post", keep)
    return sent


@pytest.fixture
async def base(database_url: str, tmp_path: Path) -> AsyncIterator[str]:
    async with running_edge(database_url, tmp_path) as address:
        yield address


@pytest.fixture
async def signup(db: Database, workspace: int) -> Signup:
    return await make_signup(db, workspace)


def path_of(letter: Any) -> str:
    return "/" + letter.variables["confirm_url"].split("/", 3)[3]


async def asked_for(db: Database) -> list[Any]:
    async with db.connection() as connection:
        return await connection.fetch("SELECT * FROM consents ORDER BY id")


async def test_from_the_form_to_the_list(base: str, db: Database, signup: Signup, letters: list[Any]) -> None:
    answer = await press(base, signup, email=" Ann@Example.COM ")
    assert answer.status == 200
    assert b"look into your mailbox" in answer.body
    assert b" Ann@Example.COM " not in answer.body
    assert b"ann@example.com" in answer.body
    assert await people(db) == {}
    (kept,) = await asked_for(db)
    assert (kept["email"], kept["ip"], kept["user_agent"]) == ("ann@example.com", "127.0.0.1", CHROME)
    assert kept["wording"] == (
        "Sign up: News\n\nAcme may email me: News. I can leave at any time, with the link in every message.\n\n[Sign up]"
    )
    (letter,) = letters
    assert (letter.email, letter.sender_email) == ("ann@example.com", "hello@acme.example")

    link = path_of(letter)
    # Scanners follow links, and some press what they find without knowing what it is.
    for method in ("GET", "HEAD", "POST"):
        assert (await ask(base, link, method)).status == 200
    assert await people(db) == {}
    page = await ask(base, link)
    assert b"ann@example.com" in page.body
    assert b'name="act" value="confirm"' in page.body
    done = await ask(base, link, "POST", data={"act": "confirm"})
    assert b"You are signed up" in done.body
    assert await people(db) == {"ann@example.com": ("active", {signup.lists[0]: "subscribed"})}
    again = await ask(base, link, "POST", data={"act": "confirm"})
    assert b"confirmed before" in again.body
    (kept,) = await asked_for(db)
    assert kept["confirm_ip"] == "127.0.0.1"


async def test_nobody_forges_a_form_or_a_confirmation(base: str, signup: Signup, letters: list[Any]) -> None:
    await press(base, signup, email="ann@example.com")
    token = path_of(letters[0])[3:]
    tokens = SignupTokens(KEYS)
    async with aiohttp.ClientSession() as session:
        for letter, good in (("s", token), ("f", signup.token)):
            forged = [good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :] for at in range(len(good))]
            for text in [*forged, good[:-1], good + "A", good.lower(), "", "%00" * 24, signup.token, token]:
                if text != good:
                    for method in ("GET", "POST"):
                        answer = await asked(session, base, f"/{letter}/{text}", method, data={"act": "confirm"})
                        assert answer.status == 404, text
    assert tokens.read_form(token) is None
    assert (await ask(base, f"/f/{tokens.form(signup.workspace, FormId(999))}")).status == 404
    assert (await ask(base, f"/f/{signup.token}", "DELETE")).status == 405


async def test_the_answer_is_the_same_for_everybody(
    base: str, db: Database, signup: Signup, letters: list[Any]
) -> None:
    owner = signup.workspace
    for email, reason in (
        ("member@example.com", None),
        ("left@example.com", "unsubscribed"),
        ("angry@example.com", "complained"),
        ("dead@example.com", "bounced"),
        ("shut@example.com", "manual"),
    ):
        async with db.transaction() as tx:
            made = await contacts.create_contact(
                tx,
                workspace=owner,
                fields=ContactFields(email=email),
                lists=signup.lists,
                keys=KEYS,
                by=SYSTEM(owner),
                now=utc_now(),
            )
            if reason is not None:
                await leaving.suppress(
                    tx,
                    workspace=owner,
                    contacts=[(made.id, "")],
                    reason=reason,  # pyright: ignore[reportArgumentType]
                    source="x",
                    now=utc_now(),
                )
    before = await people(db)
    seen: set[tuple[int, bytes]] = set()
    for email in [*before, "new@example.com", "new@example.com"]:
        answer = await press(base, signup, email=email)
        seen.add((answer.status, answer.body.replace(email.encode(), b"WHO")))
    assert len(seen) == 1
    assert await people(db) == before
    # Who complained, or was shut out, hears nothing; who was written to a moment ago, too.
    assert [letter.email for letter in letters] == [
        "member@example.com",
        "left@example.com",
        "dead@example.com",
        "new@example.com",
    ]
    for letter in letters:
        await ask(base, path_of(letter), "POST", data={"act": "confirm"})
    after = await people(db)
    assert {email for email in after if after[email][0] == "active"} == {letter.email for letter in letters}


async def test_programs_are_kept_out(
    base: str, db: Database, signup: Signup, letters: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await ask(base, signup.path)
    good = hidden(page.body)
    # Whoever fills in what nobody sees is thanked.
    trapped = await ask(
        base, signup.path, "POST", data=good | {"email": "a@example.com", "your_homepage": "http://spam"}
    )
    assert (trapped.status, b"look into your mailbox" in trapped.body) == (200, True)
    # Without a ticket, with another form's, an old or a forged one, or other words: shown again, with all they typed.
    tokens = SignupTokens(KEYS)
    for wrong in (
        {"ticket": ""},
        {"ticket": good["ticket"][:-1] + "_"},
        {"ticket": tokens.ticket("another", utc_now())},
        {"wording": "0" * 18},
        {"wording": ""},
    ):
        answer = await ask(base, signup.path, "POST", data=good | {"email": "b@example.com"} | wrong)
        assert answer.status == 200
        assert b"press the button once more" in answer.body
        assert b'value="b@example.com"' in answer.body
        assert hidden(answer.body).keys() == good.keys()
    # In less time than a person needs.
    monkeypatch.setattr("tidings.edge._signing_up._SOONEST_SECONDS", 5.0)
    answer = await press(base, signup, email="c@example.com")
    assert b"press the button once more" in answer.body
    assert (await asked_for(db), letters) == ([], [])


async def test_what_is_wrong_is_said_beside_it(base: str, db: Database, workspace: int, letters: list[Any]) -> None:
    async with db.connection() as connection:
        await connection.execute(
            """INSERT INTO contact_fields (workspace_id, name, label, type, choices, created_at, updated_at)
               VALUES ($1, 'size', 'Size', 'choice', '{S,M}', now(), now()), ($1, 'age', 'Age', 'number', '{}', now(), now()),
                      ($1, 'born', 'Born', 'date', '{}', now(), now()), ($1, 'vip', 'VIP', 'boolean', '{}', now(), now())""",
            workspace,
        )
    fields = [
        FormField("first_name", required=True),
        FormField("size"),
        FormField("age"),
        FormField("born", "Birthday"),
    ]
    signup = await make_signup(db, workspace, fields=[*fields, FormField("vip")], consent_box=True)
    wrong = {"email": "ann@", "first_name": " ", "size": "XXL", "age": "old", "born": "yesterday"}
    answer = await press(base, signup, **wrong)
    assert answer.status == 422
    body = answer.body.decode()
    for name in wrong:
        assert re.search(rf'id="tidings-{name}"[^>]*aria-invalid="true"', body), name
        assert f'id="tidings-{name}-error"' in body
    assert "We may only write to you if you agree." in body
    assert 'value="yesterday"' in body
    assert letters == []
    good = {"email": "ann@example.com", "first_name": "Ann", "size": "M", "age": "41,5", "born": "1984-02-29"}
    assert (await press(base, signup, **good)).status == 422  # not agreed
    assert (await press(base, signup, **good, consent="on", vip="on")).status == 200
    (kept,) = await asked_for(db)
    assert kept["answers"] == {
        "first_name": "Ann",
        "attributes": {"size": "M", "age": 41.5, "born": "1984-02-29", "vip": True},
    }
    assert "[x] I agree" in kept["wording"]


async def test_hostile_words_stay_words(base: str, db: Database, workspace: int, letters: list[Any]) -> None:
    signup = await make_signup(
        db,
        workspace,
        names=(HOSTILE,),
        title=HOSTILE,
        intro=HOSTILE,
        consent=HOSTILE,
        button=HOSTILE,
        success_text=HOSTILE,
        fields=[FormField("first_name", HOSTILE)],
    )
    async with db.connection() as connection:
        await connection.execute("UPDATE workspaces SET name = $1", HOSTILE)
    pages = [
        await ask(base, signup.path),
        await press(base, signup, email=HOSTILE, first_name=HOSTILE),
        await press(base, signup, email="ann@example.com", first_name=HOSTILE),
    ]
    pages.append(await ask(base, path_of(letters[0])))
    pages.append(await ask(base, path_of(letters[0]), "POST", data={"act": "confirm"}))
    for page in pages:
        assert b"<script" not in page.body
        assert b"default-src 'none'" in page.headers["Content-Security-Policy"].encode()
        assert page.headers["Referrer-Policy"] == "no-referrer"
    # What was typed does not reach whoever owns the address.
    assert letters[0].variables["first_name"] == ""


async def test_a_single_opt_in(base: str, db: Database, workspace: int, letters: list[Any]) -> None:
    signup = await make_signup(
        db, workspace, settings=ListSettings(opt_in=OptIn.SINGLE), fields=[FormField("first_name")]
    )
    assert (await press(base, signup, email="ann@example.com", first_name="Ann")).status == 200
    assert await people(db) == {"ann@example.com": ("active", {signup.lists[0]: "subscribed"})}
    assert letters == []
    async with db.transaction() as tx:
        ann = ContactId(await tx.fetchval("SELECT id FROM contacts"))
        await leaving.unsubscribe(
            tx, workspace=signup.workspace, contacts=[ann], reason="", source="page", now=utc_now()
        )
        # They come back another day.
        await tx.execute("UPDATE consents SET at = at - interval '2 days'")
    assert (await press(base, signup, email="ann@example.com", first_name="Other")).status == 200
    assert (await people(db))["ann@example.com"][0] == "unsubscribed"
    (letter,) = letters
    await ask(base, path_of(letter), "POST", data={"act": "confirm"})
    assert (await people(db))["ann@example.com"] == ("active", {signup.lists[0]: "subscribed"})


async def test_too_late_and_a_new_link(base: str, db: Database, signup: Signup, letters: list[Any]) -> None:
    await press(base, signup, email="ann@example.com")
    async with db.connection() as connection:
        await connection.execute("UPDATE consents SET at = at - interval '8 days', expires_at = now() - interval '1 s'")
    link = path_of(letters[0])
    late = await ask(base, link)
    assert b"This link has expired" in late.body
    assert f'href="../f/{signup.token}"'.encode() in late.body
    assert b"This link has expired" in (await ask(base, link, "POST", data={"act": "confirm"})).body
    assert await people(db) == {}
    for _ in range(3):  # pressed thrice, sent once
        assert b"Look into your mailbox" in (await ask(base, link, "POST", data={"act": "again"})).body
    assert len(letters) == 2
    await ask(base, path_of(letters[1]), "POST", data={"act": "confirm"})
    assert (await people(db))["ann@example.com"][0] == "active"


async def test_it_was_not_me(base: str, db: Database, signup: Signup, letters: list[Any]) -> None:
    await press(base, signup, email="ann@example.com")
    link = path_of(letters[0])
    assert b"All right" in (await ask(base, link, "POST", data={"act": "decline"})).body
    assert b"All right" in (await ask(base, link, "POST", data={"act": "confirm"})).body
    await ask(base, link, "POST", data={"act": "again"})
    assert len(letters) == 1
    assert await people(db) == {}


async def test_limits(
    base: str, db: Database, signup: Signup, letters: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for turn in range(5):
        await press(base, signup, email="ann@example.com")
        async with db.connection() as connection:
            await connection.execute("UPDATE consents SET at = at - interval '1 hour'")
            await connection.execute("UPDATE signup_attempts SET at = at - interval '1 hour'")
        assert len(letters) == min(turn + 1, 3)
    monkeypatch.setattr("tidings.compliance._optin.A_NETWORK_AN_HOUR", 3)
    answers = [await press(base, signup, email=f"p{number}@example.com") for number in range(5)]
    assert [answer.status for answer in answers] == [200] * 3 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert len(letters) == 6
    monkeypatch.setattr("tidings.edge._signing_up._A_MINUTE", 1.0)
    assert {(await ask(base, signup.path, "POST")).status for _ in range(30)} == {200, 422, 429} - {200}


@pytest.mark.parametrize("limit", ["network", "form"])
async def test_no_limit_tells_who_is_refused(
    base: str, db: Database, workspace: int, letters: list[Any], monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """After each of these, as many more get through: whoever was refused or asked before counted like everybody else."""
    if limit == "network":
        monkeypatch.setattr("tidings.compliance._optin.A_NETWORK_AN_HOUR", 2)
    signup = await make_signup(db, workspace, hourly_limit=2 if limit == "form" else 1000)
    async with db.transaction() as tx:
        await suppress_addresses(
            tx,
            workspace=signup.workspace,
            addresses=[ToSuppress("shut@example.com"), ToSuppress("@gone.example")],
            source="x",
            keys=KEYS,
            now=utc_now(),
        )
    for email in ("new@example.com", "new@example.com", "shut@example.com", "anybody@gone.example"):
        async with db.connection() as connection:
            await connection.execute("DELETE FROM signup_attempts")
        answers = [await press(base, signup, email=one) for one in (email, f"1{email}", f"2{email}")]
        assert [answer.status for answer in answers] == [200, 200, 429], email


async def test_no_error_tells_who_is_refused(base: str, db: Database, signup: Signup) -> None:
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM providers")
        await suppress_addresses(
            tx,
            workspace=signup.workspace,
            addresses=[ToSuppress("shut@example.com")],
            source="x",
            keys=KEYS,
            now=utc_now(),
        )
    answers = [await press(base, signup, email=email) for email in ("shut@example.com", "new@example.com")]
    assert [answer.status for answer in answers] == [503, 503]
    assert answers[0].body == answers[1].body
    assert b"provider" not in answers[0].body


async def test_fetch_from_pages_that_may(base: str, db: Database, workspace: int, letters: list[Any]) -> None:
    signup = await make_signup(db, workspace, origins=["https://shop.example.com"], success_text="Danke!")
    allowed, other = {"Origin": "https://shop.example.com"}, {"Origin": "https://evil.example"}
    before = await ask(base, signup.path, "OPTIONS", headers=allowed | {"Access-Control-Request-Method": "POST"})
    assert before.headers["Access-Control-Allow-Origin"] == "https://shop.example.com"
    ticket = await ask(base, signup.path + "/ticket", headers=allowed)
    assert ticket.headers["Access-Control-Allow-Origin"] == "https://shop.example.com"
    made = orjson.loads(ticket.body)
    sent = {"email": "ann@example.com", "ticket": made["ticket"], "wording": made["wording"]}
    again = await ask(base, signup.path, "POST", json=sent | {"wording": ""}, headers=allowed)
    assert (again.status, orjson.loads(again.body)["status"]) == (409, "again")
    wrong = await ask(base, signup.path, "POST", json=sent | {"email": "ann"}, headers=allowed)
    assert (wrong.status, [*orjson.loads(wrong.body)["problems"]]) == (422, ["email"])
    done = await ask(base, signup.path, "POST", json=sent, headers=allowed)
    assert orjson.loads(done.body) == {"status": "ok", "message": "Danke!", "redirect_url": None}
    assert len(letters) == 1
    for path in (signup.path, signup.path + "/ticket"):
        assert "Access-Control-Allow-Origin" not in (await ask(base, path, headers=other)).headers
    page = await ask(base, signup.path)
    assert "frame-ancestors https://shop.example.com" in page.headers["Content-Security-Policy"]


async def test_redirects_and_closed_forms(base: str, db: Database, workspace: int, letters: list[Any]) -> None:
    signup = await make_signup(
        db, workspace, redirect_url="https://acme.example/thanks?a=b", confirmed_url="https://acme.example/in"
    )
    page = await ask(base, signup.path)
    assert "form-action 'self' https://acme.example;" in page.headers["Content-Security-Policy"]
    answer = await press(base, signup, email="ann@example.com")
    assert (answer.status, answer.headers["Location"]) == (303, "https://acme.example/thanks?a=b")
    done = await ask(base, path_of(letters[0]), "POST", data={"act": "confirm"})
    assert (done.status, done.headers["Location"]) == (303, "https://acme.example/in")
    async with db.connection() as connection:
        await connection.execute("UPDATE forms SET active = false")
    assert (await ask(base, signup.path)).status == 410
    assert (await ask(base, signup.path, "POST", data={"email": "bob@example.com"})).status == 410


async def test_languages(base: str, db: Database, signup: Signup, letters: list[Any]) -> None:
    german = {"Accept-Language": "xx, de-CH;q=0.9, en;q=0.5"}
    page = await ask(base, signup.path, headers=german)
    assert b'<html lang="de">' in page.body
    assert "E-Mail-Adresse" in page.body.decode()
    # The answer is in the language that was read, whatever the browser says now.
    answer = await ask(base, signup.path, "POST", data=hidden(page.body) | {"email": "ann@example.com"})
    assert "Sehen Sie in Ihr Postfach" in answer.body.decode()
    assert "darf mir E-Mails schicken" in (await asked_for(db))[0]["wording"]
    assert "Ist das richtig?" in letters[0].text
    assert '<html lang="de">' in (await ask(base, path_of(letters[0]))).body.decode()


async def test_without_a_sender_nobody_is_promised_anything(
    base: str, db: Database, signup: Signup, letters: list[Any]
) -> None:
    async with db.connection() as connection:
        await connection.execute("UPDATE workspaces SET sender_email = ''")
    before = await consent(db)
    assert (await press(base, signup, email="ann@example.com")).status == 503
    assert (await asked_for(db), letters, await consent(db)) == ([], [], before)


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"email=%00%ff", b"{", b"email" * 5000, b"--x\r\n", b"[1]", b'{"email":[[1]]}']
)
async def test_broken_bodies_are_forms_to_be_mended(base: str, db: Database, signup: Signup, body: bytes) -> None:
    for kind in (FORM, "multipart/form-data; boundary=x", "multipart/form-data", "application/json", "text/plain", ""):
        answer = await ask(base, signup.path, "POST", data=body, headers={"Content-Type": kind} if kind else {})
        assert answer.status == 422, (kind, answer.body)
    assert await asked_for(db) == []


async def test_they_choose_which_lists(base: str, db: Database, workspace: int, letters: list[Any]) -> None:
    signup = await make_signup(
        db, workspace, names=("News", "Offers", "Jobs"), choose_lists=True, settings=ListSettings(opt_in=OptIn.SINGLE)
    )
    page = (await ask(base, signup.path)).body.decode()
    assert page.count('type="checkbox"') == 3
    assert "checked" not in page
    none = await press(base, signup, email="ann@example.com")
    assert none.status == 422
    assert b"choose at least one" in none.body
    assert await asked_for(db) == []
    two = [f"list_{one}" for one in signup.lists[1:]]
    data = [
        *hidden((await ask(base, signup.path)).body).items(),
        ("email", "ann@example.com"),
        *(("list", one) for one in two),
    ]
    done = await ask(base, signup.path, "POST", data=data)
    assert done.status == 200
    (kept,) = await asked_for(db)
    assert kept["list_ids"] == signup.lists[1:]
    assert "[ ] News\n[x] Offers\n[x] Jobs" in kept["wording"]
    assert (await people(db))["ann@example.com"][1] == dict.fromkeys(signup.lists[1:], "subscribed")
    foreign = await press(base, signup, email="bob@example.com", list="list_99999")
    assert foreign.status == 422


async def test_people_are_written_to_in_the_language_they_signed_up_in(
    base: str, db: Database, workspace: int, letters: list[Any]
) -> None:
    signup = await make_signup(
        db, workspace, settings=ListSettings(opt_in=OptIn.SINGLE), fields=[FormField("language")]
    )
    for email, typed in (("ann@example.com", ""), ("bob@example.com", "pt-BR")):
        await press(base, signup, email=email, language=typed, headers={"Accept-Language": "de-AT,de"})
    async with db.connection() as connection:
        rows = await connection.fetch("SELECT email, language FROM contacts")
    found = {row["email"]: row["language"] for row in rows}
    assert found == {"ann@example.com": "de", "bob@example.com": "pt-BR"}
