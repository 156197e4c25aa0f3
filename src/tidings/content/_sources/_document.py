"""The block document: what it may hold. Its JSON Schema is the API's, and the visual editor's."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from tidings.content._parse import TemplateInvalid
from tidings.core.errors import FieldProblem

_MOST_BLOCKS = 200

_COLOUR = r"^#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"
_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,60}$"
_PATH = r"^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$"
_MEDIA = r"^media_[1-9][0-9]{0,17}$"
_LANGUAGE = r"^(?:[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)?$"
_MEANT = {
    _COLOUR: "must be a colour such as #1d4ed8",
    _NAME: "must be a name of letters, digits and _, such as item",
    _PATH: "must be the name of a list, such as items or order.lines",
    _MEDIA: "must be the id of an uploaded image, such as media_1",
    _LANGUAGE: "must be the code of a language, such as en or pt-BR",
}
"""What each pattern is for, in words."""
Colour = Annotated[str, Field(pattern=_COLOUR, examples=["#1d4ed8"])]
Url = Annotated[str, Field(min_length=1, max_length=2000, description="Liquid", examples=["https://shop.example/"])]
Line = Annotated[str, Field(max_length=2000, description="Liquid")]
Align = Literal["left", "center", "right"]
Name = Annotated[str, Field(pattern=_NAME)]
Path = Annotated[str, Field(pattern=_PATH, max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Heading(_Strict):
    """A heading."""

    type: Literal["heading"]
    text: Line
    level: Annotated[int, Field(ge=1, le=3)] = 1
    align: Align = "left"
    color: Colour | None = None


class Text(_Strict):
    """Paragraphs."""

    type: Literal["text"]
    text: Annotated[str, Field(max_length=100_000, description="Markdown with Liquid")]
    align: Align = "left"
    color: Colour | None = None


class Image(_Strict):
    """A picture: one that was uploaded, or one from elsewhere."""

    type: Literal["image"]
    media_id: Annotated[
        str | None,
        Field(pattern=_MEDIA, description="an uploaded image: its address, size and alt text"),
    ] = None
    src: Annotated[Url | None, Field(validate_default=True, description="Liquid, in place of media_id")] = None
    alt: Line = ""
    href: Url | None = None
    width: Annotated[
        int | None, Field(ge=1, le=600, description="pixels; null: as wide as it is, or as there is room")
    ] = None
    align: Align = "center"

    @field_validator("src")
    @classmethod
    def _one_source(cls, src: str | None, told: ValidationInfo) -> str | None:
        if "media_id" in told.data and (src is None) == (told.data["media_id"] is None):
            raise ValueError("give either src, or media_id of an uploaded image")
        return src


class Button(_Strict):
    """A link that looks like a button."""

    type: Literal["button"]
    text: Line
    href: Url
    align: Align = "left"
    color: Colour | None = None
    text_color: Colour = "#ffffff"


class Divider(_Strict):
    """A rule."""

    type: Literal["divider"]
    color: Colour = "#e5e7eb"


class Spacer(_Strict):
    """Room."""

    type: Literal["spacer"]
    height: Annotated[int, Field(ge=1, le=200, description="pixels")] = 24


class SocialLink(_Strict):
    """One network."""

    network: Annotated[str, Field(min_length=1, max_length=40, examples=["Mastodon"])]
    href: Url


class Social(_Strict):
    """Links to where else one is found, as words: no pictures from elsewhere."""

    type: Literal["social"]
    links: Annotated[list[SocialLink], Field(min_length=1, max_length=10)]
    align: Align = "center"


class Footer(_Strict):
    """Small print, with the sender's address and the way to leave."""

    type: Literal["footer"]
    text: Annotated[str, Field(max_length=10_000, description="Markdown with Liquid, before address and links")] = ""


class Products(_Strict):
    """A row for each item of a list: picture, title, price, button."""

    type: Literal["products"]
    each: Annotated[Path, Field(description="the list, such as `contact.cart`", examples=["products"])]
    item: Annotated[Name, Field(description="what an item is called below")] = "product"
    limit: Annotated[int, Field(ge=1, le=50)] = 10
    image: Line = "{{ product.image }}"
    title: Line = "{{ product.title }}"
    price: Line = "{{ product.price }}"
    href: Line = "{{ product.url }}"
    button: Line = ""


