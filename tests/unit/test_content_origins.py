"""What is missing is told where its author wrote it, whatever the compilers made of that."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.content import (
    Checkable,
    Missing,
    Parts,
    RenderError,
    SourceType,
    Written,
    check_content,
    compile_source,
    plain_text,
    preview,
    with_preheader,
)
from tidings.content._media_shown import Shown

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
WORDS = st.sampled_from(
    ["Hello", "{{ who }}", "{{ first_name }}", "{{- plan -}}", "a & b", "é{{ who | upcase }}", "\n", "x\ty", ""]
)
"""Liquid among them that is not missing: the same pieces again and again."""
VALUES: dict[str, Any] = {"who": "w", "first_name": "Ada", "plan": "pro", "product": {}, "items": [{"title": "T"}]}
PLANTED = st.sampled_from(
    ["{{ gone }}", "{{gone}}", "{{- gone.deep -}}", "{{ gone | upcase }}", "{% if who %}{{ gone }}{% endif %}",
     "{% if nobody %}{{ gone }}{% else %}{{ gone }}{% endif %}", "{% raw %}{{ gone }}{% endraw %}{{ gone }}",
     "{% comment %}{{ gone }}{% endcomment %}{{ gone }}", "{% for one in gone %}x{% endfor %}"]
)  # fmt: skip
TEXT = st.lists(WORDS, max_size=4).map(" ".join)


def at(text: str, planted: str, field: str) -> tuple[str, int, int]:
    """Where the name that is missing stands: the last one of what was planted."""
    index = text.index(planted) + planted.rindex("gone")
    assert text.count(planted) == 1
    before = text[:index]
    return field, before.count("\n") + 1, index - before.rfind("\n")


async def missing(html: str, written: Written, **given: Any) -> list[Missing]:
    """What a preview says of it."""
    shown = await preview(
        subject="S",
        html_content=html,
        text_content=given.pop("text", ""),
        variables=VALUES,
        workspace_name="Acme",
        postal_address="1 Main Street",
        public_url="https://t.example",
        now=NOW,
        written=written,
        **given,
    )
    return list(shown.missing)


async def checked(html: str, written: Written, text: str = "") -> list[tuple[str, int | None, int | None]]:
    """What the checks say of it."""
    row = (1, 1, "c@tidings.test.de", "Ada", "", "", "", "", [], orjson.dumps(VALUES).decode(), NOW, None, 0)
    report = await check_content(
        Checkable(
            "News",
            html,
            text or plain_text(html),
            bool(text),
            written.source_type,
            written.source,
            written=written.html,
            inline_css=written.inline_css,
            preheader=written.preheader,
        ),
        rows=[row],
        real=True,
        workspace_name="Acme",
        postal_address="1 Main Street",
        public_url="https://t.example.org",
    )
    found = [one.place for one in report.findings if one.code == "variable_missing"]
    return [(one.path or FIELDS.get(one.part, one.part), one.line, one.column) for one in found]


FIELDS: dict[str, str] = {"html": "html_content", "text": "text_content"}


async def told(written: Written) -> list[tuple[str, int, int]]:
    """Of a source, by previews and checks alike."""
    html = compile_source(written.source_type, written.source, inline=written.inline_css)
    html = with_preheader(html, written.preheader)
    written = replace(written, html=html)
    shown = [(one.field, one.line, one.column) for one in await missing(html, written)]
    assert sorted(set(await checked(html, written))) == sorted(set(shown))
    return shown


def mjml(before: str, planted: str, after: str, where: str) -> str:
    """A document with it in one of the places where Liquid may be."""
    inside = {
        "preview": f"<mj-head><mj-preview>{planted}</mj-preview></mj-head><mj-body>",
        "title": f"<mj-head><mj-title>{planted}</mj-title></mj-head><mj-body>",
    }.get(where, "<mj-head><mj-title>{{ who }}</mj-title></mj-head><mj-body>")
    text = {
        "text": f"<mj-text>{planted}</mj-text>",
        "between": planted,
        "image": f'<mj-image src="https://shop.example/{planted}" alt="{{{{ who }}}}" />',
        "button": f'<mj-button href="https://shop.example/{planted}">{{{{ who }}}}</mj-button>',
        "attribute": f'<mj-text><b title="{planted}">x</b></mj-text>',
    }.get(where, "")
    return f"""<mjml>
{inside}<mj-section><mj-column><mj-text>{before}</mj-text>
  {text}
