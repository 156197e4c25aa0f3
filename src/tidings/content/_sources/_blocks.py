"""A block document as MJML."""

import html
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tidings.content._markup import mask
from tidings.content._media_shown import Shown
from tidings.content._parse import TemplateInvalid, parse
from tidings.content._sources._document import (
    Block,
    Button,
    Columns,
    Conditional,
    Divider,
    Document,
    Footer,
    Heading,
    Image,
    Leaf,
    Products,
    Social,
    Spacer,
    Text,
)
from tidings.content._sources._markdown import fragment
from tidings.core.errors import FieldProblem

_SIZES = {1: ("28px", "36px"), 2: ("21px", "30px"), 3: ("17px", "26px")}
_FONT = "-apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
_DARK = """
:root { color-scheme: light dark; supported-color-schemes: light dark; }
a { color: ACCENT; }
img { font-family: -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif; }
@media (prefers-color-scheme: dark) {
  body, .page, .page > div { background: #111827 !important; }
  .sheet, .sheet > table, .sheet > div { background: #1f2937 !important; }
  .sheet div, .sheet h1, .sheet h2, .sheet h3, .sheet p { color: #e5e7eb !important; }
  .sheet a:not([style*="background"]) { color: #93c5fd !important; }
  .sheet p[style*="border-top"] { border-top-color: #4b5563 !important; }
  .small div, .small p, .small a { color: #9ca3af !important; }
}
"""


def document_to_mjml(document: Document, *, images: Mapping[str, Shown], field: str) -> str:
    """MJML of a document; `images` are the uploaded ones by id.

    Raises TemplateInvalid naming the paths of texts whose Liquid is wrong, and of images that there are none of.
    """
    _check(document, images, field)
    theme = document.theme
    body = "\n".join(_Writer(theme.sheet, theme.accent, theme.text, images).block(one) for one in document.blocks)
    preview = f"<mj-preview>{_text(document.preheader)}</mj-preview>" if document.preheader else ""
    return f"""<mjml{_attributes(lang=document.language or None)}>
<mj-head>{preview}
<mj-attributes>
<mj-all font-family="{_FONT}" color="{theme.text}" />
<mj-text font-size="16px" line-height="26px" padding="0 32px" />
<mj-button font-size="16px" inner-padding="12px 24px" padding="12px 32px" border-radius="6px" />
<mj-image padding="8px 32px" border-radius="6px" />
<mj-divider padding="16px 32px" border-width="1px" />
</mj-attributes>
<mj-raw><meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark"></mj-raw>
<mj-style>{_DARK.replace("ACCENT", theme.accent)}</mj-style>
</mj-head>
<mj-body background-color="{theme.background}" css-class="page" width="600px">
<mj-section padding="12px 0"></mj-section>
{body}
<mj-section padding="12px 0"></mj-section>
</mj-body>
</mjml>"""


class _Writer:
    def __init__(self, sheet: str, accent: str, text: str, images: Mapping[str, Shown]) -> None:
        self._sheet, self._accent, self._color, self._images = sheet, accent, text, images

    def block(self, block: Block) -> str:
        match block:
            case Conditional():
                return self._conditional(block)
            case Columns():
                return self._section(
                    "".join(
                        f"<mj-column{_attributes(width=f'{one.width}%' if one.width else None)}>"
                        f"{''.join(self._leaf(leaf) for leaf in one.blocks)}</mj-column>"
                        for one in block.columns
                    )
                )
            case Products():
                return self._products(block)
            case Footer():
                return self._footer(block)
            case _:
                return self._section(f"<mj-column>{self._leaf(block)}</mj-column>")

    def _section(self, content: str, css_class: str = "sheet") -> str:
        return f'<mj-section css-class="{css_class}" background-color="{self._sheet}" padding="8px 0">{content}</mj-section>'

    def _conditional(self, block: Conditional) -> str:
        then, other = (("\n".join(self.block(one) for one in some)) for some in (block.blocks, block.otherwise))
        middle = f"{{% else %}}{other}" if block.otherwise else ""
        return f"{{% if {block.condition} %}}{then}{middle}{{% endif %}}"

    def _products(self, block: Products) -> str:
        link = _attributes(href=block.href)
        button = (
            f'<mj-button background-color="{self._accent}" color="#ffffff" align="left"{link}>{_text(block.button)}</mj-button>'
            if block.button
            else ""
        )
        picture = _attributes(align="left", src=block.image, alt=block.title, href=block.href)
        row = self._section(
            f'<mj-column width="35%"><mj-image{picture} /></mj-column>'
            f'<mj-column width="65%"><mj-text font-weight="700">{_text(block.title)}</mj-text>'
            f"<mj-text>{_text(block.price)}</mj-text>{button}</mj-column>"
        )
        return f"{{% for {block.item} in {block.each} limit: {block.limit} %}}{row}{{% endfor %}}"

    def _footer(self, block: Footer) -> str:
        words = f"{fragment(block.text)}" if block.text else ""
        return self._section(
            '<mj-column><mj-text font-size="13px" line-height="20px" color="#6b7280" align="center">'
            f"{words}<p>{{{{ workspace.name }}}}{{% if workspace.postal_address %}} · {{{{ workspace.postal_address }}}}"
            '{% endif %}<br /><a href="{{ unsubscribe_url }}" style="color:#6b7280">Unsubscribe</a></p></mj-text></mj-column>',
            "sheet small",
        )

    def _leaf(self, leaf: Leaf) -> str:
        match leaf:
            case Heading():
                size, height = _SIZES[leaf.level]
                style = f"margin:0;font-size:{size};line-height:{height};font-weight:700"
                return (
                    f"<mj-text{_attributes(align=leaf.align, color=leaf.color)}>"
                    f'<h{leaf.level} style="{style}">{_text(leaf.text)}</h{leaf.level}></mj-text>'
                )
            case Text():
                return f"<mj-text{_attributes(align=leaf.align, color=leaf.color)}>{fragment(leaf.text)}</mj-text>"
            case Image():
                shown = self._images[leaf.media_id] if leaf.media_id else Shown(leaf.src or "")
                # Never wider than it is: it would be blurred.
                pixels = leaf.width or (min(shown.width, 600) if shown.width else None)
                width = f"{pixels}px" if pixels else None
                alt = leaf.alt or shown.alt_text
                return (
                    f"<mj-image{_attributes(src=shown.url, alt=alt, href=leaf.href, width=width, align=leaf.align)} />"
                )
            case Button():
                given = {"background-color": leaf.color or self._accent, "color": leaf.text_color}
                return (
                    f"<mj-button{_attributes(href=leaf.href, align=leaf.align, **given)}>{_text(leaf.text)}</mj-button>"
                )
            case Divider():
                return f'<mj-divider border-color="{leaf.color}" />'
            case Spacer():
                return f'<mj-spacer height="{leaf.height}px" />'
            case Social():
                links = " &nbsp;·&nbsp; ".join(
                    f"<a{_attributes(href=one.href)}>{_text(one.network)}</a>" for one in leaf.links
                )
                return f"<mj-text{_attributes(align=leaf.align)}>{links}</mj-text>"


