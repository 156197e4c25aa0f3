"""API keys: seen once, kept as a hash.

A key is 256 random bits, so a plain SHA-256 at rest is enough: there is nothing to guess, and nothing to stretch.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tidings.accounts._audit import audit
from tidings.accounts._principal import SCOPES, Principal
from tidings.core.db import Tx
from tidings.core.errors import Invalid, NotFound, Unauthenticated
from tidings.core.ids import WorkspaceId, parse_id, public_id

PREFIX = "tk_"
KEY_LIMIT = 100
"""No real key is longer (they have 46 characters); longer ones are not even hashed."""

NAME_LIMIT = 255


class ApiKeyNotFound(NotFound):
    """There is no such key in this workspace."""

    code = "api_key_not_found"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What may be known of a key after its making: everything but the key."""

    id: int
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


async def create_api_key(
    tx: Tx, *, workspace: WorkspaceId, name: str, scopes: Iterable[str], now: datetime, by: Principal | None = None
) -> str:
    """Make a key and return it: the only time it is seen. Raises Invalid for unknown scopes.

    `by` is the principal who grants it and who can grant only what they hold; None is the installation itself.
    """
    granted = sorted(set(scopes))
    if unknown := [scope for scope in granted if scope not in SCOPES]:
        raise Invalid.at("scopes", f"{unknown[0][:60]!r} is not a scope; there are {', '.join(SCOPES)}")
    if not granted:
        raise Invalid.at("scopes", "must name at least one scope")
    if not 1 <= len(name.strip()) <= NAME_LIMIT:
        raise Invalid.at("name", f"must have 1 to {NAME_LIMIT} characters")
    if by is not None:
        for scope in granted:
            by.require(scope)
    key = PREFIX + secrets.token_urlsafe(32)
    number = await tx.fetchval(
        """INSERT INTO api_keys (workspace_id, name, key_hash, scopes, created_at)
           VALUES ($1, $2, $3, $4, $5) RETURNING id""",
        workspace,
        name.strip(),
        digest(key),
        granted,
        now,
    )
    if by is not None:
        detail = {"name": name.strip(), "scopes": granted}
        await audit(tx, by=by, action="api_key.created", subject=public_id("key", number), detail=detail, now=now)
    return key


async def authenticate(tx: Tx, *, key: str) -> Principal:
    """Whose key this is. Raises Unauthenticated; the answer is the same for malformed, unknown and revoked keys."""
    row = None
    if key.startswith(PREFIX) and len(key) <= KEY_LIMIT:
        row = await tx.fetchrow(
            "SELECT workspace_id, id, scopes FROM api_keys WHERE key_hash = $1 AND revoked_at IS NULL", digest(key)
        )
    if row is None:
        raise Unauthenticated("this API key is not known, or it was revoked")
    return Principal(WorkspaceId(row["workspace_id"]), public_id("key", row["id"]), frozenset(row["scopes"]))


async def list_api_keys(tx: Tx, *, workspace: WorkspaceId) -> list[ApiKey]:
    """All keys of the workspace, oldest first, revoked ones too."""
    rows = await tx.fetch(
        "SELECT id, name, scopes, created_at, revoked_at FROM api_keys WHERE workspace_id = $1 ORDER BY id", workspace
    )
    return [ApiKey(r["id"], r["name"], tuple(r["scopes"]), r["created_at"], r["revoked_at"]) for r in rows]


async def find_api_key(tx: Tx, *, key: str) -> ApiKey:
    """What is known of this very key: for the answer to its making. Raises ApiKeyNotFound."""
    row = await tx.fetchrow(
        "SELECT id, name, scopes, created_at, revoked_at FROM api_keys WHERE key_hash = $1", digest(key)
    )
    if row is None:
        raise ApiKeyNotFound("there is no such API key")
    return ApiKey(row["id"], row["name"], tuple(row["scopes"]), row["created_at"], row["revoked_at"])


async def revoke_api_key(tx: Tx, *, workspace: WorkspaceId, key: str, by: Principal, now: datetime) -> None:
    """Revoke the key with this public id (`key_12`). Repeating it is harmless. Raises Invalid, ApiKeyNotFound."""
    number = parse_id("key", key, field="key")
    found = await tx.fetchval(
        """UPDATE api_keys SET revoked_at = coalesce(revoked_at, $3)
           WHERE workspace_id = $1 AND id = $2 RETURNING id""",
        workspace,
        number,
        now,
    )
    if found is None:
        raise ApiKeyNotFound(f"there is no API key {key}")
    await audit(tx, by=by, action="api_key.revoked", subject=key, now=now)


def digest(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
