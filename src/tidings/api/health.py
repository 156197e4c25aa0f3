"""`/healthz`: the process lives. `/readyz`: it can do its work."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from tidings.api._deps import application
from tidings.api._route import Route
from tidings.bootstrap import App
from tidings.core.db import LOST
from tidings.core.errors import Unavailable

router = APIRouter(tags=["health"], route_class=Route)

_PATIENCE_SECONDS = 2.0


class Health(BaseModel):
    """How things are."""

    status: str


@router.get("/healthz", summary="Is the process alive?")
async def live() -> Health:
    """The process answers. Restart it when this fails."""
    return Health(status="ok")


@router.get("/readyz", summary="Can it do its work?")
async def ready(app: Annotated[App, Depends(application)]) -> Health:
    """The database answers too. Send no requests here while this fails."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS), app.db.connection() as connection:
            await connection.fetchval("SELECT 1")
    except (TimeoutError, *LOST) as error:
        raise Unavailable("the database does not answer") from error
    return Health(status="ready")
