"""Who may do this? Workspaces, API keys with scopes, the audit trail.

Owns: workspaces, api_keys, idempotency_keys, audit_entries. Emits nothing.
"""
