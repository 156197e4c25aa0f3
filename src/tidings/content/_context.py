"""What a template can say of a recipient: names, and where in a recipient's row they come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson
from liquid import Undefined

from tidings.content._own_tags import PERSONAL, RecipientUrls
from tidings.core.ids import public_id

# Positions in a recipient's row. By number: a name would cost a look-up for each recipient.
CONTACT_ID, EMAIL, FIRST_NAME, LAST_NAME, TAGS, ATTRIBUTES, CREATED_AT = 1, 2, 3, 4, 8, 9, 10
TEXT_FIELDS = {
    "email": EMAIL,
    "first_name": FIRST_NAME,
    "last_name": LAST_NAME,
    "phone": 5,
    "language": 6,
    "time_zone": 7,
}
CONTACT_FIELDS = frozenset({*TEXT_FIELDS, "id", "name", "tags", "created_at", "attributes"})
"""Members of `contact`; an attribute of the same name is reached as `contact.attributes.x`."""
TOP_FIELDS = (CONTACT_FIELDS - {"id"}) | {"contact", "campaign", "workspace", "today", "now", *PERSONAL}
"""Names at top level; any other is an attribute."""


class Row(Protocol):
    """A recipient's row: a database record, or a sequence."""

    def __getitem__(self, index: int, /) -> Any:
        """The column at this position."""
        ...


class _Nothing(str):
    """Tells Liquid's operators that it is undefined, and everything else that it is the empty string."""

    __slots__ = ()
    __class__ = property(lambda _self: Undefined)  # type: ignore[assignment]


class BlankText(str):
    """An empty field: falsy, and equal to `''`, `blank` and `empty`.

    In plain Liquid an empty string is true, so that `{% if first_name %}Hi {{ first_name }}` would greet nobody; were it
    nil instead, `{% if first_name != blank %}` would. People write both.
    """

    __slots__ = ()

    def __liquid__(self) -> object:
        """What python-liquid's operators take instead of the value."""
        return _NOTHING


_NOTHING = _Nothing()
BLANK = BlankText()


@dataclass(frozen=True, slots=True)
class Occasion:
    """What is the same for every recipient of a send."""

    campaign_id: int
    campaign_name: str
    workspace_name: str
    postal_address: str
    urls: RecipientUrls
    open: bool = False
    """Every name is one of the attributes, and nothing is known of a contact: for rendering anything with any data."""

    def campaign(self, subject: str) -> dict[str, object]:
        """`campaign.…`; the subject is the recipient's own."""
        return {
            "id": public_id("campaign", self.campaign_id),
            "name": self.campaign_name or BLANK,
            "subject": subject or BLANK,
        }

    def workspace(self) -> dict[str, object]:
        """`workspace.…`."""
        return {"name": self.workspace_name or BLANK, "postal_address": self.postal_address or BLANK}


ANYWHERE = Occasion(0, "", "", "", RecipientUrls("", lambda _token, destination: destination), open=True)
"""For templates that are no mail: see `Occasion.open`."""
NOWHERE = Occasion(0, "", "", "", RecipientUrls("", lambda _token, destination: destination))
"""For templates that are only checked."""


def read_attributes(raw: str | bytes) -> dict[str, Any]:
    """The attributes of a row."""
    attributes = orjson.loads(raw)
    return attributes if isinstance(attributes, dict) else {}


def full_context(
    row: Row, token: str, attributes: Mapping[str, Any], subject: str, occasion: Occasion
) -> dict[str, object]:
    """Everything at once, as python-liquid wants it. The compiler takes single values from the row instead."""
    if occasion.open:
        return dict(attributes)
    fields: dict[str, object] = {name: row[at] or BLANK for name, at in TEXT_FIELDS.items()}
    fields["name"] = f"{row[FIRST_NAME]} {row[LAST_NAME]}".strip() or BLANK
    fields["tags"] = row[TAGS]
    fields["created_at"] = row[CREATED_AT]
    fields["attributes"] = attributes
    return {
        **attributes,
        **fields,
        "contact": {**attributes, **fields, "id": public_id("contact", row[CONTACT_ID])},
        "campaign": occasion.campaign(subject),
        "workspace": occasion.workspace(),
        **{name: f"{occasion.urls.base}/{kind}/{token}" for name, kind in PERSONAL.items()},
        "today": datetime.now(UTC).date(),
        "now": datetime.now(UTC),
    }
