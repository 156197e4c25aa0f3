"""A list's own confirmation: it must say something that can be read, and lead to the page where people confirm."""

from datetime import datetime
from typing import Any

from tidings import content
from tidings.core.errors import Invalid

_HERE = "https://confirm.invalid/s/0123456789"


async def check_confirmation(*, subject: str, html: str, text: str, public_url: str, now: datetime) -> None:
    """Raises Invalid, TemplateInvalid or RenderError naming the field: confirm_subject, confirm_html or confirm_text."""
    if not (subject or html or text):
        return
    samples: dict[str, Any] = {
        "confirm_url": _HERE,
        "list_names": "News",
        "lists": ["News"],
        "sender": "Sample",
        "days": 7,
        "email": "ann@example.com",
        "first_name": "Ann",
        "last_name": "Lee",
    }
    try:
        shown = await content.preview(
            subject=subject,
            html_content=html,
            text_content=text,
            variables=samples,
            workspace_name="Sample",
            postal_address="",
            public_url=public_url,
            now=now,
        )
    except Invalid as error:
        field = _FIELDS.get(error.fields[0].field.partition(".")[0], "confirm_html")
        raise Invalid.at(field, error.fields[0].message) from None
    for field, source in (("confirm_subject", subject), ("confirm_html", html), ("confirm_text", text)):
        if "unsubscribe_url" in source or "preferences_url" in source:
            raise Invalid.at(field, "cannot use unsubscribe_url: whoever has not confirmed is on no list yet")
    if html and _HERE not in shown.html:
        raise Invalid.at("confirm_html", "must lead to {{ confirm_url }}, where people confirm")
    if text and _HERE not in shown.text:
        raise Invalid.at("confirm_text", "must lead to {{ confirm_url }}, where people confirm")


_FIELDS = {"subject": "confirm_subject", "html_content": "confirm_html", "text_content": "confirm_text"}
