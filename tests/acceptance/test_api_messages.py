"""Messages to single recipients over real HTTP; and `kill -9` of the send worker with messages in flight."""

import asyncio
import base64
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import aiohttp

from api_client import Client
from running_system import running_system
from tidings import accounts
from tidings.bench._campaign import prepare
from tidings.core.clock import utc_now

MESSAGE: dict[str, Any] = {
    "to": "Ada@Example.com",
    "subject": "Order {{ number }}",
    "text_content": "Thank you, {{ first_name }}",
    "variables": {"number": 7, "first_name": "Ada"},
    "sender_email": "shop@example.com",
}


async def test_queue_look_up_and_list(api: Client, stranger: Client) -> None:
    await api("POST", "/providers", {"name": "S", "kind": "sandbox", "is_default": True})
    contact = (await api("POST", "/contacts", {"email": "ada@example.com"})).json["id"]
    file = {"filename": "a.txt", "content": base64.b64encode(b"Hello").decode()}
    queued = await api("POST", "/messages", {**MESSAGE, "attachments": [file], "headers": {"X-Order": "7"}})
    assert queued.status == 202, queued
    assert queued.json["status"] == "queued"
    found = (await api("GET", f"/messages/{queued.json['message_id']}")).json
    assert (found["to"], found["subject"], found["contact_id"]) == ("ada@example.com", "Order 7", contact)
    assert found["attachments"] == [{"filename": "a.txt", "content_type": "text/plain", "size": 5}]
    assert found["headers"] == {"X-Order": "7"}
    assert [event["type"] for event in found["events"]] == ["queued"]
    for query, count in (
        ("", 1),
        ("?to=ADA@example.com", 1),
        ("?to=bob@example.com", 0),
        (f"?contact_id={contact}", 1),
        ("?status=pending", 1),
        ("?status=queued", 1),
        ("?status=delivered", 0),
        ("?template_id=template_1", 0),
    ):
        assert (await api("GET", f"/messages{query}")).json["total"] == count, query
    assert (await stranger("GET", f"/messages/{found['id']}")).status == 404
    assert (await stranger("GET", "/messages")).json["total"] == 0


async def test_from_a_template(api: Client) -> None:
    await api("POST", "/providers", {"name": "S", "kind": "sandbox", "is_default": True})
    template = (
        await api("POST", "/templates", {"name": "T", "subject": "Hi {{ who }}", "html_content": "<p>{{ who }}</p>"})
    ).json["id"]
    body = {
        "to": "a@example.com",
        "template_id": template,
        "sender_email": "s@example.com",
        "variables": {"who": "Eve"},
    }
    queued = await api("POST", "/messages", body)
    found = (await api("GET", f"/messages/{queued.json['id']}")).json
    assert (found["subject"], found["template_id"], found["template_version"]) == ("Hi Eve", template, 1)
    for wrong, field in (
        ({"html_content": "<p>x</p>"}, "template_id"),
        ({"template_id": "template_999"}, "template_id"),
        ({"variables": {"now": 1}, "subject": "x"}, "variables.now"),
        ({"subject": "Two\nlines"}, "subject"),
    ):
        answer = await api("POST", "/messages", {**body, **wrong})
        assert answer.status == 422, answer
        assert field in answer.fields


async def test_an_idempotency_key_makes_one_message(api: Client) -> None:
    await api("POST", "/providers", {"name": "S", "kind": "sandbox", "is_default": True})
    answers = [await api("POST", "/messages", MESSAGE, Idempotency_Key="order-7") for _ in range(3)]
    assert len({answer.json["id"] for answer in answers}) == 1
    assert (await api("GET", "/messages")).json["total"] == 1


async def test_what_is_broken_is_named(api: Client) -> None:
    no_provider = await api("POST", "/messages", MESSAGE)
    assert (no_provider.status, no_provider.fields) == (422, ["provider_id"])
    await api("POST", "/providers", {"name": "S", "kind": "sandbox", "is_default": True})
    for wrong, field in (
        ({"to": "nobody"}, "to"),
        ({"text_content": ""}, "html_content"),
        ({"headers": {"X-A": "1\r\nBcc: x@example.com"}}, "headers.X-A"),
        ({"attachments": [{"filename": "a", "content": "%%"}]}, "attachments[0].content"),
        ({"kind": "spam"}, "kind"),
        ({"subject": "Two\nlines"}, "subject"),
        ({"subject": "\n", "track_clicks": 1}, "track_clicks"),
        ({"track_opens": "yes"}, "track_opens"),
    ):
        answer = await api("POST", "/messages", {**MESSAGE, **wrong})
        assert (answer.status, answer.fields) == (422, [field]), answer
    assert (await api("GET", "/messages")).json["total"] == 0


async def test_killed_workers_lose_no_message(tmp_path: Path) -> None:
    data, accepted = tmp_path / "data", tmp_path / "accepted"
    data.mkdir()
    script = Path(__file__).parents[1] / "counting_sink.py"
    sink = subprocess.Popen([sys.executable, str(script), "0", str(accepted)], stdout=subprocess.PIPE)
    assert sink.stdout is not None
    try:
        port = int(sink.stdout.readline())
        async with running_system(data) as system:
            async with system.database() as db:
                provider: dict[str, object] = {
                    "host": "127.0.0.1",
                    "port": port,
                    "tls": "none",
                    "connections": 4,
                    "rate_per_second": 150,
                }
                workspace, _ = await prepare(db, system.keys, recipients=1, size="5kb", provider=provider)
                async with db.transaction() as tx:
                    key = await accounts.create_api_key(tx, workspace=workspace, name="t", scopes=["*"], now=utc_now())
            async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:
                for number in range(300):
                    body = {**MESSAGE, "to": f"a{number}@example.com"}
                    async with session.post(f"{system.api}/messages", json=body) as answer:
                        assert answer.status == 202, await answer.text()
                    if number % 75 == 60:
                        system.kill("send")
            async with asyncio.timeout(120):
                while True:
                    async with system.database() as db, db.connection() as connection:
                        rows = await connection.fetch(
                            """
                            SELECT m.to_email, d.state::text AS state, d.possible_duplicate OR d.unknowns > 0 AS flagged
                            FROM messages AS m JOIN deliveries AS d
                                ON d.workspace_id = m.workspace_id AND d.send_id = m.send_id AND d.n = m.n
                            """
                        )
                        waiting = await connection.fetchval("SELECT count(*) FROM retries")
                    if waiting == 0 and {row["state"] for row in rows} == {"delivered"}:
                        break
                    await asyncio.sleep(0.5)
    finally:
        sink.kill()
        sink.wait()
        sink.stdout.close()
    arrived: defaultdict[str, list[str]] = defaultdict(list)
    for line in accepted.read_text().splitlines():
        recipient, message_id = line.split("\t")
        arrived[recipient].append(message_id)
    assert set(arrived) == {f"a{number}@example.com" for number in range(300)}
    twice = {recipient for recipient, ids in arrived.items() if len(ids) > 1}
    assert twice <= {row["to_email"] for row in rows if row["flagged"]}
    assert all(len(set(ids)) == 1 for ids in arrived.values())
