"""Notifications of providers over real sockets: verified, stored before they are acknowledged, and applied."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.edge_world import SECRET, Answer, Wire, ask, eventually, running_edge
from tests.feedback_world import Sent, sent
from tests.notifying_world import TOPIC, VERIFICATION_KEY, amazon, mailgun, sendgrid, ses_event, sns

from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.delivery.wire._wire import id_mac
from tidings.tracking import Tokens

KEYS = Keyring(SECRET)
SETTINGS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "ses": (
        {"region": "eu-west-1", "topic_arns": [TOPIC]},
        {"access_key_id": "AKIA", "secret_access_key": "secret"},
    ),
    "sendgrid": ({"verification_key": VERIFICATION_KEY}, {"api_key": "SG.key"}),
    "mailgun": ({"domain": "mg.example.com"}, {"api_key": "key", "signing_key": "signing"}),
}


@dataclass
class World:
    """An edge, a send whose messages were handed over, and a provider of each kind."""

    base: str
    db: Database
    sent: Sent
    urls: dict[str, str]

    def message_id(self, n: int) -> str:
        mac = id_mac(Tokens(KEYS).for_send(self.sent.workspace, self.sent.send)(n, 0)).decode()
        return f"{self.sent.send}.{n}.{self.sent.workspace}.{mac}@example.com"

    async def tell(self, kind: str, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        return await ask(self.base, self.urls[kind], "POST", data=body, headers=headers or {})

    async def applied(self) -> list[str]:
        """The states once everything was applied."""
        ids = delivery.MessageIds(KEYS)
        more = True
        while more:
            async with self.db.transaction() as tx:
                more = await delivery.take_notifications(tx, ids=ids, now=utc_now())
        await self.sent.counts()
        return await self.sent.states()

    async def waiting(self) -> int:
        return len(await self.sent.fetch("SELECT FROM notification_inbox WHERE workspace_id = $1"))


async def providers(db: Database, workspace: int) -> dict[str, str]:
    urls: dict[str, str] = {}
    for kind, (config, secret) in SETTINGS.items():
        async with db.transaction() as tx:
            made = await delivery.add_provider(
                tx,
                workspace=WorkspaceId(workspace),
                name=kind,
                kind=kind,
                config=config,
                secret=secret,
                is_default=False,
                keys=KEYS,
                by=SYSTEM(WorkspaceId(workspace)),
                now=utc_now(),
            )
        urls[kind] = "/n/" + delivery.NotificationTokens(KEYS).make(WorkspaceId(workspace), made.id)
    return urls


@pytest.fixture
async def world(db: Database, database_url: str, workspace: int, tmp_path: Path) -> AsyncIterator[World]:
    here = await sent(db, workspace, ["sent"] * 4)
    urls = await providers(db, workspace)
    async with running_edge(database_url, tmp_path) as base:
        yield World(base, db, here, urls)


def _mailgun_event(world: World, n: int, kind: str, **more: Any) -> dict[str, Any]:
    message = {"headers": {"message-id": world.message_id(n)}}
    return {
        "event": kind, "id": f"e{n}", "timestamp": utc_now().timestamp(), "recipient": f"reader{n}@example.com",
        "message": message, **more,
    }  # fmt: skip


async def test_mailgun(world: World) -> None:
    for n in (1, 2):
        answer = await world.tell("mailgun", mailgun(_mailgun_event(world, n, "delivered")))
        assert (answer.status, answer.body) == (200, b"{}")
    status = {"code": 550, "message": "5.1.1 no such user", "enhanced-code": "5.1.1"}
    gone = _mailgun_event(world, 3, "failed", severity="permanent", reason="bounce", **{"delivery-status": status})
    assert (await world.tell("mailgun", mailgun(gone))).status == 200
    assert await world.applied() == ["delivered", "delivered", "bounced", "sent"]
    assert (await world.sent.statuses())[3] == "bounced"


async def test_a_token_of_mailgun_is_used_once(world: World) -> None:
    event = _mailgun_event(world, 1, "delivered")
    forged = _mailgun_event(world, 2, "complained")
    for body in (event, forged, event):
        assert (await world.tell("mailgun", mailgun(body, token="t"))).status == 200
    assert await world.applied() == ["delivered", "sent", "sent", "sent"]
    await world.tell("mailgun", mailgun(forged, token="t"))
    await world.applied()
    assert (await world.sent.statuses())[2] == "active"


@pytest.mark.parametrize("body", [mailgun({}, key="other"), mailgun({}, age=301), b"{}", b"[]"])
async def test_what_mailgun_did_not_sign(world: World, body: bytes) -> None:
    answer = await world.tell("mailgun", body)
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "bad_notification_signature")
    assert await world.waiting() == 0


async def test_sendgrid_in_batches_with_duplicates_and_unknown_kinds(world: World) -> None:
    def event(n: int, kind: str, **more: Any) -> dict[str, Any]:
        return {
            "event": kind, "email": f"reader{n}@example.com", "tidings_message_id": world.message_id(n),
            "sg_event_id": f"{n}{kind}", "sg_message_id": "s", "timestamp": int(utc_now().timestamp()), **more,
        }  # fmt: skip

    events = [
        event(1, "bounce", type="bounce", status="5.1.1", reason="550 5.1.1 no such user"),
        event(1, "delivered"),
        event(2, "spamreport"),
        event(2, "delivered"),
        event(3, "deferred", reason="421 busy"),
        event(4, "account_status_change"),
    ]
    for batch in (events, events[::-1], events[2:3]):
        assert (await world.tell("sendgrid", *sendgrid(batch))).status == 200
    assert await world.applied() == ["bounced", "delivered", "sent", "sent"]
    assert await world.sent.statuses() == {1: "bounced", 2: "complained", 3: "active", 4: "active"}
    assert sorted(event["type"] for event in await world.sent.events()) == ["bounced", "complained", "deferred"]
    kept = await world.sent.fetch("SELECT raw FROM feedback WHERE workspace_id = $1 AND happening = 'unknown'")
    assert [row["raw"]["event"] for row in kept] == ["account_status_change"] * 2


async def test_what_sendgrid_did_not_sign(world: World) -> None:
    body, headers = sendgrid([], signed=b"[ ]")
    for given in (headers, {}):
        assert (await world.tell("sendgrid", body, given)).status == 403
    assert await world.waiting() == 0


async def test_signed_nonsense_is_kept(world: World) -> None:
    assert (await world.tell("sendgrid", *sendgrid({"no": "list"}))).status == 200
    await world.applied()
    (row,) = await world.sent.fetch("SELECT happening, raw FROM feedback WHERE workspace_id = $1")
    assert (row["happening"], row["raw"]) == ("unknown", {"unreadable": '{"no": "list"}'})


async def test_ses_through_sns(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with amazon(monkeypatch, tmp_path) as there:
        for _ in range(2):
            event = ses_event(
                "Delivery", world.message_id(1), "reader1@example.com", delivery={"timestamp": "2026-11-01T12:00:00Z"}
            )
            assert (await world.tell("ses", sns("Notification", event))).status == 200
        complaint = {"complainedRecipients": [{"emailAddress": "reader2@example.com"}], "feedbackId": "f"}
        event = ses_event("Complaint", world.message_id(2), "reader2@example.com", complaint=complaint)
        assert (await world.tell("ses", sns("Notification", event))).status == 200
        assert (await world.tell("ses", sns("Notification", "Successfully validated SNS topic"))).status == 200
        assert await world.applied() == ["delivered", "sent", "sent", "sent"]
        assert (await world.sent.statuses())[2] == "complained"
        assert there.fetched == ["/good.pem"]
        assert there.confirmed == []
        assert (await world.tell("ses", sns("SubscriptionConfirmation", "x"))).status == 200
        assert there.confirmed == ["Action=ConfirmSubscription&Token=t"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"TopicArn": TOPIC + "2"}, 403),
        ({"pem": "stranger"}, 403),
        ({"pem": "expired"}, 403),
        ({"pem": "broken_chain"}, 403),
        ({"SubscribeURL": "https://evil.example.com/?Action=ConfirmSubscription"}, 403),
        ({"SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Publish"}, 403),
    ],
)
async def test_who_is_not_sns(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changes: dict[str, Any], status: int
) -> None:
    async with amazon(monkeypatch, tmp_path) as there:
        answer = await world.tell("ses", sns("SubscriptionConfirmation", "x", **changes))
        assert answer.status == status
        body = json.loads(sns("Notification", "x"))
        tampered = json.dumps(body | {"Message": "y"}).encode()
        assert (await world.tell("ses", tampered)).status == 403
        assert there.confirmed == []
    assert await world.waiting() == 0


async def test_sns_out_of_reach_is_no_refusal(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with amazon(monkeypatch, tmp_path) as there:
        there.broken = True
        answer = await world.tell("ses", sns("Notification", "x"))
        assert (answer.status, answer.headers["retry-after"]) == (503, "60")


async def test_without_its_key_a_provider_is_asked_to_come_again(world: World) -> None:
    async with world.db.connection() as connection:
        await connection.execute("UPDATE providers SET config = config - 'verification_key' WHERE kind = 'sendgrid'")
    answer = await world.tell("sendgrid", *sendgrid([]))
    told = json.loads(answer.body)
    assert (answer.status, told["code"]) == (503, "notifications_not_set_up")
    assert "verification_key" in told["detail"]


async def test_addresses_that_are_none(world: World) -> None:
    url = world.urls["mailgun"]
    stranger = delivery.NotificationTokens(Keyring("another secret"))
    gone = delivery.NotificationTokens(KEYS).make(world.sent.workspace, ProviderId(999))
    for path in (
        url[:-1],
        url[:-1] + "!",
        "/n/",
        "/n/ü",
        "/n/" + stranger.make(world.sent.workspace, ProviderId(1)),
        "/n/" + gone,
    ):
        assert (await ask(world.base, path, "POST", data=mailgun({}))).status == 404, path
    assert (await ask(world.base, url)).status == 405


async def test_another_workspace_cannot_speak_of_our_messages(world: World) -> None:
    async with world.db.connection() as connection:
        other = await connection.fetchval("INSERT INTO workspaces (name, created_at) VALUES ('O', now()) RETURNING id")
    urls = await providers(world.db, other)
    event = _mailgun_event(world, 1, "complained")
    assert (await ask(world.base, urls["mailgun"], "POST", data=mailgun(event))).status == 200
    assert await world.applied() == ["sent"] * 4
    assert set((await world.sent.statuses()).values()) == {"active"}


async def test_nothing_that_was_acknowledged_is_lost_with_the_database(
    db: Database, database_url: str, workspace: int, tmp_path: Path
) -> None:
    here = await sent(db, workspace, ["sent"] * 3)
    urls = await providers(db, workspace)
    wire = Wire(tmp_path, database_url)
    await wire.start()
    try:
        async with running_edge(wire.url, tmp_path / "data") as base:
            world = World(base, db, here, urls)
            assert (await world.tell("mailgun", mailgun(_mailgun_event(world, 1, "delivered")))).status == 200
            wire.down()
            for n in (2, 3):
                assert (await world.tell("mailgun", mailgun(_mailgun_event(world, n, "delivered")))).status == 200
            assert await world.waiting() == 1
            wire.up()

            async def all_there() -> bool:
                return await world.waiting() == 3

            await eventually(all_there)
            assert await world.applied() == ["delivered"] * 3
    finally:
        await wire.stop()


async def test_a_deleted_provider_is_forgotten(
    db: Database, database_url: str, workspace: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.edge._notifications._KNOWN_SECONDS", 0.0)
    here = await sent(db, workspace, ["sent"] * 3)
    urls = await providers(db, workspace)
    wire = Wire(tmp_path, database_url)
    await wire.start()
    try:
        async with running_edge(wire.url, tmp_path / "data") as base:
            world = World(base, db, here, urls)
            answers = [world.tell("mailgun", mailgun(_mailgun_event(world, n, "delivered"))) for n in (1, 2, 3)]
            assert [one.status for one in await asyncio.gather(*answers)] == [200] * 3
            await db_execute(db, "DELETE FROM providers WHERE kind = 'mailgun'")
            assert (await world.tell("mailgun", mailgun({}))).status == 404
            wire.down()
            # Not even by what was known before: an outage must not bring it back.
            assert (await world.tell("mailgun", mailgun({}))).status == 503
            assert (await world.tell("sendgrid", *sendgrid([]))).status == 503
    finally:
        await wire.stop()


async def db_execute(db: Database, statement: str) -> None:
    async with db.connection() as connection:
        await connection.execute(statement)