def _attributes(**values: str | None) -> str:
    return "".join(f' {name}="{_text(value)}"' for name, value in values.items() if value is not None)


def _text(text: str) -> str:
    """Escaped, but for its Liquid."""
    masked = mask(text)
    return masked.restore(html.escape(masked.text), 0)


def _check(document: Document, images: Mapping[str, Shown], field: str) -> None:
    problems = [
        FieldProblem(path, f"there is no image {media_id}")
        for path, media_id in _images(document.blocks, f"{field}.blocks")
        if media_id not in images
    ]
    for held, name, path in liquid_fields(document, field):
        text, is_condition = str(getattr(held, name)), name == "condition"
        if is_condition and ("%}" in text or "{%" in text or "\n" in text):
            problems.append(FieldProblem(path, "must be the condition alone, without {% and %}"))
            continue
        try:
            parse(f"{{% if {text} %}}{{% endif %}}" if is_condition else text, html=True, field=path)
        except TemplateInvalid as error:
            problems += error.fields
    if problems:
        told = "; ".join(f"{one.field}: {one.message}" for one in problems)
        raise TemplateInvalid(told[:1000], fields=tuple(problems))


def liquid_fields(document: Document, field: str) -> Iterator[tuple[Any, str, str]]:
    """(what holds it, its name, its path) of all texts that end up in Liquid, in their order."""
    yield document, "preheader", f"{field}.preheader"
    yield from _of_blocks(document.blocks, f"{field}.blocks")


def _of_blocks(blocks: Iterable[Any], path: str) -> Iterator[tuple[Any, str, str]]:
    for index, block in enumerate(blocks):
        at = f"{path}[{index}]"
        for name in ("text", "src", "alt", "href", "each", "image", "title", "price", "button", "condition"):
            if isinstance(getattr(block, name, None), str):
                yield block, name, f"{at}.{name}"
        match block:
            case Social():
                for number, link in enumerate(block.links):
                    yield link, "network", f"{at}.links[{number}].network"
                    yield link, "href", f"{at}.links[{number}].href"
            case Columns():
                for number, column in enumerate(block.columns):
                    yield from _of_blocks(column.blocks, f"{at}.columns[{number}].blocks")
            case Conditional():
                yield from _of_blocks(block.blocks, f"{at}.blocks")
                yield from _of_blocks(block.otherwise, f"{at}.otherwise")
            case _:
                pass


def _images(blocks: Iterable[Any], path: str) -> Iterator[tuple[str, str]]:
    """(path, id) of all uploaded images that are shown."""
    for index, block in enumerate(blocks):
        at = f"{path}[{index}]"
        match block:
            case Image(media_id=str(media_id)):
                yield f"{at}.media_id", media_id
            case Columns():
                for number, column in enumerate(block.columns):
                    yield from _images(column.blocks, f"{at}.columns[{number}].blocks")
            case Conditional():
                yield from _images(block.blocks, f"{at}.blocks")
                yield from _images(block.otherwise, f"{at}.otherwise")
            case _:
                pass
