"""Workspaces over HTTP."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidings import accounts
from tidings.accounts import OPERATOR, Workspace
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, Line, Name, Prose
from tidings.api._route import Route
from tidings.audience.lists import sender_address
from tidings.core.ids import WorkspaceId, public_id

router = APIRouter(prefix="/workspaces", tags=["workspaces"], route_class=Route)


class WorkspaceOut(BaseModel):
    """A tenant: contacts, campaigns and everything else belong to one and are seen by no other."""

    id: str
    name: str
    postal_address: str = Field(description="in every message, as the law wants it")
    sender_email: str = Field(
        description="whom confirmations come from, where a list does not say otherwise; empty: nobody"
    )
    sender_name: str
    pause_failed_percent: int = Field(
        description="a campaign pauses itself when more of its attempts than this fail; 0: never"
    )
    pause_bounced_percent: int = Field(description="likewise when more of them bounce")
    pause_complained_percent: float = Field(
        description="likewise when more of those it went to complain, three at least"
    )
    soft_bounce_limit: int = Field(
        description="after so many soft bounces with nothing delivered in between an address is suppressed; 0: never"
    )
    soft_bounce_days: int = Field(description="and if they are spread over at least so many days")
    created_at: datetime

    @classmethod
    def of(cls, workspace: Workspace) -> "WorkspaceOut":
        """As JSON shows it."""
        return cls(
            id=public_id("workspace", workspace.id),
            name=workspace.name,
            postal_address=workspace.postal_address,
            sender_email=workspace.sender_email,
            sender_name=workspace.sender_name,
            pause_failed_percent=workspace.pause_failed_percent,
            pause_bounced_percent=workspace.pause_bounced_percent,
            pause_complained_percent=workspace.pause_complained_percent,
            soft_bounce_limit=workspace.soft_bounce_limit,
            soft_bounce_days=workspace.soft_bounce_days,
            created_at=workspace.created_at,
        )


class NewWorkspace(Body):
    """What a workspace starts with."""

    name: Name
    postal_address: Prose = ""


class CreatedWorkspace(WorkspaceOut):
    """A new workspace with its first key, which may do everything in it. The key is shown only now."""

    api_key: str


class WorkspaceChanges(Body):
    """What to change; what is left out stays."""

    name: Name | None = None
    postal_address: Prose | None = None
    sender_email: Annotated[str, Field(max_length=1000, examples=["news@example.com"])] | None = None
    sender_name: Line | None = None
    pause_failed_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    pause_bounced_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    pause_complained_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    soft_bounce_limit: Annotated[int, Field(ge=0, le=100)] | None = None
    soft_bounce_days: Annotated[int, Field(ge=0, le=365)] | None = None


@router.post("", status_code=201)
async def create_workspace(body: NewWorkspace, call: Annotated[Call, needs(OPERATOR)]) -> CreatedWorkspace:
    """Create a workspace and its first API key."""
    workspace = await accounts.create_workspace(
        call.tx, name=body.name, postal_address=body.postal_address, now=call.now
    )
    key = await accounts.create_api_key(call.tx, workspace=workspace, name="first key", scopes=["*"], now=call.now)
    await accounts.audit(
        call.tx, by=call.principal, action="workspace.created", subject=public_id("workspace", workspace), now=call.now
    )
    created = await accounts.get_workspace(call.tx, workspace=WorkspaceId(workspace))
    return CreatedWorkspace(**WorkspaceOut.of(created).model_dump(), api_key=key)


@router.get("/current")
async def get_workspace(call: Annotated[Call, needs("workspace:read")]) -> WorkspaceOut:
    """The workspace of the API key."""
    return WorkspaceOut.of(await accounts.get_workspace(call.tx, workspace=call.workspace))


@router.patch("/current")
async def update_workspace(body: WorkspaceChanges, call: Annotated[Call, needs("workspace:write")]) -> WorkspaceOut:
    """Change the name, the postal address, the sender, or when campaigns pause themselves."""
    changed = await accounts.update_workspace(
        call.tx,
        workspace=call.workspace,
        name=body.name,
        postal_address=body.postal_address,
        sender_email=None if body.sender_email is None else sender_address("sender_email", body.sender_email),
        sender_name=body.sender_name,
        pause_failed_percent=body.pause_failed_percent,
        pause_bounced_percent=body.pause_bounced_percent,
        pause_complained_percent=body.pause_complained_percent,
        soft_bounce_limit=body.soft_bounce_limit,
        soft_bounce_days=body.soft_bounce_days,
        by=call.principal,
        now=call.now,
    )
    return WorkspaceOut.of(changed)
