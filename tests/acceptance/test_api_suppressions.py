"""The suppression list: whoever is on it is out, by every door, and comes back only as the law lets them."""

import asyncio
import csv
import io
from pathlib import Path
from typing import Any

import pytest

from api_client import Client
from delivery_world import eventually, world
from tidings import compliance
from tidings.accounts import SYSTEM
from tidings.audience import suppressions
from tidings.audience.states import SuppressionReason
from tidings.audience.suppressions import ToSuppress
from tidings.bootstrap import App
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.db import Database


async def made(api: Client, path: str, body: Any) -> Any:
    answer = await api("POST", path, body)
    assert answer.status in {200, 201}, answer.raw
    return answer.json


async def lists_of(app: App, contact: str) -> dict[int, str]:
    async with app.db.connection() as connection:
        rows = await connection.fetch(
            "SELECT list_id, status::text AS status FROM subscriptions WHERE contact_id = $1",
            int(contact.removeprefix("contact_")),
        )
    return {row["list_id"]: row["status"] for row in rows}


async def test_added_seen_found_and_lifted(api: Client, app: App) -> None:
    news = (await made(api, "/lists", {"name": "News"}))["id"]
    ann = await made(api, "/contacts", {"email": "ann@example.com", "list_ids": [news]})
    body = {
        "emails": ["Ann@Example.com", "nobody@example.com", "ann@example.com"],
        "detail": "by phone",
        "source": "crm",
    }
    done = await made(api, "/suppressions", body)
    assert (done["added"], done["raised"], done["already"]) == (2, 0, 0)
    again = await made(api, "/suppressions", body | {"reason": "bounced"})
    assert (again["added"], again["raised"], again["already"], again["suppressions"]) == (0, 0, 2, done["suppressions"])
    assert (await api("GET", f"/contacts/{ann['id']}")).json["status"] == "unsubscribed"
    page = (await api("GET", "/suppressions")).json
    assert page["total"] == 2
    one = next(item for item in page["items"] if item["email"] == "ann@example.com")
    assert {k: one[k] for k in ("reason", "detail", "source", "list_id")} == {
        "reason": "manual", "detail": "by phone", "source": "crm", "list_id": None,
    }  # fmt: skip
    assert (await api("GET", f"/suppressions/{one['id']}")).json == one
    for query, found in (
        ("email=ANN@example.com", 1), ("email=x@example.com", 0), ("reason=manual", 2), ("reason=bounced", 0),
        ("source=crm", 2), ("source=api", 0), ("since=2040-01-01T00:00:00Z", 0), ("until=2040-01-01T00:00:00Z", 2),
    ):  # fmt: skip
        assert (await api("GET", f"/suppressions?{query}")).json["total"] == found, query
    walked = (await api("GET", "/suppressions?page_size=1")).json
    rest = (await api("GET", f"/suppressions?page_size=1&cursor={walked['next_cursor']}")).json
    assert {i["email"] for i in walked["items"] + rest["items"]} == {"ann@example.com", "nobody@example.com"}
    nothing = await api("POST", "/suppressions/lift", {"suppression_ids": [one["id"]], "reason": "  "})
    assert (nothing.status, nothing.fields) == (422, ["reason"])
    lifted = await made(api, "/suppressions/lift", {"suppression_ids": [one["id"]], "reason": "a mistake"})
    assert lifted["lifted"] == [one]
    back = (await api("GET", f"/contacts/{ann['id']}")).json
    assert (back["status"], back["list_ids"]) == ("active", [news])
    assert (await api("GET", f"/suppressions/{one['id']}")).problem["code"] == "suppression_not_found"
    gone = await api("POST", "/suppressions/lift", {"suppression_ids": [one["id"]], "reason": "a mistake"})
    assert (gone.status, gone.fields) == (422, ["suppression_ids[0]"])
    async with app.db.connection() as connection:
        rows = await connection.fetch(
            "SELECT action, detail FROM audit_entries WHERE action LIKE 'suppression%' ORDER BY id"
        )
    assert [row["action"] for row in rows] == ["suppressions.added", "suppressions.added", "suppression.lifted"]
    assert rows[-1]["detail"] == {"was": "manual", "reason": "a mistake"}


