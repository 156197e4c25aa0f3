# ruff: noqa: E501 - templates read better unbroken
"""Previews: samples stand for a contact, and say so when they cannot."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tidings.content import Preview, RenderError, TemplateInvalid, preview
from tidings.core.errors import Invalid

NEEDED = "{{ unsubscribe_url }}{{ workspace.postal_address }}"
"""Templates that say this get no footer."""
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


async def shown(html: str, variables: dict[str, Any], *, subject: str = "S", text: str = "") -> Preview:
    """A preview in Acme's workspace."""
    return await preview(
        subject=subject,
        html_content=html,
        text_content=text,
        variables=variables,
        workspace_name="Acme & Sons",
        postal_address="1 Main Street",
        public_url="https://t.example",
        now=NOW,
    )


async def test_samples_are_fields_attributes_and_groups() -> None:
    html = (
        "{{ first_name }}|{{ contact.first_name }}|{{ name }}|{{ plan }}|{{ contact.plan }}|{{ contact.city }}|{{ tags | join: ',' }}|"
        "{{ campaign.name }}|{{ workspace.name }}|{{ created_at | date: '%Y' }}|{{ unsubscribe_url }}|{{ campaign.subject }}|{{ nope }}"
    )
    variables = {
        "first_name": "Ada <3",
        "last_name": "L",
        "plan": "pro",
        "contact": {"city": "Köln"},
        "tags": ["a", "b"],
        "campaign": {"name": "June"},
        "created_at": "2020-02-03T04:05:06Z",
    }
    seen = await shown(html, variables, subject="Hi {{ first_name }}\n", text="{{ first_name }}" + NEEDED)
    assert seen.html.partition("<div")[0] == (
        "Ada &lt;3|Ada &lt;3|Ada &lt;3 L|pro|pro|Köln|a,b|June|Acme &amp; Sons|2020|https://t.example/u/preview|Hi Ada &lt;3|"
    )
    assert (seen.subject, seen.text) == ("Hi Ada <3", "Ada <3https://t.example/u/preview1 Main Street")


async def test_what_is_left_out_is_empty_as_for_a_contact_that_lacks_it() -> None:
    seen = await shown("[{{ first_name }}{{ plan }}]{% if first_name %}a{% else %}b{% endif %}<p>x</p>", {})
    assert seen.html.startswith("[]b<p>x</p><div")
    assert seen.text.startswith("[]b\n\nx\n\n-- \n")


async def test_a_name_alone_is_enough() -> None:
    assert (await shown("{{ first_name }}|{{ name }}<", {"name": "Ada Lovelace"})).html.startswith("Ada|Ada Lovelace<")


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({"first_name": 3}, "variables.first_name"),
        ({"tags": "vip"}, "variables.tags"),
        ({"contact": []}, "variables.contact"),
        ({"created_at": "yesterday"}, "variables.created_at"),
        ({"unsubscribe_url": "x"}, "variables.unsubscribe_url"),
        ({"attributes": 1}, "variables.attributes"),
        ({"workspace": {"name": 1}}, "variables.workspace.name"),
    ],
)
async def test_samples_that_no_contact_could_have(variables: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        await shown("x", variables)
    assert caught.value.fields[0].field == field


async def test_errors_name_the_part() -> None:
    with pytest.raises(RenderError, match=r"html_content: line 1, column 8: divided_by"):
        await shown("{{ 1 | divided_by: 0 }}", {})
    with pytest.raises(TemplateInvalid, match=r"subject: line 1, column 4"):
        await shown("x", {}, subject="{% if %}")
    with pytest.raises(RenderError, match="loop iterations"):
        await shown("{% for i in (1..99999) %}{% endfor %}", {})
