"""What every message must say and a template may have left out: how to leave, and who is writing from where.

The preview and the wire message both get it here, so that one shows what the other sends.
"""

from tidings.content._markup import TOKENS, mask
from tidings.content._outermost import edit_document
from tidings.content._parse import compiles_alone, parse, wanted_variables
from tidings.content._parts import unpack

_WHO_HTML = "{{ workspace.name }}{% if workspace.postal_address %} · {{ workspace.postal_address }}{% endif %}"
_LINK_HTML = '<a href="{{ unsubscribe_url }}" style="color:#6b6b6b">Unsubscribe</a>'
_BOX = (
    '<div style="margin:24px auto 0;padding:12px;max-width:600px;text-align:center;'
    'font:12px/18px Arial,Helvetica,sans-serif;color:#6b6b6b">'
)
# The line break in quotes survives a template that ends with `-}}` or `-%}`.
_RULE = "\n{{ '\n' }}-- \n"
_WHO_TEXT = "{{ workspace.name }}{% if workspace.postal_address %}\n{{ workspace.postal_address }}{% endif %}\n"
_LINK_TEXT = "Unsubscribe: {{ unsubscribe_url }}\n"

_WITH_ADDRESS = "{% if workspace.postal_address %}", "{% endif %}"


def with_footer(source: str, *, html: bool, written: str | None = None, pixel: str = "") -> str:
    """The Liquid source with what it does not say: the unsubscribe link, the postal address, or both.

    `written` is what its author wrote, where `source` has been edited since; `pixel` goes in after the footer of HTML.
    Raises TemplateInvalid.
    """
    judged = source if written is None else written
    field = "html_content" if html else "text_content"
    wanted = wanted_variables(parse(judged, html=html, field=field))
    who, link = (path not in wanted for path in ("workspace.postal_address", "unsubscribe_url"))
    parts = unpack(source)
    if html:
        addition = _html(who=who, link=link) + pixel
        return edit_document(parts, lambda text: _before_body_end(text, addition)).pack()
    footer = _text(who=who, link=link)
    return edit_document(parts, lambda text: text.rstrip(" \t\r\n") + footer).pack() if footer else source


def _html(*, who: bool, link: bool) -> str:
    if not who and not link:
        return ""
    box = _BOX + "<br>".join([_WHO_HTML] * who + [_LINK_HTML] * link) + "</div>"
    return box if link else box.join(_WITH_ADDRESS)


def _text(*, who: bool, link: bool) -> str:
    if not who and not link:
        return ""
    lines = _RULE + _WHO_TEXT * who + _LINK_TEXT * link
    return lines if link else lines.join(_WITH_ADDRESS)


def _before_body_end(source: str, addition: str) -> str:
    """Put it before `</body>`, unless that stands under a condition: then at the end, where it is always seen."""
    if not addition:
        return source
    masked = mask(source)
    ends = [one.start() for one in TOKENS.finditer(masked.text) if one["close"] and one["name"].lower() == "body"]
    if ends:
        head = masked.restore(masked.text[: ends[-1]], 0)
        if compiles_alone(head, html=True, wire=True):
            return head + addition + source[len(head) :]
    return source + addition