@pytest.mark.parametrize("reason", ["unsubscribed", "complained"])
async def test_who_left_comes_back_by_consent_alone(api: Client, app: App, reason: str) -> None:
    news = (await made(api, "/lists", {"name": "News"}))["id"]
    ann = await made(api, "/contacts", {"email": "ann@example.com", "list_ids": [news]})
    done = await made(api, "/suppressions", {"emails": ["ann@example.com"], "reason": reason})
    ids = [*done["suppressions"].values()]
    refused = await api("POST", "/suppressions/lift", {"suppression_ids": ids, "reason": "we want them"})
    assert (refused.status, refused.problem["code"], refused.fields) == (422, "consent_required", ["consent"])
    assert (await api("GET", f"/contacts/{ann['id']}")).json["status"] == reason
    await made(api, "/suppressions/lift", {"suppression_ids": ids, "reason": "asked", "consent": "card 17, Bonn"})
    back = (await api("GET", f"/contacts/{ann['id']}")).json
    assert (back["status"], back["list_ids"]) == ("active", [])  # what they left stays left
    async with app.db.connection() as connection:
        assert (
            await connection.fetchval("SELECT data->>'consent' FROM events WHERE type = 'resubscribed'")
            == "card 17, Bonn"
        )
        detail = await connection.fetchval("SELECT detail FROM audit_entries WHERE action = 'suppression.lifted'")
    assert detail == {"was": reason, "reason": "asked", "consent": "card 17, Bonn"}


async def test_every_door_onto_a_list_asks(api: Client, app: App) -> None:
    news = (await made(api, "/lists", {"name": "News"}))["id"]
    other = (await made(api, "/lists", {"name": "Other"}))["id"]
    number = int(news.removeprefix("list_"))
    on = await made(api, "/contacts", {"email": "on@example.com", "list_ids": [news, other]})
    off = await made(api, "/contacts", {"email": "off@example.com"})
    moving = await made(api, "/contacts", {"email": "moving@example.com", "list_ids": [news]})
    emails = ["on@example.com", "off@example.com", "new@example.com", "moved@example.com", "row@example.com"]
    done = await made(api, "/suppressions", {"emails": emails, "list_id": news})
    assert done["added"] == 5
    assert (await api("GET", f"/suppressions?list_id={news}")).json["total"] == 5
    assert (await api("GET", "/suppressions")).json["total"] == 0
    assert (await api("GET", f"/contacts/{on['id']}")).json["list_ids"] == [other]
    assert (await api("GET", f"/contacts/{on['id']}")).json["status"] == "active"
    added = await api("POST", f"/lists/{news}/contacts", {"contact_ids": [on["id"], off["id"]]})
    assert added.json == {"added": [], "already": [], "refused": [on["id"], off["id"]]}
    new = await made(api, "/contacts", {"email": "new@example.com", "list_ids": [news, other]})
    assert new["list_ids"] == [other]
    again = await api("POST", f"/lists/{news}/contacts", {"contact_ids": [new["id"]]})
    assert again.json["refused"] == [new["id"]]
    assert (await api("PATCH", f"/contacts/{moving['id']}", {"email": "moved@example.com"})).json["list_ids"] == []
    assert (await lists_of(app, moving["id"])) == {number: "unsubscribed"}
    # Lifted: who was on it is on it again, and who never was is not, but may be.
    ids = done["suppressions"]
    lift = {"suppression_ids": [ids["on@example.com"], ids["off@example.com"], ids["new@example.com"]], "reason": "x"}
    await made(api, "/suppressions/lift", lift)
    assert (await api("GET", f"/contacts/{on['id']}")).json["list_ids"] == [news, other]
    assert number not in await lists_of(app, off["id"])
    added = await api("POST", f"/lists/{news}/contacts", {"contact_ids": [off["id"], new["id"]]})
    assert added.json["added"] == [off["id"], new["id"]]


