"""What may be known of a contact: an address, five texts, tags, and attributes, of which some are declared with a type.

Owns: contact_fields.
"""

from tidings.audience.fields._clean import PHONE_LIMIT, TEXT_LIMIT, ContactFields, clean_contact, clean_tags
from tidings.audience.fields._contact_fields import (
    FieldExists,
    FieldNotFound,
    ValuesDoNotFit,
    create_contact_field,
    delete_contact_field,
    get_contact_field,
    update_contact_field,
)
from tidings.audience.fields._declared import RESERVED, declare_fields, declared_fields
from tidings.audience.fields._types import ContactField, FieldType

__all__ = [
    "PHONE_LIMIT",
    "RESERVED",
    "TEXT_LIMIT",
    "ContactField",
    "ContactFields",
    "FieldExists",
    "FieldNotFound",
    "FieldType",
    "ValuesDoNotFit",
    "clean_contact",
    "clean_tags",
    "create_contact_field",
    "declare_fields",
    "declared_fields",
    "delete_contact_field",
    "get_contact_field",
    "update_contact_field",
]