<mj-text>{after}</mj-text></mj-column></mj-section></mj-body></mjml>"""


@settings(max_examples=60, deadline=None)
@given(
    before=TEXT,
    planted=PLANTED,
    after=TEXT,
    where=st.sampled_from(["preview", "title", "text", "between", "image", "button", "attribute"]),
    inline=st.booleans(),
)
async def test_of_mjml(before: str, planted: str, after: str, where: str, inline: bool) -> None:
    source = mjml(before, planted, after, where)
    assert await told(Written(source, SourceType.MJML, inline)) == [at(source, planted, "source")]


MARKDOWN = [
    "{before}\n\n# {planted}\n\n{after}",
    "{before}\n\n- a {{{{ who }}}}\n- {planted}\n\n{after}",
    "{before}\n\n> {planted}\n{after}",
    "| a | b |\n|---|---|\n| {{{{ who }}}} | {planted} |\n\n{after}",
    '{before}\n\n[{{{{ who }}}}](https://shop.example/ "{planted}")\n\n{after}',
    '{before}\n\n<div title="{planted}">\n\n{after}\n\n</div>',
    "{before} **{planted}** {after}",
]


@settings(max_examples=60, deadline=None)
@given(before=TEXT, planted=PLANTED, after=TEXT, shape=st.sampled_from(MARKDOWN))
async def test_of_markdown(before: str, planted: str, after: str, shape: str) -> None:
    source = shape.format(before=before, planted=planted, after=after)
    assert await told(Written(source, SourceType.MARKDOWN)) == [at(source, planted, "source")]


def blocks_with(planted: str) -> list[tuple[dict[str, Any], str, str]]:
    """(a block, the path within it, the text there)."""
    text = f"one\n{{{{ who }}}} {planted}"
    shop = f"https://shop.example/{planted}"
    leaf = {"type": "text", "text": text}
    return [
        (leaf, ".text", text),
        ({"type": "heading", "text": text}, ".text", text),
        ({"type": "button", "text": "{{ who }}", "href": shop}, ".href", shop),
        ({"type": "image", "media_id": "media_7", "alt": text}, ".alt", text),
        ({"type": "social", "links": [{"network": "{{ who }}", "href": shop}]}, ".links[0].href", shop),
        ({"type": "footer", "text": text}, ".text", text),
        ({"type": "columns", "columns": [{"blocks": []}, {"blocks": [leaf]}]}, ".columns[1].blocks[0].text", text),
        ({"type": "conditional", "condition": "who", "blocks": [leaf]}, ".blocks[0].text", text),
        ({"type": "conditional", "condition": "nobody", "blocks": [{"type": "text", "text": text}],
          "otherwise": [leaf]}, ".otherwise[0].text", text),
        ({"type": "products", "each": "items", "image": "", "href": "", "price": text}, ".price", text),
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(planted=PLANTED, which=st.integers(0, 9), before=TEXT, again=st.booleans())
async def test_of_block_documents(planted: str, which: int, before: str, again: bool) -> None:
    block, path, text = blocks_with(planted)[which]
    never = (
        {"type": "conditional", "condition": "nobody", "blocks": [block]} if block["type"] != "conditional" else None
    )
    first = [{"type": "text", "text": before}, {"type": "heading", "text": "{{ who }}"}]
    first += [never] if again and never else []
    document = orjson.dumps({"preheader": before[:500], "blocks": [*first, block]}).decode()
    written = Written(document, SourceType.BLOCKS)
    html = compile_source(SourceType.BLOCKS, document, inline=False, images=AnyImage())
    found = [(one.field, one.line, one.column) for one in await missing(html, written)]
    field, line, column = at(text, planted, f"source.blocks[{len(first)}]{path}")
    assert found == [(field, line, column)]


class AnyImage(dict[str, Shown]):
    """There is one of every id."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> Shown:
        return Shown("https://media.example/x.png", 300)