async def test_leaving_everything_makes_a_lists_suppression_their_own(api: Client) -> None:
    news = (await made(api, "/lists", {"name": "News"}))["id"]
    ann = await made(api, "/contacts", {"email": "ann@example.com", "list_ids": [news]})
    done = await made(api, "/suppressions", {"emails": ["ann@example.com"], "list_id": news})
    assert (await api("POST", f"/contacts/{ann['id']}/unsubscribe")).status == 200
    ids = [*done["suppressions"].values()]
    assert (await api("POST", "/suppressions/lift", {"suppression_ids": ids, "reason": "x"})).status == 422
    await made(api, "/suppressions/lift", {"suppression_ids": ids, "reason": "x", "consent": "y"})
    assert (await api("GET", f"/contacts/{ann['id']}")).json["list_ids"] == []


async def test_an_erased_address_is_kept_out_and_not_shown(api: Client) -> None:
    await made(api, "/suppressions", {"emails": ["ann@example.com"], "reason": "complained", "detail": "Ann said no"})
    assert (await made(api, "/suppressions/forget", {"emails": ["ANN@example.com"]})) == {"forgotten": 1}
    found = (await api("GET", "/suppressions?email=ann@example.com")).json["items"]
    assert [(one["email"], one["detail"], one["reason"]) for one in found] == [(None, "", "complained")]
    assert (await made(api, "/contacts", {"email": "ann@example.com"}))["status"] == "complained"


async def test_broken_addresses_change_nothing(api: Client) -> None:
    answer = await api("POST", "/suppressions", {"emails": ["a@example.com", "nonsense", "b@@example.com"]})
    assert (answer.status, answer.fields) == (422, ["emails[1]", "emails[2]"])
    no_list = await api("POST", "/suppressions", {"emails": ["a@example.com"], "list_id": "list_99"})
    assert (no_list.status, no_list.fields) == (422, ["list_id"])
    assert (await api("GET", "/suppressions")).json["total"] == 0


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
async def test_a_file_is_taken_row_by_row(api: Client, delimiter: str) -> None:
    ann = await made(api, "/contacts", {"email": "ann@example.com"})
    rows = [
        ["Name", "E-Mail", "Reason", "Note"],
        ["Ann", " Ann@example.com", "", 'said "no",\nloudly'],
        ["Bob", "bob@example.com", "complained", ""],
        ["Bad", "nonsense", "", ""],
        ["Eve", "eve@example.com", "whim", ""],
        ["", "", "", ""],
        ["Ann", "ann@example.com", "", ""],
        ["X"],
    ]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    answer = await api(
        "POST", "/suppressions/import", b"\xef\xbb\xbf" + text.getvalue().encode(), Content_Type="text/csv"
    )
    assert answer.status == 200, answer
    told = answer.json
    assert {k: v for k, v in told.items() if k != "problems"} == {
        "total": 6, "added": 2, "raised": 0, "already": 0, "repeated": 1, "rejected": 3,
    }  # fmt: skip
    assert [(p["line"], p["field"], p["value"]) for p in told["problems"]] == [
        (5, "email", "nonsense"), (6, "reason", "whim"), (9, "email", ""),
    ]  # fmt: skip
    assert (await api("GET", f"/contacts/{ann['id']}")).json["status"] == "unsubscribed"
    assert (await api("GET", "/suppressions?reason=complained")).json["items"][0]["email"] == "bob@example.com"
    wrong = await api("POST", "/suppressions/import?list_id=list_99", b"a@example.com", Content_Type="text/plain")
    assert (wrong.status, wrong.fields) == (422, ["list_id"])
    assert (await api("POST", "/suppressions/import", b"{}", Content_Type="application/json")).status == 415