Leaf = Heading | Text | Image | Button | Divider | Spacer | Social


class Column(_Strict):
    """One of several beside each other; below each other on a phone."""

    blocks: Annotated[list[Annotated[Leaf, Field(discriminator="type")]], Field(max_length=50)]
    width: Annotated[int | None, Field(ge=5, le=95, description="percent; null: an equal share")] = None


class Columns(_Strict):
    """Blocks beside each other."""

    type: Literal["columns"]
    columns: Annotated[list[Column], Field(min_length=2, max_length=4)]


class Conditional(_Strict):
    """Blocks for those recipients only of whom something is true."""

    type: Literal["conditional"]
    condition: Annotated[
        str, Field(min_length=1, max_length=1000, description="as in Liquid's `if`", examples=["plan == 'pro'"])
    ]
    blocks: "Annotated[list[Inner], Field(min_length=1, max_length=50)]"
    otherwise: "Annotated[list[Inner], Field(max_length=50)]" = Field(default_factory=list)


Inner = Annotated[Leaf | Products | Columns | Footer, Field(discriminator="type")]
Block = Annotated[Leaf | Products | Columns | Footer | Conditional, Field(discriminator="type")]


class Theme(_Strict):
    """Colours of the whole."""

    accent: Annotated[Colour, Field(description="buttons, links")] = "#1d4ed8"
    background: Colour = "#f3f4f6"
    sheet: Colour = "#ffffff"
    text: Colour = "#1f2937"


class Document(_Strict):
    """A message as blocks."""

    language: Annotated[
        str,
        Field(
            pattern=_LANGUAGE, max_length=35, description="that it is written in, for screen readers", examples=["en"]
        ),
    ] = ""
    preheader: Annotated[str, Field(max_length=500, description="Liquid; what inboxes show beside the subject")] = ""
    theme: Theme = Field(default_factory=Theme)
    blocks: Annotated[list[Block], Field(min_length=1, max_length=_MOST_BLOCKS)]


Conditional.model_rebuild()
Document.model_rebuild()


def document_schemas() -> dict[str, Any]:
    """JSON Schemas for OpenAPI: `Document`, and those it is made of under `Document…`."""
    schema = Document.model_json_schema(ref_template="#/components/schemas/Document{model}")
    parts = schema.pop("$defs")
    return {"Document": schema} | {f"Document{name}": part for name, part in parts.items()}


def read_document(told: Any, *, field: str) -> Document:
    """A checked document. Raises TemplateInvalid naming each path that is wrong: `source.blocks[2].href`."""
    try:
        return Document.model_validate(told)
    except ValidationError as error:
        problems = tuple(
            FieldProblem(_path(field, told, one["loc"]), _message(one["msg"])) for one in error.errors()[:50]
        )
    told_of = "; ".join(f"{one.field}: {one.message}" for one in problems)
    raise TemplateInvalid(told_of[:1000], fields=problems)


def _path(field: str, told: Any, steps: tuple[int | str, ...]) -> str:
    """pydantic names the kind of block among the steps: it is not in the document."""
    path, at, in_list = field, told, False
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
            at, in_list = (at[step] if isinstance(at, list) and step < len(at) else None), True
            continue
        if not in_list or not isinstance(at, dict) or at.get("type") != step:
            path += f".{step}"
            at = at.get(step) if isinstance(at, dict) else None
        in_list = False
    return path


def _message(message: str) -> str:
    if pattern := re.fullmatch(r"String should match pattern '(.*)'", message):
        return _MEANT.get(pattern[1], "has characters that do not belong here")
    if short := re.fullmatch(r"List should have at least (\d+) items? after validation, not \d+", message):
        return f"must have at least {short[1]} item{'' if short[1] == '1' else 's'}"
    message = (
        message.replace("Input tag ", "")
        .replace(" found using 'type'", "")
        .replace("the expected tags", "the types of block here")
    )
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:].replace("dictionary or instance of ", "object, a ")
