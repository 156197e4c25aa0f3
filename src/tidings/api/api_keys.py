"""API keys over HTTP."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from tidings import accounts
from tidings.accounts import ApiKey
from tidings.api._deps import Call, doorkeeper, needs
from tidings.api._fields import Body, Name
from tidings.api._route import Route
from tidings.core.ids import public_id

router = APIRouter(prefix="/api-keys", tags=["api keys"], route_class=Route)


class ApiKeyOut(BaseModel):
    """What may be known of a key."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> "ApiKeyOut":
        """As JSON shows it."""
        return cls(
            id=public_id("key", key.id),
            name=key.name,
            scopes=list(key.scopes),
            created_at=key.created_at,
            revoked_at=key.revoked_at,
        )


class ApiKeys(BaseModel):
    """All keys, oldest first."""

    items: list[ApiKeyOut]


class NewApiKey(Body):
    """A key to be made. It can get only scopes that the calling key holds."""

    name: Name
    scopes: Annotated[list[str], Field(min_length=1, max_length=50)]


class CreatedApiKey(ApiKeyOut):
    """A new key. `key` is shown only now."""

    key: str


@router.post("", status_code=201)
async def create_api_key(body: NewApiKey, call: Annotated[Call, needs("workspace:write")]) -> CreatedApiKey:
    """Make an API key for this workspace."""
    key = await accounts.create_api_key(
        call.tx, workspace=call.workspace, name=body.name, scopes=body.scopes, now=call.now, by=call.principal
    )
    known = await accounts.find_api_key(call.tx, key=key)
    return CreatedApiKey(**ApiKeyOut.of(known).model_dump(), key=key)


@router.get("")
async def list_api_keys(call: Annotated[Call, needs("workspace:read")]) -> ApiKeys:
    """All keys of this workspace, revoked ones too."""
    keys = await accounts.list_api_keys(call.tx, workspace=call.workspace)
    return ApiKeys(items=[ApiKeyOut.of(key) for key in keys])


@router.delete("/{key_id}", status_code=204)
async def revoke_api_key(
    key_id: Annotated[str, Path(examples=["key_123"])], call: Annotated[Call, needs("workspace:write")]
) -> None:
    """Revoke a key: it stops working within seconds, everywhere."""
    await accounts.revoke_api_key(call.tx, workspace=call.workspace, key=key_id, by=call.principal, now=call.now)

    async def forget() -> None:
        doorkeeper(call.request).forget()

    call.after_commit(forget)
