"""The templates that `bench render` measures: one of a kind, in Liquid and as Jinja2 would have it."""

from dataclasses import dataclass

from tidings.content import Parts, plain_text

SIZES = {"5kb": 5_000, "50kb": 50_000}
_FILL = "<p>A paragraph of ordinary words, as newsletters have them, long enough to wrap once or twice in a mail client.</p>\n"
_LINKS = "".join(
    f'<p><a href="https://shop.example.com/offers/{number}?ref=news">Offer {number}</a></p>\n' for number in range(1, 9)
)
_HEAD = "<html><body>\n<h1>Hello {{ first_name }} {{ last_name }}</h1>\n<p>You live in {{ city }}.</p>\n"
_TAIL = (
    '<p>{{ email }}, {{ workspace.name }}, {{ workspace.postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a></p>\n'
    "</body></html>\n"
)
_LIQUID_CARD = "<p>{{ item.name }}: {{ item.price }}{% if item.new %} (new){% endif %}</p>\n"
_CONDITIONS = (
    "{% if tags contains 'vip' %}<p>You see this first.</p>{% else %}<p>Good day.</p>{% endif %}"
    "{% unless plan == 'free' %}<p>Thank you!</p>{% endunless %}"
    "{% case language %}{% when 'de' %}<p>Guten Tag!</p>{% when 'en' %}<p>Good day!</p>{% else %}<p>Hi.</p>{% endcase %}"
    "<p>{{ plan | default: 'no plan' }}</p>\n"
)
_JINJA_CONDITIONS = (
    "{% if 'vip' in tags %}<p>You see this first.</p>{% else %}<p>Good day.</p>{% endif %}"
    "{% if plan != 'free' %}<p>Thank you!</p>{% endif %}"
    "{% if language == 'de' %}<p>Guten Tag!</p>{% elif language == 'en' %}<p>Good day!</p>{% else %}<p>Hi.</p>{% endif %}"
    "<p>{{ plan | default('no plan', true) }}</p>\n"
)
_LOOP = "{% for item in basket %}" + _LIQUID_CARD + "{% endfor %}"
_PARTIALS = "{% render 'greeting', name: first_name %}{% render 'card' for basket as item %}"
_JINJA_PARTIALS = (
    "{% with name = first_name %}{% include 'greeting' %}{% endwith %}"
    "{% for item in basket %}{% include 'card' %}{% endfor %}"
)
_FALLBACK = (
    "<table>{% tablerow item in basket cols: 2 %}{{ item.name }}{% endtablerow %}</table>"
    "{% for item in basket %}{% cycle 'odd', 'even' %}{{ item.name }}{% endfor %}"
    "{% for item in basket %}{% ifchanged %}{{ item.new }}{% endifchanged %}{% endfor %}\n"
)
_JINJA_FALLBACK = (
    "<table><tr>{% for item in basket %}<td>{{ item.name }}</td>{% if loop.index is divisibleby 2 %}</tr><tr>{% endif %}"
    "{% endfor %}</tr></table>{% for item in basket %}{{ loop.cycle('odd', 'even') }}{{ item.name }}{% endfor %}"
    "{% for item in basket %}{% if loop.changed(item.new) %}{{ item.new }}{% endif %}{% endfor %}\n"
)
_KINDS: dict[str, tuple[str, str]] = {
    "plain": ("", ""),
    "conditional": (_CONDITIONS, _JINJA_CONDITIONS),
    "looping": (_LOOP, _LOOP),
    "partials": (_PARTIALS, _JINJA_PARTIALS),
    "fallback": (_FALLBACK, _JINJA_FALLBACK),
}
KINDS = tuple(_KINDS)
BLOCKS = {"greeting": "<p>Dear {{ name }},</p>\n", "card": _LIQUID_CARD}
"""Alike in Liquid and Jinja2."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One template, about as long as a message of its size has it."""

    liquid: str
    """With its blocks packed in."""
    liquid_text: str
    jinja: str
    jinja_text: str


def template(kind: str, size: str) -> Measured:
    """A template of a kind, such that HTML and text part together come to about this size."""
    liquid, jinja = (_HEAD + middle + _LINKS for middle in _KINDS[kind])
    fill = _FILL * max(0, (SIZES[size] - 2_300) // len(_FILL))
    blocks = BLOCKS if kind == "partials" else {}
    short = _HEAD + _TAIL
    return Measured(
        liquid=Parts(liquid + fill + _TAIL, blocks).pack(),
        liquid_text=plain_text(short),
        jinja=jinja + fill + _TAIL,
        jinja_text=plain_text(short),
    )