async def test_of_the_lists_of_products() -> None:
    document = {"blocks": [
        {"type": "text", "text": "Hi"},
        {"type": "products", "each": "cart.lines", "title": "", "image": "", "price": "", "href": "https://shop.example"},
        {"type": "conditional", "condition": "who", "blocks": [
            {"type": "products", "each": "cart", "item": "one", "href": "https://shop.example"}]},
    ]}  # fmt: skip
    found = await told(Written(orjson.dumps(document).decode(), SourceType.BLOCKS))
    assert found == [("source.blocks[1].each", 1, 1), ("source.blocks[2].blocks[0].each", 1, 1)]


@settings(max_examples=40, deadline=None)
@given(before=TEXT, planted=PLANTED, after=TEXT, preheader=TEXT, inline=st.booleans(), within=st.booleans())
async def test_of_html_with_a_preheader(
    before: str, planted: str, after: str, preheader: str, inline: bool, within: bool
) -> None:
    source = f"<style>p {{ color: red }}</style><body><p>{before}</p><p>{'' if within else planted}</p>{after}</body>"
    preheader = f"{preheader} {planted}" if within else preheader
    if inline:
        written = Written(source, SourceType.HTML, inline_css=True, preheader=preheader)
        field = "source"
    else:
        written, field = Written(html=source, preheader=preheader), "html_content"
    html = compile_source(SourceType.HTML, source, inline=inline)
    html = with_preheader(html, preheader)
    shown = [(one.field, one.line, one.column) for one in await missing(html, written)]
    assert set(await checked(html, written)) == set(shown)
    assert shown == [at(preheader, planted, "preheader") if within else at(source, planted, field)]


async def test_of_a_shared_block_and_its_derived_text() -> None:
    block = '<p class="a">Bye</p>\n {{ gone }}'
    main = "# Hi {{ who }}\n\n{% render 'end' %} {{ other }}\n"
    html = Parts(compile_source(SourceType.MARKDOWN, main, inline=False), {"end": block}).pack()
    found = await missing(html, Written(main, SourceType.MARKDOWN), text=plain_text(html))
    assert found == [
        Missing("html_content", "end", 2, 5, "gone"),
        Missing("source", "", 3, 23, "other"),
    ]


async def test_a_text_of_its_own_has_its_own_places() -> None:
    html = compile_source(SourceType.MARKDOWN, "Hi {{ gone }}\n", inline=False)
    found = await missing(html, Written("Hi {{ gone }}\n", SourceType.MARKDOWN), text="\n\nHello {{ gone }}")
    assert found == [Missing("source", "", 1, 7, "gone"), Missing("text_content", "", 3, 10, "gone")]


async def test_what_fails_is_told_where_it_was_written() -> None:
    source = "# Hi\n\nOne {{ who }}\n\ntwo {{ 1 | divided_by: nought }}\n"
    written = Written(source, SourceType.MARKDOWN)
    html = compile_source(SourceType.MARKDOWN, source, inline=False)
    with pytest.raises(RenderError) as caught:
        await missing(html, written)
    assert (caught.value.fields[0].field, caught.value.fields[0].message) == (
        "source",
        "line 5, column 12: divided_by: can't divide by 0",
    )


async def test_html_of_another_compiler_is_told_as_it_is() -> None:
    """A version that was saved when compilers wrote something else: places of its HTML, not wrong ones of the source."""
    found = await missing("<p>{{ who }}\n{{ gone }}{{ who }}</p>", Written("Hi {{ gone }}", SourceType.MARKDOWN))
    assert found == [Missing("html_content", "", 2, 4, "gone")]
