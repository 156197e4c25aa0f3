"""Who may do this? Workspaces, API keys with scopes, idempotency keys, the audit trail.

Owns: workspaces, api_keys, idempotency_keys, audit_entries. Emits nothing.
"""

from tidings.accounts._audit import audit, audit_all, audit_each
from tidings.accounts._idempotency import Answer, claim_key, forget_answers, remember_answer
from tidings.accounts._keys import (
    ApiKey,
    authenticate,
    create_api_key,
    find_api_key,
    list_api_keys,
    revoke_api_key,
)
from tidings.accounts._principal import OPERATOR, SCOPES, SYSTEM, MissingScope, Principal
from tidings.accounts._workspaces import Workspace, all_workspaces, create_workspace, get_workspace, update_workspace

__all__ = [
    "OPERATOR",
    "SCOPES",
    "SYSTEM",
    "Answer",
    "ApiKey",
    "MissingScope",
    "Principal",
    "Workspace",
    "all_workspaces",
    "audit",
    "audit_all",
    "audit_each",
    "authenticate",
    "claim_key",
    "create_api_key",
    "create_workspace",
    "find_api_key",
    "forget_answers",
    "get_workspace",
    "list_api_keys",
    "remember_answer",
    "revoke_api_key",
    "update_workspace",
]
