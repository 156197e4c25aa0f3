"""Checks of what is compiled from MJML and block documents: nothing of the compilers' making is held against their author."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from tidings.content import Attached, Checkable, Finding, SourceType, check_content, compile_source, plain_text

MJML = """<mjml lang="en"><mj-body><mj-section><mj-column>
<mj-text>Hello {{ first_name }}, here is what happened in the last month at our shop.</mj-text>
<mj-text>%s</mj-text>
</mj-column></mj-section></mj-body></mjml>"""
LEAVE = '<a href="{{ unsubscribe_url }}">Unsubscribe</a> {{ workspace.postal_address }}'
FOOTER = orjson.dumps(
    {"blocks": [{"type": "text", "text": "Hi {{ plan }}"}, {"type": "footer", "text": "Bye"}]}
).decode()


def contact(**attributes: Any) -> tuple[Any, ...]:
    """A contact's row."""
    made = datetime(2026, 1, 1, tzinfo=UTC)
    return 1, 1, "c@tidings.test.de", "", "", "", "", "", [], orjson.dumps(attributes).decode(), made, None, 0


async def found(source: str, kind: SourceType, **attributes: Any) -> list[Finding]:
    """What the checks say of a source."""
    html = compile_source(kind, source, inline=False)
    report = await check_content(
        Checkable("News of the month", html, plain_text(html), text_written=False, source_type=kind, source=source),
        rows=[contact(**attributes)],
        real=True,
        workspace_name="Acme",
        postal_address="1 Main Street\nSpringfield",
        public_url="https://t.example.org",
    )
    return list(report.findings)


@pytest.mark.parametrize(("source", "kind"), [(MJML % LEAVE, SourceType.MJML), (FOOTER, SourceType.BLOCKS)])
async def test_a_way_out_in_cells_without_a_font_size_of_their_own_is_seen(source: str, kind: SourceType) -> None:
    codes = {one.code for one in await found(source, kind, plan="pro")}
    assert not codes & {"unsubscribe_missing", "postal_address_missing"}


@pytest.mark.parametrize(
    ("style", "seen"),
    [("font-size: 0.9em", True), ("font-size:.5rem", True), ("font-size:0", False), ("font-size: 0.0px", False),
     ("font-size: 12px; font-size: 0", False), ("display: none", False)],
)  # fmt: skip
async def test_a_way_out_is_unseen_where_its_text_has_no_size(style: str, seen: bool) -> None:
    source = MJML % f'<span style="{style}">{LEAVE}</span>'
    codes = {one.code for one in await found(source, SourceType.MJML)}
    assert ("unsubscribe_missing" not in codes) == ("postal_address_missing" not in codes) == seen


async def test_what_is_missing_is_told_where_it_was_written() -> None:
    [mjml] = [one for one in await found(MJML % LEAVE, SourceType.MJML) if one.code == "variable_missing"]
    assert (mjml.place.line, mjml.place.column) == (2, 19)
    [blocks] = [one for one in await found(FOOTER, SourceType.BLOCKS) if one.code == "variable_missing"]
    assert (blocks.place.path, blocks.place.column) == ("source.blocks[0].text", 7)


async def test_a_page_of_too_many_elements_is_read_in_part_and_may_be_sent() -> None:
    html = "<br>" * 40_000 + LEAVE
    report = await check_content(
        Checkable("News", html, plain_text(html), text_written=False),
        rows=[contact()],
        real=True,
        workspace_name="Acme",
        postal_address="1 Main Street",
        public_url="https://t.example.org",
    )
    assert report.not_run[0] == ("the HTML after its first 30,000 elements", "there are too many")
    assert not {one.code for one in report.findings} & {"unsubscribe_missing", "postal_address_missing"}


async def test_images_and_files_that_go_along() -> None:
    html = '<img src="cid:Logo@shop.de" alt="L"><img src="cid:none@shop.de" alt="N">'
    files = [
        Attached("00", "a.png", "image/png", 10, "logo@shop.de"),
        Attached("01", "b.png", "image/png", 10, "other@shop.de"),
        Attached("02", "c.pdf", "application/pdf", 8_000_000, ""),
    ]
    told: list[set[str]] = []
    for attached in (None, files[:1], files):
        report = await check_content(
            Checkable("News", html, plain_text(html), text_written=False, attached=attached),
            rows=[contact()],
            real=True,
            workspace_name="Acme",
            postal_address="1 Main Street",
            public_url="https://t.example.org",
        )
        told.append({one.code for one in report.findings if "attach" in one.code or "heavy" in one.code})
        assert [one.place.excerpt for one in report.findings if one.code == "image_not_attached"] == (
            [] if attached is None else ["cid:none@shop.de"]
        )
    assert told == [
        set(),
        {"image_not_attached"},
        {"image_not_attached", "attachment_not_shown", "message_heavy"},
    ]


async def test_the_language_of_a_document_is_its_authors_to_say_and_of_markdown_nobodys() -> None:
    document = {"blocks": [{"type": "text", "text": "Hallo"}]}
    silent = await found(orjson.dumps(document).decode(), SourceType.BLOCKS)
    assert [one.mend for one in silent if one.code == "language_missing"] == [
        'write <html lang="en">, <mjml lang="en">, or "language": "en" in a block document'
    ]
    said = await found(orjson.dumps(document | {"language": "de-AT"}).decode(), SourceType.BLOCKS)
    assert "language_missing" not in {one.code for one in said}
    assert '<html lang="de-AT"' in compile_source(
        SourceType.BLOCKS, orjson.dumps(document | {"language": "de-AT"}).decode(), inline=False
    )
    markdown = {one.code for one in await found("# Hallo", SourceType.MARKDOWN)}
    assert not markdown & {"language_missing", "title_missing"}
    assert "title_missing" in {one.code for one in await found("<p>Hallo</p>", SourceType.HTML)}


async def test_an_address_is_not_found_in_a_longer_one() -> None:
    source = {
        "blocks": [
            {"type": "image", "src": "https://example.org/hero.png", "alt": "x", "href": "https://example.org/h"},
            {"type": "text", "text": "[Our shop](https://example.org/shop), [ours](https://example.org/sh)"},
        ]
    }
    links = [
        one for one in await found(orjson.dumps(source).decode(), SourceType.BLOCKS) if one.code == "link_placeholder"
    ]
    assert {(one.place.path, one.place.column) for one in links} == {
        ("source.blocks[0].href", 1),
        ("source.blocks[1].text", 12),
        ("source.blocks[1].text", 46),
    }