async def test_plain_lines_are_enough(api: Client) -> None:
    body = b"a@example.com\r\nb@example.com\n\n\xff@example.com\n"
    told = (await api("POST", "/suppressions/import?reason=bounced", body, Content_Type="text/plain")).json
    assert (told["total"], told["added"], told["rejected"]) == (3, 2, 1)
    assert (await api("GET", "/suppressions?reason=bounced")).json["total"] == 2


async def test_nothing_goes_out_after_the_answer_in_the_middle_of_a_send(db: Database, tmp_path: Path) -> None:
    """As the API does it: commit, barrier, answer. Everywhere, and on the list that the send goes to."""
    async with world(db, tmp_path, chunk_size=50) as w:
        w.server.delay_seconds = 0.03
        emails = [f"a{n}@example.com" for n in range(400)]
        await w.contacts(*emails)
        campaign = await w.campaign()
        await w.launch(campaign)

        async def sent() -> int:
            return len(w.server.accepted)

        await eventually(sent, lambda n: n > 20)
        victims = [e for e in emails if e not in w.server.recipients]
        for some, list_id in ((victims[::3], None), (victims[1::3], w.newsletter)):
            async with db.transaction() as tx:
                done = await suppressions.suppress_addresses(
                    tx,
                    workspace=w.workspace,
                    addresses=[ToSuppress(email) for email in some],
                    list=list_id,
                    source="test",
                    keys=w.app.keys,
                    now=utc_now(),
                )
            await compliance.withdraw_barrier(w.app.withdrawals, workspace=w.workspace, contacts=done.withdrawn)
            answered = asyncio.get_running_loop().time()
            assert len(done.withdrawn) == len(some)
            await asyncio.sleep(0.3)
            late = [a.recipient for a in w.server.accepted if a.recipient in some and a.began > answered]
            assert late == []
        w.server.delay_seconds = 0
        await w.until(campaign, CampaignStatus.SENT, 60)
        out = set(victims[::3]) | set(victims[1::3])
        states = await w.states()
        kept_out = {email for email in out if states[email][0] == "skipped"}
        assert len(kept_out) > 100
        assert kept_out.isdisjoint(w.server.recipients)
        assert {states[email][1] for email in kept_out} <= {"suppressed:manual", "left_list", "status:unsubscribed"}
        await w.check_counters()


async def test_suppressing_while_people_are_put_on_the_list(api: Client, app: App) -> None:
    """Whoever wins, the address ends up off the list."""
    news = (await made(api, "/lists", {"name": "News"}))["id"]
    number = int(news.removeprefix("list_"))
    emails = [f"p{n}@example.com" for n in range(40)]

    async def suppress(email: str) -> None:
        await made(api, "/suppressions", {"emails": [email], "list_id": news})

    async def create(email: str) -> str:
        return (await made(api, "/contacts", {"email": email, "list_ids": [news]}))["id"]

    done = await asyncio.gather(*(work(email) for email in emails for work in (suppress, create)))
    for contact in done[1::2]:
        assert (await lists_of(app, contact)).get(number) != "subscribed"


async def test_reasons_keep_their_order(db: Database, workspace: Any, app: App) -> None:
    async with db.transaction() as tx:
        for reason, outcome in ((SuppressionReason.BOUNCED, "added"), (SuppressionReason.COMPLAINED, "raised"),
                                (SuppressionReason.MANUAL, "already")):  # fmt: skip
            done = await suppressions.suppress_addresses(
                tx, workspace=workspace, addresses=[ToSuppress("a@example.com", reason)], source="x", keys=app.keys,
                now=utc_now(),
            )  # fmt: skip
            assert getattr(done, outcome) == 1
        assert SYSTEM(workspace).actor == "system"
