"""Which problems an operation may answer with: told by what it takes, and by this table where that is not enough."""

from typing import Any

from tidings.api._idempotency import HEADER
from tidings.api.problems import KINDS
from tidings.core.errors import TidingsError

_MISSING = {
    "contact_id": "contact_not_found",
    "list_id": "list_not_found",
    "import_id": "import_not_found",
    "template_id": "template_not_found",
    "block_id": "block_not_found",
    "campaign_id": "campaign_not_found",
    "segment_id": "segment_not_found",
    "provider_id": "provider_not_found",
    "route_id": "route_not_found",
    "key_id": "api_key_not_found",
    "message_id": "message_not_found",
    "suppression_id": "suppression_not_found",
    "form_id": "form_not_found",
    "consent_id": "consent_not_found",
    "field_id": "contact_field_not_found",
    "tag_id": "tag_not_found",
    "media_id": "media_not_found",
    "attachment_id": "attachment_not_found",
}

_SAVING = {
    "contact": ("contact_exists", "invalid_address"),
    "list": ("list_exists",),
    "segment": ("segment_exists", "segment_invalid"),
    "form": ("form_exists", "no_sender"),
    "tag": ("tag_exists",),
    "template": ("invalid_template", "invalid_attachment"),
    "block": ("invalid_template", "block_exists"),
    "campaign": ("campaign_wrong_state", "not_ready"),
}

_OF_OPERATION: dict[str, tuple[str, ...]] = {
    "create_campaign": ("not_ready", "invalid_attachment"),
    "upload_attachment": ("invalid_attachment",),
    "list_contacts": ("invalid_address", "list_not_found"),
    "get_contact_by_email": ("invalid_address", "contact_not_found"),
    "upsert_contact": ("invalid_address",),
    "create_contact_field": ("contact_field_exists", "contact_field_values_do_not_fit"),
    "delete_contact_field": ("contact_field_in_use",),
    "tag_segment": ("segment_invalid",),
    "update_contact_field": ("contact_field_values_do_not_fit",),
    "start_subscription": ("invalid_address", "no_sender", "no_provider", "consent_refused"),
    "resend_confirmation": ("no_sender", "no_provider", "consent_refused"),
    "list_consents": ("invalid_address",),
    "list_suppressions": ("invalid_address", "list_not_found"),
    "lift_suppressions": ("consent_required",),
    "delete_list": ("list_in_use",),
    "delete_segment": ("segment_in_use",),
    "preview_conditions": ("segment_invalid", "segment_too_slow"),
    "preview_segment": ("segment_invalid", "segment_too_slow"),
    "list_segment_contacts": ("segment_invalid", "segment_too_slow"),
    "delete_template": ("template_in_use",),
    "delete_block": ("block_in_use",),
    "update_block": ("block_in_use",),
    "put_block": ("block_in_use",),
    "preview_template": ("invalid_template", "render_failed"),
    "restore_version": ("invalid_template", "invalid_attachment"),
    "retry_campaign": ("campaign_wrong_state", "attachment_deleted", "provider_deleted"),
    "campaign_audience": ("segment_invalid",),
    "count_audience": ("segment_invalid",),
    "explain_recipient": ("segment_invalid",),
    "explain_address": ("segment_invalid", "invalid_address"),
    "delete_campaign": ("campaign_wrong_state",),
    "send_campaign": (
        "campaign_wrong_state",
        "not_ready",
        "invalid_template",
        "invalid_attachment",
        "template_not_found",
    ),
    "pause_campaign": ("campaign_wrong_state",),
    "resume_campaign": ("campaign_wrong_state",),
    "cancel_campaign": ("campaign_wrong_state",),
    "add_provider": ("provider_in_use",),
    "update_provider": ("provider_in_use",),
    "delete_provider": ("provider_in_use",),
    "add_route": ("route_in_use",),
    "update_route": ("route_in_use",),
    "send_message": ("invalid_message", "invalid_template", "render_failed"),
    "list_messages": ("invalid_address",),
    "unsubscribe": ("rate_limited", "unavailable"),
    "ready": ("unavailable",),
    "upload_media": ("invalid_image", "media_busy"),
    "delete_attachment": ("attachment_in_use",),
    "delete_media": ("media_in_use", "media_busy"),
    "upload_import": ("broken_file", "contact_field_values_do_not_fit"),
    "start_import": ("import_state", "contact_field_values_do_not_fit"),
    "dry_run_import": ("import_state",),
    "cancel_import": ("import_state",),
}


def codes(operation: dict[str, Any]) -> list[str]:
    """The codes of the problems that are to be expected of this operation of the OpenAPI document."""
    name: str = operation["operationId"]
    parameters: list[dict[str, Any]] = operation.get("parameters", [])
    act, _, thing = name.partition("_")
    found: list[str] = []
    if "x-scope" in operation:
        found += ["unauthenticated", "missing_scope", "rate_limited", "unavailable"]
    found += [_MISSING[p["name"]] for p in parameters if p["name"] in _MISSING]
    if "requestBody" in operation:
        found += ["invalid", "malformed_json", "unsupported_media_type", "body_too_large"]
    elif parameters:
        found.append("invalid")
    if any(p["name"] == HEADER for p in parameters):
        found += ["idempotency_key_reused", "idempotency_still_running"]
    if act in {"create", "update", "put"} and name not in _OF_OPERATION:
        found += _SAVING.get(thing, ())
    found += _OF_OPERATION.get(name, ())
    return list(dict.fromkeys(found))


def known() -> dict[str, tuple[int, str]]:
    """Status and meaning of every code that an error of ours has."""
    found: dict[str, tuple[int, str]] = {}
    waiting: list[type[TidingsError]] = [TidingsError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        status = next((status for base, status, _ in KINDS if issubclass(kind, base)), 500)
        found.setdefault(kind.code, (status, (kind.__doc__ or "").partition("\n")[0]))
    return found
