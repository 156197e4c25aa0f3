"""Campaigns over HTTP: what a person can do with one, and what they are told when they cannot."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from api_client import Client
from tidings.bootstrap import App
from tidings.core.clock import utc_now


async def _ready(api: Client) -> dict[str, Any]:
    """A workspace in which a campaign can be made; what a campaign needs."""
    await api("POST", "/providers", {"name": "dry", "kind": "sandbox"})
    newsletter = (await api("POST", "/lists", {"name": "News"})).json["id"]
    made = await api("POST", "/contacts", {"email": "ada@example.com", "list_ids": [newsletter]})
    assert made.status == 201, made.json
    template = await api(
        "POST", "/templates", {"name": "News", "subject": "Hello", "html_content": "<p>Hello {{ first_name }}</p>"}
    )
    return {
        "name": "May",
        "subject": "Hello {{ first_name }}",
        "template_id": template.json["id"],
        "sender_email": "News@Example.ORG",
        "sender_name": "News",
        "contact_list_ids": [newsletter],
    }


async def test_a_draft_is_made_changed_copied_and_deleted(api: Client) -> None:
    wanted = await _ready(api)
    made = await api("POST", "/campaigns", wanted)
    assert made.status == 201
    campaign = made.json
    assert campaign["status"] == "draft"
    assert campaign["sender_email"] == "news@example.org"
    path = f"/campaigns/{campaign['id']}"
    for method in ("PATCH", "PUT"):
        changed = await api(method, path, {"name": f"by {method}"})
        assert changed.json["name"] == f"by {method}"
        assert changed.json["subject"] == wanted["subject"]
    copy = await api("POST", f"{path}/duplicate")
    assert copy.status == 201
    assert copy.json["name"] == "by PUT (copy)"
    listed = await api("GET", "/campaigns?page=1&page_size=1")
    assert [one["id"] for one in listed.json["items"]] == [copy.json["id"]]
    assert listed.json["total"] == 2
    rest = await api("GET", f"/campaigns?page_size=1&cursor={listed.json['next_cursor']}")
    assert [one["id"] for one in rest.json["items"]] == [campaign["id"]]
    assert (await api("DELETE", path)).status == 204
    assert (await api("GET", path)).status == 404


async def test_sending_freezes_it_and_illegal_moves_name_the_state(api: Client) -> None:
    campaign = (await api("POST", "/campaigns", await _ready(api))).json
    path = f"/campaigns/{campaign['id']}"
    for act in ("pause", "resume"):
        refused = await api("POST", f"{path}/{act}")
        assert refused.status == 409
        assert "draft" in refused.problem["detail"]
    sent = await api("POST", f"{path}/send")
    assert (sent.status, sent.json["status"]) == (200, "sending")
    for method, tail, body in (("POST", "/send", None), ("PATCH", "", {"name": "x"}), ("DELETE", "", None)):
        refused = await api(method, path + tail, body)
        assert refused.status == 409
        assert "sending" in refused.problem["detail"]
    paused = await api("POST", f"{path}/pause")
    assert paused.json["status"] == "paused"
    assert (await api("POST", f"{path}/pause")).status == 409
    assert (await api("POST", f"{path}/resume")).json["status"] == "sending"
    assert (await api("POST", f"{path}/cancel")).json["status"] == "cancelled"
    refused = await api("POST", f"{path}/resume")
    assert refused.status == 409
    assert "cancelled" in refused.problem["detail"]


async def test_sending_twice_with_one_key_sends_once(api: Client) -> None:
    campaign = (await api("POST", "/campaigns", await _ready(api))).json
    first = await api("POST", f"/campaigns/{campaign['id']}/send", Idempotency_Key="k1")
    second = await api("POST", f"/campaigns/{campaign['id']}/send", Idempotency_Key="k1")
    assert (first.status, second.status) == (200, 200)
    assert first.json == second.json


async def test_a_schedule_is_kept_changed_and_taken_back(api: Client) -> None:
    wanted = await _ready(api)
    await api("PATCH", "/workspaces/current", {"postal_address": "1 Main Street"})
    when = (utc_now() + timedelta(hours=2)).isoformat()
    made = await api("POST", "/campaigns", wanted | {"schedule_time": when})
    assert made.status == 201, made.json
    assert made.json["status"] == "scheduled"
    path = f"/campaigns/{made.json['id']}"
    renamed = await api("PATCH", path, {"name": "Later"})
    assert (renamed.json["status"], renamed.json["name"]) == ("scheduled", "Later")
    unscheduled = await api("PATCH", path, {"schedule_time": None})
    assert (unscheduled.json["status"], unscheduled.json["schedule_time"]) == ("draft", None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"template_id": "template_999"}, "template_id"),
        ({"contact_list_ids": ["list_999"]}, "contact_list_ids[0]"),
        ({"exclude_list_ids": ["list_999"]}, "exclude_list_ids[0]"),
        ({"provider_id": "provider_999"}, "provider_id"),
        ({"sender_email": "nobody"}, "sender_email"),
        ({"reply_to": "nobody@"}, "reply_to"),
        ({"subject": "{{ broken"}, "subject"),
        ({"subject": "two\nlines"}, "subject"),
        ({"sender_name": "x\r\nBcc: everyone@example.com"}, "sender_name"),
        ({"name": "   "}, "name"),
        ({"contact_list_ids": []}, "contact_list_ids"),
        ({"schedule_time": "2020-01-01T00:00:00Z"}, "schedule_time"),
        ({"schedule_time": "2090-01-01T00:00:00Z"}, "schedule_time"),
        ({"schedule_time": "2026-12-01T10:00:00"}, "schedule_time"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_written(api: Client, change: dict[str, Any], field: str) -> None:
    wanted = await _ready(api)
    refused = await api("POST", "/campaigns", wanted | change)
    assert refused.status == 422, refused.json
    assert field in refused.fields
    assert (await api("GET", "/campaigns")).json["total"] == 0


async def test_a_time_without_its_offset_is_told_how_to_say_it(api: Client) -> None:
    wanted = await _ready(api)
    campaign = (await api("POST", "/campaigns", wanted)).json
    naive = {"schedule_time": "2030-01-01T09:00:00"}
    for refused in (
        await api("POST", "/campaigns", wanted | naive),
        await api("PATCH", f"/campaigns/{campaign['id']}", naive),
    ):
        assert refused.status == 422
        (error,) = refused.problem["errors"]
        assert error == {
            "field": "schedule_time",
            "message": "must say its offset from UTC, such as 2030-01-01T09:00:00+01:00",
        }


async def test_what_is_missing_for_a_send_is_named(api: Client, stranger: Client) -> None:
    template = await stranger("POST", "/templates", {"name": "a", "subject": "b", "html_content": "<p>c</p>"})
    empty = await stranger("POST", "/lists", {"name": "Empty"})
    await stranger("PATCH", "/workspaces/current", {"postal_address": ""})
    made = await stranger(
        "POST",
        "/campaigns",
        {
            "name": "May",
            "template_id": template.json["id"],
            "sender_email": "a@example.org",
            "contact_list_ids": [empty.json["id"]],
        },
    )
    refused = await stranger("POST", f"/campaigns/{made.json['id']}/send")
    assert refused.status == 409
    assert refused.problem["code"] == "not_ready"
    assert set(refused.fields) == {"workspace.postal_address", "provider_id", "contact_list_ids"}


async def test_a_list_and_a_template_in_use_stay(api: Client) -> None:
    wanted = await _ready(api)
    campaign = (await api("POST", "/campaigns", wanted)).json
    for path in (f"/lists/{wanted['contact_list_ids'][0]}", f"/templates/{wanted['template_id']}"):
        refused = await api("DELETE", path)
        assert refused.status == 409
        assert campaign["id"] in refused.problem["detail"]
    await api("POST", f"/campaigns/{campaign['id']}/cancel")
    for path in (f"/lists/{wanted['contact_list_ids'][0]}", f"/templates/{wanted['template_id']}"):
        assert (await api("DELETE", path)).status == 204


async def test_a_copy_whose_template_is_gone_says_so(api: Client) -> None:
    wanted = await _ready(api)
    campaign = (await api("POST", "/campaigns", wanted)).json
    await api("POST", f"/campaigns/{campaign['id']}/cancel")
    assert (await api("DELETE", f"/templates/{wanted['template_id']}")).status == 204
    copy = (await api("POST", f"/campaigns/{campaign['id']}/duplicate")).json
    refused = await api("POST", f"/campaigns/{copy['id']}/send")
    assert (refused.status, refused.problem["code"]) == (409, "not_ready")
    assert "template_id" in refused.fields


async def test_reports_of_a_campaign_that_was_not_sent_are_zeros(api: Client) -> None:
    campaign = (await api("POST", "/campaigns", await _ready(api))).json
    analytics = (await api("GET", f"/campaigns/{campaign['id']}/analytics")).json
    assert set(analytics["counts"].values()) == {0}
    assert set(analytics["rates"].values()) == {0.0}
    realtime = (await api("GET", f"/campaigns/{campaign['id']}/stats/realtime")).json
    assert (realtime["messages_per_second"], realtime["seconds_left"]) == (0.0, None)


async def test_realtime_tells_the_recent_speed_and_only_while_sending(api: Client, app: App) -> None:
    campaign = (await api("POST", "/campaigns", await _ready(api))).json
    number = int(campaign["id"].removeprefix("campaign_"))

    async def look(sent: int, status: str = "sending") -> Any:
        async with app.db.transaction() as tx:
            await tx.execute(
                """INSERT INTO sends (workspace_id, id, campaign_id, provider_id, list_ids, status, recipients, created_at)
                   SELECT workspace_id, 5, $1, id, '{1}', 'running', 3000, now() FROM providers ON CONFLICT DO NOTHING""",
                number,
            )
            await tx.execute("DELETE FROM send_counters")
            await tx.execute(
                """INSERT INTO send_counters (workspace_id, send_id, writer, delivered, pending)
                   VALUES ($1, 5, 0, $2::integer, 3000 - $2::integer)""",
                api.workspace,
                sent,
            )
            await tx.execute(
                """UPDATE campaigns SET send_id = 5, status = $2::text::campaign_status, started_at = now() - interval '100 s'
                   WHERE id = $1""",
                number,
                status,
            )
        return (await api("GET", f"/campaigns/{campaign['id']}/stats/realtime")).json

    first = await look(1000)
    assert 9.5 <= first["messages_per_second"] <= 10.0  # since the start
    assert (first["percent"], round(first["seconds_left"], 1)) == (33.3, first["seconds_left"])
    await asyncio.sleep(1.1)
    second = await look(1500)
    assert 250 < second["messages_per_second"] <= 500  # since the look before
    assert 3 <= second["seconds_left"] < 6
    assert (await look(2999))["percent"] == 99.9
    for status in ("paused", "sent"):
        still = await look(2000, status)
        assert (still["messages_per_second"], still["seconds_left"], still["percent"]) == (0.0, None, 66.7)


async def test_the_archive_has_an_address(api: Client) -> None:
    whole = (await api("GET", "/campaigns/archive")).json
    assert whole["feed_url"] == whole["url"] + "/feed.xml"
    made = (await api("POST", "/lists", {"name": "Archived"})).json
    of_list = (await api("GET", f"/campaigns/archive?list_id={made['id']}")).json
    assert of_list["url"] != whole["url"]
    assert (await api("GET", "/campaigns/archive?list_id=list_99999")).status == 404
