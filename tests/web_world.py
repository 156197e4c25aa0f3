"""A campaign that went out, with its content and recipients, for what can be read of it on the web."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from edge_world import Campaign, campaign
from tidings.core.db import Database
from tidings.core.ids import CampaignId
from tidings.delivery import SendContent
from tidings.delivery.wire._content import extract_links

BASE = "https://t.example"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
CONTENT = SendContent(
    subject="News for {{ first_name | default: 'you' }} & all",
    html=(
        "<!doctype html><html><head><meta charset=utf-8></head><body><p>Hi {{ first_name | default: 'friend' }} of "
        "{{ plan | default: 'no plan' }}</p><a href='https://shop.example/a?b=c&amp;d=e'>Shop</a>"
        "<a href='https://shop.example/{{ first_name }}'>Yours</a><script>alert(1)</script>"
        "<a href='{{ view_in_browser_url }}'>Browser</a><a href='{{ unsubscribe_url }}'>Leave</a></body></html>"
    ),
    text="Hi\n",
    sender_email="news@example.com",
    sender_name="News",
    reply_to="",
    message_domain="example.com",
    list_id="list-1.example.com",
    list_name="News",
    feedback_id="c1:t1:campaign:tidings-w1",
    workspace_name="Acme",
    postal_address="1 Main Street",
    campaign_id=1,
    campaign_name="C",
    public_url=BASE,
    track_opens=True,
    track_clicks=True,
    preheader="For {{ first_name | default: 'everybody' }}",
)


async def sent_campaign(db: Database, workspace: int, keys: Any, **changes: Any) -> Campaign:
    """Five contacts called Ada1 to Ada5, each with a delivery of a send with this content."""
    sent = await campaign(db, workspace, keys)
    content = replace(CONTENT, **changes)
    async with db.connection() as tx:
        await tx.execute(
            """UPDATE contacts SET first_name = 'Ada' || substring(email FROM '[0-9]+'), attributes = '{"plan": "<pro>"}'"""
        )
        await tx.execute(
            """INSERT INTO deliveries (workspace_id, send_id, n, contact_id, state)
               SELECT $1, $2, row_number() OVER (ORDER BY id), id, 'sent' FROM contacts WHERE workspace_id = $1""",
            workspace,
            sent.send,
        )
        await tx.execute(
            "UPDATE send_contents SET content = $2::text::jsonb, links = $3 WHERE send_id = $1",
            sent.send,
            content.to_json().decode(),
            extract_links(content),
        )
    return sent


async def archive_it(db: Database, sent: Campaign, *, count: int = 1, lists: tuple[int, ...] = ()) -> list[CampaignId]:
    """`count` campaigns of this send that anybody may read, a day after one another; the newest is the last."""
    async with db.connection() as tx:
        template = await tx.fetchval(
            """INSERT INTO templates (workspace_id, name, version, created_at, updated_at)
               VALUES ($1, 'T', 1, now(), now()) RETURNING id""",
            sent.workspace,
        )
        rows = await tx.fetch(
            """INSERT INTO campaigns (workspace_id, name, subject, template_id, sender_email, sender_name, list_ids, status,
                   send_id, created_at, updated_at, started_at, archive)
               SELECT $1, 'C' || i, '', $2, 'a@example.com', 'A', $3, 'sent', $4,
                   $5::timestamptz, $5, $5 + i * interval '1 day', true
               FROM generate_series(1, $6::integer) AS i RETURNING id""",
            sent.workspace,
            template,
            list(lists),
            sent.send,
            AT - timedelta(days=1),
            count,
        )
    return [CampaignId(row["id"]) for row in rows]
