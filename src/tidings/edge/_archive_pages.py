"""How a web archive looks: a page that lists campaigns, and an Atom feed (RFC 4287)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from babel.dates import format_date

from tidings.core.ids import CampaignId
from tidings.edge._texts import TEXTS

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="alternate" type="application/atom+xml" title="{title}" href="{feed}">
<style>
:root {{ color-scheme: light dark; --ink: #1f2925; --paper: #fff; --soft: #5d6a64; --line: #e3e5e1; --mark: #1c6b4f; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e9ece9; --paper: #171a19; --soft: #a0aba6; --line: #303835; --mark: #6fcda6; }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.5 system-ui, sans-serif; }}
main {{ max-width: 680px; margin: 0 auto; padding: clamp(32px, 8vw, 72px) 20px; overflow-wrap: anywhere; }}
header {{ margin: 0 0 32px; }} h1 {{ font-size: clamp(1.6rem, 5vw, 2.1rem); line-height: 1.2; margin: 0; text-wrap: balance; }}
header p {{ margin: 6px 0 0; color: var(--soft); }}
ol {{ list-style: none; margin: 0; padding: 0; }}
li {{ border-top: 1px solid var(--line); }}
li a {{ display: grid; gap: 2px; padding: 18px 0; color: inherit; text-decoration: none; }}
time {{ color: var(--soft); font-size: .875rem; font-variant-numeric: tabular-nums; }}
h2 {{ font-size: 1.125rem; line-height: 1.35; font-weight: 600; margin: 0; }} li p {{ margin: 0; color: var(--soft); }}
a:hover h2 {{ color: var(--mark); text-decoration: underline; text-underline-offset: 3px; }}
nav {{ display: flex; gap: 24px; border-top: 1px solid var(--line); padding: 20px 0 0; }} nav a {{ color: var(--mark); }}
nav a:last-child {{ margin-inline-start: auto; color: var(--soft); }}
a:focus-visible {{ outline: 3px solid var(--mark); outline-offset: 4px; border-radius: 4px; }}
</style></head><body><main><header><h1>{sender}</h1><p>{what}</p></header><ol>{items}</ol><nav>{ways}</nav></main></body></html>
"""


@dataclass(frozen=True, slots=True)
class Item:
    """A campaign in a list of them."""

    campaign: CampaignId
    title: str
    summary: str
    at: datetime


def listing(items: Sequence[Item], *, sender: str, token: str, number: int, more: bool, language: str) -> bytes:
    """A page of the list. Its links are relative to `/a/{token}`."""
    said = TEXTS[language]
    rows = "".join(
        f'<li><a href="{token}/{one.campaign}"><time datetime="{one.at:%Y-%m-%d}">'
        f"{escape(format_date(one.at, 'long', locale=language))}</time><h2>{escape(one.title or said['untitled'])}</h2>"
        f"{f'<p>{escape(one.summary)}</p>' if one.summary else ''}</a></li>"
        for one in items
    )
    ways = [("newer", f"{token}?page={number - 1}")] * (number > 1) + [("older", f"{token}?page={number + 1}")] * more
    links = [
        f'<a href="{where}" rel="{"prev" if key == "newer" else "next"}">{escape(said[key])}</a>' for key, where in ways
    ]
    links.append(f'<a href="{token}/feed.xml">{escape(said["feed"])}</a>')
    title = escape(f"{sender}: {said['archive']}")
    page = _PAGE.format(
        language=language,
        title=title,
        feed=f"{token}/feed.xml",
        sender=escape(sender),
        what=escape(said["archive"]),
        items=rows,
        ways="".join(links),
    )
    return page.encode("utf-8", "replace")


def feed(items: Sequence[Item], *, sender: str, address: str) -> bytes:
    """An Atom feed of an archive at `address`, newest first."""
    entries = "".join(
        f"<entry><id>{_xml(f'{address}/{one.campaign}')}</id><title>{_xml(one.title or '-')}</title>"
        f"<published>{_moment(one.at)}</published><updated>{_moment(one.at)}</updated>"
        f'<link rel="alternate" type="text/html" href="{_xml(f"{address}/{one.campaign}")}"/>'
        f"{f'<summary>{_xml(one.summary)}</summary>' if one.summary else ''}</entry>"
        for one in items
    )
    updated = max((one.at for one in items), default=datetime(2000, 1, 1, tzinfo=UTC))
    whole = (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>{_xml(address)}</id><title>{_xml(sender)}</title><updated>{_moment(updated)}</updated>"
        f"<author><name>{_xml(sender)}</name></author>"
        f'<link rel="self" type="application/atom+xml" href="{_xml(f"{address}/feed.xml")}"/>'
        f'<link rel="alternate" type="text/html" href="{_xml(address)}"/>{entries}</feed>'
    )
    return whole.encode("utf-8", "replace")


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _xml(text: str) -> str:
    """Escaped, without what XML 1.0 cannot say (§2.2)."""
    return escape(
        "".join(char for char in text if char in "\t\n\r" or (ord(char) >= 32 and ord(char) not in {0xFFFE, 0xFFFF}))
    )
