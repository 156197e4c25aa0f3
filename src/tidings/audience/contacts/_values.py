"""What a message knows of a contact, by the names that templates have for it."""

from collections.abc import Mapping
from typing import Any

from tidings.audience.contacts._contacts import get_contact
from tidings.core.db import Tx
from tidings.core.ids import ContactId, WorkspaceId

_FIELDS = ("email", "first_name", "last_name", "phone", "language", "time_zone", "tags", "created_at")


async def contact_values(
    tx: Tx, *, workspace: WorkspaceId, contact: ContactId | None, over: Mapping[str, Any]
) -> dict[str, Any]:
    """A contact's fields and `attributes`, with `over` in front of them; None: of nobody. Raises ContactNotFound."""
    known: dict[str, Any] = {}
    if contact is not None:
        person = await get_contact(tx, workspace=workspace, contact=contact)
        known = {name: getattr(person, name) for name in _FIELDS} | {"attributes": person.attributes}
    given = known | dict(over)
    if isinstance(over.get("attributes"), dict):
        given["attributes"] = known.get("attributes", {}) | over["attributes"]
    return given
