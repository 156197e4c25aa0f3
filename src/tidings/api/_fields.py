"""Types of request fields that all routers share: ids, and text that can be stored, shown and put into a header."""

import unicodedata
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    InstanceOf,
    Strict,
    StringConstraints,
    WithJsonSchema,
)

from tidings.core.errors import Invalid
from tidings.core.ids import ProviderId, RouteId, parse_id
from tidings.delivery import Way


class Body(BaseModel):
    """Base of request bodies. A field we do not know is refused, so a misspelt one is never silently dropped."""

    model_config = ConfigDict(extra="forbid")


def _line(text: str) -> str:
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            raise ValueError("must be one line without control characters")
    return text


def _prose(text: str) -> str:
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cs"} and character not in "\n\r\t":
            raise ValueError("must not have control characters")
    return text


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), AfterValidator(_line)]
"""One line of 1 to 255 characters: names of things."""

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=255), AfterValidator(_line)]
"""One line, empty or up to 255 characters."""

Prefix = Annotated[str, StringConstraints(max_length=50), AfterValidator(_line)]
"""What stands before a line of text: one line of up to 50 characters, spaces at its end among them."""

Prose = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_prose)]
"""Text of up to 1000 characters, line breaks allowed: descriptions, reasons, postal addresses."""

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000), AfterValidator(_prose)]
"""The same, and not empty."""


Flag = Annotated[bool, Strict()]
"""`true` or `false` of a JSON body, and nothing that is taken for one, such as "yes" or 1."""


def _ref(kind: str) -> object:
    def read(value: object) -> int:
        if not isinstance(value, str):
            raise ValueError(f"must be an id such as {kind}_123")  # noqa: TRY004 - pydantic wants ValueError
        try:
            return parse_id(kind, value, field=kind)
        except Invalid as error:
            raise ValueError(error.fields[0].message) from None

    return BeforeValidator(read)


def _schema(kind: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{kind}_[1-9][0-9]*$", "examples": [f"{kind}_123"]})


# "contact_123" outside, 123 inside: in paths, queries and bodies alike.
ContactRef = Annotated[int, _ref("contact"), _schema("contact")]
ListRef = Annotated[int, _ref("list"), _schema("list")]
SuppressionRef = Annotated[int, _ref("suppression"), _schema("suppression")]
ImportRef = Annotated[int, _ref("import"), _schema("import")]
BlockRef = Annotated[int, _ref("block"), _schema("block")]
MediaRef = Annotated[int, _ref("media"), _schema("media")]
AttachmentRef = Annotated[int, _ref("attachment"), _schema("attachment")]
TemplateRef = Annotated[int, _ref("template"), _schema("template")]
CampaignRef = Annotated[int, _ref("campaign"), _schema("campaign")]
FormRef = Annotated[int, _ref("form"), _schema("form")]
ConsentRef = Annotated[int, _ref("consent"), _schema("consent")]
SegmentRef = Annotated[int, _ref("segment"), _schema("segment")]
ProviderRef = Annotated[int, _ref("provider"), _schema("provider")]
RouteRef = Annotated[int, _ref("route"), _schema("route")]
MessageRef = Annotated[int, _ref("message"), _schema("message")]
InboundRef = Annotated[int, _ref("inbound"), _schema("inbound")]
MailboxRef = Annotated[int, _ref("mailbox"), _schema("mailbox")]
DomainRef = Annotated[int, _ref("domain"), _schema("domain")]
FieldRef = Annotated[int, _ref("field"), _schema("field")]
TagRef = Annotated[int, _ref("tag"), _schema("tag")]


def _way(value: object) -> Way:
    if not isinstance(value, str):
        raise ValueError("must be an id such as provider_123 or route_123")  # noqa: TRY004 - pydantic wants ValueError
    try:
        if value.startswith("route_"):
            return Way(route=RouteId(parse_id("route", value, field="route")))
        return Way(provider=ProviderId(parse_id("provider", value, field="provider")))
    except Invalid:
        raise ValueError(f"must be an id such as provider_123 or route_123, not {value[:60]!r}") from None


WayRef = Annotated[
    InstanceOf[Way],
    BeforeValidator(_way),
    WithJsonSchema(
        {"type": "string", "pattern": "^(provider|route)_[1-9][0-9]*$", "examples": ["provider_123", "route_123"]}
    ),
]
"""What something goes through: a provider, or a route with several."""
