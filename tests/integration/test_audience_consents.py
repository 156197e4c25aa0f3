"""Signing up: nothing is believed before the owner of the address confirms it, and then it brings back whoever left."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidings.accounts import SYSTEM
from tidings.audience import consents, contacts, leaving, recipients
from tidings.audience.consents import ConsentRefused, ConsentState, Proof, Verdict
from tidings.audience.fields import ContactFields
from tidings.audience.lists import ListSettings, OptIn, create_list, delete_list
from tidings.core.crypto import Keyring
from tidings.core.db import Database, Tx, sql
from tidings.core.ids import ConsentId, ContactId, FormId, ListId, WorkspaceId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
KEYS = Keyring("for tests only")
PROOF = Proof(
    source="form", wording="Yes, mail me", ip="192.0.2.1", network="192.0.2.1", user_agent="UA\0", language="en"
)


async def new_list(tx: Tx, workspace: WorkspaceId, name: str = "News", **settings: Any) -> ListId:
    made = await create_list(
        tx, workspace=workspace, name=name, settings=ListSettings(**settings), by=SYSTEM(workspace), now=NOW
    )
    return made.id


async def new_contact(tx: Tx, workspace: WorkspaceId, email: str, *lists: ListId) -> ContactId:
    fields = ContactFields(email=email, first_name="Ann", attributes={"a": 1})
    made = await contacts.create_contact(
        tx, workspace=workspace, fields=fields, lists=lists, keys=KEYS, by=SYSTEM(workspace), now=NOW
    )
    return made.id


async def ask(
    tx: Tx, workspace: WorkspaceId, email: str, *lists: ListId, now: datetime = NOW, **answers: Any
) -> ConsentId:
    known = await consents.standing(tx, workspace=workspace, email=email, lists=lists, keys=KEYS)
    return await consents.ask_consent(
        tx,
        workspace=workspace,
        email=email,
        lists=lists,
        answers=ContactFields(**answers),
        proof=PROOF,
        expires_at=now + WEEK,
        contact=known.contact,
        now=now,
    )


async def confirm(
    tx: Tx, workspace: WorkspaceId, consent: ConsentId, now: datetime = NOW + timedelta(hours=1)
) -> consents.Confirmation:
    return await consents.confirm_consent(
        tx, workspace=workspace, consent=consent, ip="198.51.100.7", user_agent="Phone", keys=KEYS, now=now
    )


async def leave(tx: Tx, workspace: WorkspaceId, contact: ContactId) -> None:
    await leaving.unsubscribe(tx, workspace=workspace, contacts=[contact], reason="", source="page", now=NOW)


async def status(tx: Tx, email: str) -> tuple[str, dict[int, str]] | None:
    row = await tx.fetchrow("SELECT id, status::text FROM contacts WHERE email = $1", email)
    if row is None:
        return None
    rows = await tx.fetch("SELECT list_id, status::text FROM subscriptions WHERE contact_id = $1", row["id"])
    return row["status"], {r["list_id"]: r["status"] for r in rows}


async def facts(tx: Tx) -> list[tuple[str, Any]]:
    return [(row["type"], row["data"]) for row in await tx.fetch("SELECT type, data FROM events ORDER BY id")]


async def test_a_stranger_is_no_contact_before_confirming(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        news = await new_list(tx, workspace)
        asked = await ask(tx, workspace, "ann@example.com", news, first_name="Ann", attributes={"size": "M"})
        assert await status(tx, "ann@example.com") is None
        done = await confirm(tx, workspace, asked)
        assert (done.verdict, done.consent.state(NOW)) == (Verdict.CONFIRMED, ConsentState.GIVEN)
        assert await status(tx, "ann@example.com") == ("active", {news: "subscribed"})
        row = await tx.fetchrow("SELECT first_name, attributes, id FROM contacts")
        assert row is not None
        assert (row["first_name"], row["attributes"]) == ("Ann", {"size": "M"})
        (proof,) = await consents.contact_consents(tx, workspace=workspace, contact=ContactId(row["id"]))
        assert (proof.wording, proof.ip, proof.user_agent, proof.at) == ("Yes, mail me", "192.0.2.1", "UA", NOW)
        assert (proof.confirm_ip, proof.confirm_user_agent) == ("198.51.100.7", "Phone")
        assert proof.confirmed_at == NOW + timedelta(hours=1)
        assert await facts(tx) == [("subscribed", {"lists": [f"list_{news}"], "source": "form"})]
        assert (await confirm(tx, workspace, asked)).verdict is Verdict.ALREADY
        assert len(await facts(tx)) == 1


async def test_a_known_contact_is_changed_only_by_confirming(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        news, offers = await new_list(tx, workspace), await new_list(tx, workspace, "Offers")
        await new_contact(tx, workspace, "ann@example.com", news)
        asked = await ask(tx, workspace, "ann@example.com", news, offers, first_name="Anna", attributes={"b": 2})
        assert await status(tx, "ann@example.com") == ("active", {news: "subscribed", offers: "pending"})
        assert await tx.fetchval("SELECT first_name FROM contacts") == "Ann"
        await confirm(tx, workspace, asked)
        assert await status(tx, "ann@example.com") == ("active", {news: "subscribed", offers: "subscribed"})
        row = await tx.fetchrow("SELECT first_name, attributes FROM contacts")
        assert row is not None
        assert (row["first_name"], row["attributes"]) == ("Anna", {"a": 1, "b": 2})


async def test_pending_people_are_in_no_audience(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        news, offers = await new_list(tx, workspace), await new_list(tx, workspace, "Offers")
        await new_contact(tx, workspace, "ann@example.com", news)
        await ask(tx, workspace, "ann@example.com", offers)
        await ask(tx, workspace, "new@example.com", offers)
        whom = recipients.Audience(lists=(offers,))
        assert not await recipients.anyone(tx, workspace=workspace, audience=whom, now=NOW)


async def test_too_late_is_too_late(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        news = await new_list(tx, workspace)
        asked = await ask(tx, workspace, "ann@example.com", news)
        assert (await confirm(tx, workspace, asked, NOW + WEEK)).verdict is Verdict.EXPIRED
        assert await status(tx, "ann@example.com") is None
        assert (await confirm(tx, workspace, asked, NOW + WEEK - timedelta(seconds=1))).verdict is Verdict.CONFIRMED


async def test_it_was_not_me(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        news, offers = await new_list(tx, workspace), await new_list(tx, workspace, "Offers")
        await new_contact(tx, workspace, "ann@example.com", news)
        first, second = [await ask(tx, workspace, "ann@example.com", offers) for _ in range(2)]
        await consents.decline_consent(tx, workspace=workspace, consent=second, now=NOW)
        for asked in (first, second):
            assert (await confirm(tx, workspace, asked)).verdict is Verdict.EXPIRED
        assert await status(tx, "ann@example.com") == ("active", {news: "subscribed"})


async def test_who_left_comes_back_by_confirming_only(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        news, offers = await new_list(tx, workspace), await new_list(tx, workspace, "Offers")
        ann = await new_contact(tx, workspace, "ann@example.com", news, offers)
        await leave(tx, workspace, ann)
        known = await consents.standing(tx, workspace=workspace, email="ann@example.com", lists=[news], keys=KEYS)
        assert known.out
        assert not known.forbidden
        with pytest.raises(ConsentRefused):
            await consents.admit(
                tx,
                workspace=workspace,
                email="ann@example.com",
                lists=[news],
                answers=ContactFields(),
                known=known,
                source="form",
                keys=KEYS,
                now=NOW,
            )
        asked = await ask(tx, workspace, "ann@example.com", news)
        assert await status(tx, "ann@example.com") == ("unsubscribed", {news: "unsubscribed", offers: "unsubscribed"})
        await confirm(tx, workspace, asked)
        assert await status(tx, "ann@example.com") == ("active", {news: "subscribed", offers: "unsubscribed"})
        assert await tx.fetchval("SELECT count(*) FROM suppressions") == 0
        assert (await facts(tx))[-1] == (
            "resubscribed",
            {"lists": [f"list_{news}"], "source": "form", "lifted": "unsubscribed"},
        )


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        ("bounced", Verdict.CONFIRMED),
        ("unsubscribed", Verdict.CONFIRMED),
        ("manual", Verdict.REFUSED),
        ("complained", Verdict.REFUSED),
    ],
)
async def test_what_confirming_lifts(db: Database, workspace: WorkspaceId, reason: Any, verdict: Verdict) -> None:
    async with db.transaction() as tx:
        news = await new_list(tx, workspace)
        ann = await new_contact(tx, workspace, "ann@example.com", news)
        await leaving.suppress(tx, workspace=workspace, contacts=[(ann, "")], reason=reason, source="bounce", now=NOW)
        known = await consents.standing(tx, workspace=workspace, email="ann@example.com", lists=[news], keys=KEYS)
        assert known.forbidden == (verdict is Verdict.REFUSED)
        before = await status(tx, "ann@example.com")
        asked = await ask(tx, workspace, "ann@example.com", news)
        assert (await confirm(tx, workspace, asked)).verdict is verdict
        lifted = ("active", {news: "subscribed"})
        assert await status(tx, "ann@example.com") == (lifted if verdict is Verdict.CONFIRMED else before)


async def test_confirming_any_number_of_times_at_once_counts_once(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        news = await new_list(tx, workspace)
        asked = await ask(tx, workspace, "ann@example.com", news)

    async def press() -> Verdict:
        async with db.transaction() as tx:
            return (await confirm(tx, workspace, asked)).verdict

    verdicts = await asyncio.gather(*(press() for _ in range(5)))
    assert sorted(verdicts) == [Verdict.ALREADY] * 4 + [Verdict.CONFIRMED]
    async with db.connection() as connection:
        assert len(await facts(connection)) == 1


async def test_two_consents_of_one_new_address_confirmed_at_once(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        lists = [await new_list(tx, workspace, name) for name in "ABCD"]
        asked = [await ask(tx, workspace, "ann@example.com", one) for one in lists]

    async def press(consent: ConsentId) -> None:
        async with db.transaction() as tx:
            await confirm(tx, workspace, consent)

    await asyncio.gather(*map(press, asked))
    async with db.connection() as connection:
        assert await status(connection, "ann@example.com") == ("active", dict.fromkeys(lists, "subscribed"))


async def test_confirming_while_leaving_ends_as_the_later_of_the_two(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        news = await new_list(tx, workspace)
        ann = await new_contact(tx, workspace, "ann@example.com", news)
        await leave(tx, workspace, ann)
    for turn in range(10):
        async with db.transaction() as tx:
            asked = await ask(tx, workspace, "ann@example.com", news)

        async def press(asked: ConsentId = asked) -> None:
            async with db.transaction() as tx:
                await confirm(tx, workspace, asked)

        async def go() -> None:
            async with db.transaction() as tx:
                await leave(tx, workspace, ann)

        await asyncio.gather(*((press(), go()) if turn % 2 else (go(), press())))
        async with db.connection() as connection:
            state = await status(connection, "ann@example.com")
            suppressed = await connection.fetchval("SELECT count(*) FROM suppressions")
        assert (state, suppressed) in [
            (("active", {news: "subscribed"}), 0),
            (("unsubscribed", {news: "unsubscribed"}), 1),
        ]


async def test_lists_deleted_meanwhile_are_left_out(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        news, offers = await new_list(tx, workspace), await new_list(tx, workspace, "Offers")
        asked = await ask(tx, workspace, "ann@example.com", news, offers)
        await delete_list(tx, workspace=workspace, list=news, by=SYSTEM(workspace), now=NOW)
        assert (await confirm(tx, workspace, asked)).verdict is Verdict.CONFIRMED
        assert await status(tx, "ann@example.com") == ("active", {offers: "subscribed"})


async def test_what_nobody_confirmed_is_forgotten(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        news, offers = await new_list(tx, workspace), await new_list(tx, workspace, "Offers")
        await new_contact(tx, workspace, "ann@example.com", news)
        await ask(tx, workspace, "ann@example.com", offers)
        await ask(tx, workspace, "new@example.com", news)
        given = await ask(tx, workspace, "bob@example.com", news)
        await confirm(tx, workspace, given)
        assert await consents.forget_unconfirmed(tx, now=NOW + WEEK + timedelta(days=30)) == 0
        assert await consents.forget_unconfirmed(tx, now=NOW + WEEK + timedelta(days=30, seconds=1)) == 2
        assert await status(tx, "ann@example.com") == ("active", {news: "subscribed"})
        assert await tx.fetch("SELECT email FROM consents") == [("bob@example.com",)]


async def test_erasing_a_contact_erases_its_consents(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        news = await new_list(tx, workspace, opt_in=OptIn.SINGLE)
        await confirm(tx, workspace, await ask(tx, workspace, "ann@example.com", news))
        contact = ContactId(await tx.fetchval("SELECT id FROM contacts"))
        await contacts.delete_contact(tx, workspace=workspace, contact=contact, by=SYSTEM(workspace), now=NOW)
        assert await tx.fetchval("SELECT count(*) FROM consents") == 0


async def test_limits_are_counted_by_index_whatever_was_kept(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO consents (workspace_id, email, list_ids, source, form_id, wording, network, at, expires_at, confirmed_at)
               SELECT $1, 'a' || i % 5000 || '@example.com', '{1}', 'form', 1 + i % 3, '', '192.0.2.' || i % 200,
                      $2::timestamptz - i * interval '10 s', $2, CASE WHEN i % 100 > 0 THEN $2::timestamptz END
               FROM generate_series(1, 40000) AS i""",
            workspace,
            NOW,
        )
        await tx.execute(
            """INSERT INTO signup_attempts (workspace_id, form_id, network, at)
               SELECT workspace_id, form_id, network, at FROM consents"""
        )
        await tx.execute("ANALYZE consents, signup_attempts")
        statement = sql("tidings.audience.consents", "_recent")
        rows = await tx.fetch(
            f"EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) {statement}",
            workspace,
            "a7@example.com",
            "192.0.2.7",
            1,
            NOW,
            50,
        )
        told = "\n".join(row[0] for row in rows)
        assert "Seq Scan" not in told, told
        for index in ("consents_by_email", "signup_attempts_by_network", "signup_attempts_by_form"):
            assert index in told, told
        recent = await consents.recent_consents(
            tx, workspace=workspace, email="a7@example.com", network="192.0.2.7", form=FormId(1), most=50, now=NOW
        )
        assert (recent.address, recent.network, recent.form) == (2, 3, 50)  # with the attempt explained above
        assert recent.last_at == NOW - timedelta(seconds=70)


