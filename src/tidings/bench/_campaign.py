"""The campaign that is measured: 5 or 50 KB, about ten variables, conditionals, seventeen links."""

from tidings import accounts, campaigns, content, delivery
from tidings.accounts import SYSTEM
from tidings.audience import lists
from tidings.campaigns import Draft
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.ids import CampaignId, ListId, WorkspaceId

_FILLERS = {"5kb": 11, "50kb": 386}
"""Paragraphs of filler that make a message of this size."""
SIZES = tuple(_FILLERS)

_SUBJECT = "{{ contact.first_name | default: 'Friend' }}, this week in {{ contact.city }}"
_HEAD = """<!doctype html><html><head><meta charset="utf-8"><title>News</title></head><body>
<h1>Hello {{ contact.first_name | default: "Friend" }} {{ contact.last_name }}</h1>
{% if contact.tags contains "vip" %}<p>As one of our best customers you see this first.</p>{% endif %}
<p>Your plan is {{ contact.plan }} and you live in {{ contact.city }}. You have {{ contact.points }} points.</p>
{% if contact.language == "de" %}<p>Guten Tag!</p>{% else %}<p>Good day!</p>{% endif %}
"""
_LINK = '<p><a href="https://shop.example.com/offers/{number}?ref=news">Offer number {number}</a> for you</p>\n'
_TAIL = """<p>Written to {{ contact.email }} by {{ workspace.name }}, {{ workspace.postal_address }}.
<a href="{{ unsubscribe_url }}">Unsubscribe</a></p></body></html>
"""
_TEXT = """Hello {{ contact.first_name | default: "Friend" }}, your plan is {{ contact.plan }}.
https://shop.example.com/offers/1?ref=news
{{ workspace.name }}, {{ workspace.postal_address }}
Unsubscribe: {{ unsubscribe_url }}
"""
_FILLER = "<p>A paragraph of ordinary words, as newsletters have them, long enough to wrap once or twice in a mail client.</p>\n"


def template_html(size: str) -> str:
    """HTML such that a whole message, both parts and headers and links as sent, has about this size."""
    body = "".join(_LINK.format(number=number) for number in range(1, 18))
    return _HEAD + body + _FILLER * _FILLERS[size] + _TAIL


def send_content(*, subject: str, html: str, text: str) -> delivery.SendContent:
    """What a send of these sources would say."""
    return delivery.SendContent(
        subject=subject,
        html=html,
        text=text,
        sender_email="news@example.org",
        sender_name="Example News",
        reply_to="",
        message_domain="example.org",
        list_id="list-1.workspace-1.example.org",
        list_name="Everyone",
        feedback_id="c1:t1:campaign:tidings-w1",
        workspace_name="Bench",
        postal_address="1 Main Street, Springfield",
        campaign_id=1,
        campaign_name="Bench",
        public_url="http://127.0.0.1:8081",
        track_opens=True,
        track_clicks=True,
    )


def message_size(size: str) -> int:
    """Octets of one such message on the wire."""
    return len(delivery.sample_message(send_content(subject=_SUBJECT, html=template_html(size), text=_TEXT)))


async def prepare(
    db: Database, keys: Keyring, *, recipients: int, size: str, provider: dict[str, object]
) -> tuple[WorkspaceId, CampaignId]:
    """A workspace with contacts on a list, a template, and a campaign ready to be launched. Contacts by one statement."""
    now = utc_now()
    async with db.transaction() as tx:
        workspace = await accounts.create_workspace(
            tx, name="Bench", postal_address="1 Main Street, Springfield", now=now
        )
        by = SYSTEM(workspace)
        made = await delivery.add_provider(
            tx,
            workspace=workspace,
            name="sink",
            kind="smtp",
            config=provider,
            secret={},
            is_default=True,
            keys=keys,
            by=by,
            now=now,
        )
        list_ = await lists.create_list(tx, workspace=workspace, name="Everyone", description="", by=by, now=now)
        await tx.execute(
            """
            WITH made AS (
                INSERT INTO contacts (workspace_id, email, address_hash, first_name, last_name, language, tags, attributes,
                    created_at, updated_at)
                SELECT $1, 'reader' || i || '@example.com', decode(md5(i::text), 'hex'), 'First' || i, 'Last' || i,
                    CASE WHEN i % 3 = 0 THEN 'de' ELSE 'en' END,
                    CASE WHEN i % 10 = 0 THEN ARRAY['vip'] ELSE '{}' END,
                    jsonb_build_object('plan', CASE WHEN i % 2 = 0 THEN 'gold' ELSE 'basic' END,
                        'city', 'Springfield', 'points', i % 1000),
                    $3, $3
                FROM generate_series(1, $4) AS i
                RETURNING id
            )
            INSERT INTO subscriptions (workspace_id, list_id, contact_id, subscribed_at) SELECT $1, $2, id, $3 FROM made
            """,
            workspace,
            list_.id,
            now,
            recipients,
        )
        template = await content.create_template(
            tx,
            workspace=workspace,
            name="News",
            subject=_SUBJECT,
            html_content=template_html(size),
            text_content=_TEXT,
            by=by,
            now=now,
        )
        campaign = await campaigns.create_campaign(
            tx,
            workspace=workspace,
            draft=Draft(
                name="Bench",
                subject="",
                template_id=template.id,
                sender_email="news@example.org",
                sender_name="Example News",
                list_ids=[ListId(list_.id)],
                provider_id=made.id,
            ),
            by=by,
            now=now,
        )
    async with db.connection() as connection:
        await connection.execute("ANALYZE contacts, subscriptions, deliveries, chunks")
    return workspace, campaign.id
