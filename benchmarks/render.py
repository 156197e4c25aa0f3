"""What a message costs to build: microseconds at 5 KB and 50 KB, and against the usual way in the same run.

    .venv/bin/python benchmarks/render.py [--seconds 2]

The template has 17 tracked links and about ten variables, some under conditions. The usual way is python-liquid (parsed
once) and `email.message.EmailMessage`, links not even wrapped.
"""

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from time import perf_counter
from typing import Any

from liquid import Environment

from tidings.content import Occasion, RecipientUrls, read_attributes
from tidings.content._context import full_context
from tidings.content._plaintext import plain_text
from tidings.core.crypto import Keyring
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery._content import SendContent, extract_links
from tidings.delivery._wire import WireMessage
from tidings.tracking import Tokens

DATE = b"Wed, 25 Nov 2026 12:00:00 +0000"
NAMES = ("Ada", "Grace", "José", "Wei", "O'Brien", "Zoë", "Max", "Ines")
HEAD = """<html><body><h1>Hi {{ first_name | default: 'friend' }}</h1>
<p>{% if contact.tags contains 'vip' %}As one of our best customers, {{ first_name }},{% else %}This month{% endif %}
you save {{ contact.discount }} percent in {{ city }}. Your plan: {{ plan }}{% if plan == 'pro' %} (thank you!){% endif %}.</p>
<p>{{ name }}, {{ email }}, {{ language }}, customer {{ contact.number }}, {{ campaign.name }}.</p>
"""
LINK = (
    '<p style="margin:0 0 8px"><a href="https://shop.example/products/{0}?utm_source=news&amp;utm_campaign=june">'
    "Product {0}</a></p>\n"
)
FILL = "<p>Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore.</p>\n"
TAIL = '<p>{{ workspace.postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a></p></body></html>\n'


def content(size: int) -> SendContent:
    """A send whose messages have about `size` bytes."""
    links = "".join(LINK.format(number) for number in range(17))
    html = HEAD + links
    filled = html + FILL * max(0, (size - 3000) // len(FILL)) + TAIL
    text = plain_text(HEAD + LINK.format(0) + TAIL)
    return SendContent(
        subject="{{ first_name }}, the news of June",
        html=filled,
        text=text,
        sender_email="news@acme.example",
        sender_name="Acme",
        reply_to="",
        message_domain="acme.example",
        list_id="list-3.workspace-1.acme.example",
        list_name="News",
        feedback_id="c1:t1:campaign:tidings-w1",
        workspace_name="Acme",
        postal_address="1 Main Street, Springfield",
        campaign_id=1,
        campaign_name="June",
        public_url="https://t.acme.example",
        track_opens=True,
        track_clicks=True,
    )


def rows(count: int = 2000) -> list[tuple[Any, ...]]:
    """Recipients, no two alike."""
    return [
        (n, n, f"user{n}@example.com", NAMES[n % 8], f"Last{n}", "", "en", "UTC", ["vip"] if n % 5 == 0 else [],
         json.dumps({"plan": "pro" if n % 3 else "free", "city": "Springfield", "discount": n % 50, "number": n}),
         datetime(2026, 1, 1, tzinfo=UTC), None, 0)
        for n in range(1, count + 1)
    ]  # fmt: skip


def usual(sent: SendContent, tokens: Tokens) -> Callable[[tuple[Any, ...]], bytes]:
    """python-liquid and EmailMessage."""
    occasion = Occasion(
        sent.campaign_id,
        sent.campaign_name,
        sent.workspace_name,
        sent.postal_address,
        RecipientUrls(sent.public_url, tokens.dynamic),
    )
    plain, escaping = Environment(), Environment(autoescape=True)
    subject, text, html = plain.from_string(sent.subject), plain.from_string(sent.text), escaping.from_string(sent.html)
    token_of = tokens.for_send(WorkspaceId(1), SendId(1))

    def build(row: tuple[Any, ...]) -> bytes:
        context = full_context(row, token_of(row[0], row[1]), read_attributes(row[9]), "", occasion)
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"], message["Subject"] = "Acme <news@acme.example>", row[2], subject.render(context)
        message.set_content(text.render(context))
        message.add_alternative(html.render(context), subtype="html")
        return message.as_bytes()

    return build


def microseconds(build: Callable[[tuple[Any, ...]], bytes], people: list[tuple[Any, ...]], seconds: float) -> float:
    """Of the fastest of five rounds: what is slower was somebody else's doing."""
    best = float("inf")
    for _ in range(5):
        done, started = 0, perf_counter()
        while perf_counter() - started < seconds / 5:
            for row in people[:50]:
                build(row)
            done += 50
        best = min(best, (perf_counter() - started) / done * 1e6)
    return best


def main() -> None:
    """Print one JSON object a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of measuring for each figure")
    options = parser.parse_args()
    tokens, people = Tokens(Keyring("benchmark")), rows()
    for size in (5_000, 50_000):
        sent = content(size)
        links = extract_links(sent)
        wire = WireMessage.compile(sent, links=links, workspace=WorkspaceId(1), send=SendId(1), tokens=tokens)
        ours = microseconds(lambda row, wire=wire: wire.build(row, date=DATE), people, options.seconds)
        theirs = microseconds(usual(sent, tokens), people, options.seconds)
        figures = {
            "bytes": len(wire.build(people[0], date=DATE)),
            "links": len(links),
            "microseconds": round(ours, 1),
            "usual_microseconds": round(theirs, 1),
            "times_faster": round(theirs / ours, 1),
        }
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