async def test_consents_by_state_are_what_each_says_of_itself(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        news, offers = await new_list(tx, workspace), await new_list(tx, workspace, "Offers")
        await ask(tx, workspace, "pending@example.com", news)
        await ask(tx, workspace, "late@example.com", offers, now=NOW - 2 * WEEK)
        await consents.decline_consent(
            tx, workspace=workspace, consent=await ask(tx, workspace, "not@example.com", news), now=NOW
        )
        await confirm(tx, workspace, await ask(tx, workspace, "given@example.com", news, offers))

        async def found(**wanted: Any) -> list[str]:
            page = await consents.list_consents(tx, workspace=workspace, limit=10, now=NOW, **wanted)
            return [one.email.partition("@")[0] for one in page]

        everybody = await consents.list_consents(tx, workspace=workspace, limit=10, now=NOW)
        for state in ConsentState:
            assert await found(state=state) == [
                one.email.partition("@")[0] for one in everybody if one.state(NOW) is state
            ]
            assert len(await found(state=state)) == 1
        assert await found(list=offers) == ["given", "late"]
        assert await found(list=news, state=ConsentState.PENDING, email="pending@example.com") == ["pending"]
        assert await found(form=FormId(1)) == []
        assert await found(before=everybody[1].id) == ["late", "pending"]


@pytest.mark.parametrize("obstacle", ["deleted", "shut out"])
async def test_with_no_list_to_come_on_nobody_comes_back(db: Database, workspace: WorkspaceId, obstacle: str) -> None:
    async with db.transaction() as tx:
        news, offers = await new_list(tx, workspace), await new_list(tx, workspace, "Offers")
        ann = await new_contact(tx, workspace, "ann@example.com", news)
        await leave(tx, workspace, ann)
        asked = await ask(tx, workspace, "ann@example.com", offers)
        if obstacle == "deleted":
            await tx.execute("DELETE FROM lists WHERE id = $1", offers)
        else:
            await tx.execute(
                """INSERT INTO list_suppressions (workspace_id, list_id, address_hash, reason, created_at)
                   SELECT $1, $2, address_hash, 'manual', now() FROM contacts WHERE id = $3""",
                workspace,
                offers,
                ann,
            )
        await confirm(tx, workspace, asked)
        assert (await status(tx, "ann@example.com") or ("", {}))[0] == "unsubscribed"
        assert await tx.fetchval("SELECT count(*) FROM suppressions") == 1
