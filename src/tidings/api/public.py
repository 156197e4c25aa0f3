"""What anyone may call who holds a token from one of our messages: no API key."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from tidings import compliance
from tidings.api._allowance import Allowance
from tidings.api._deps import address, application
from tidings.api._fields import Body, Prose
from tidings.api._route import Route
from tidings.bootstrap import App
from tidings.core.clock import utc_now
from tidings.core.errors import Invalid
from tidings.tracking import Tokens

router = APIRouter(prefix="/public", tags=["public"], route_class=Route)


_A_MINUTE = 120


def allowance() -> Allowance:
    """How much each address may do here, in one process."""
    return Allowance(per_minute=_A_MINUTE, told="too many requests from your address")


def _within_allowance(request: Request) -> None:
    request.app.state.goodbyes.spend(address(request))


class Goodbye(Body):
    """Who leaves, by the token in their message's links, and why, in their own words."""

    token: Annotated[str, Field(min_length=1, max_length=500)]
    reason: Prose = ""


class Left(BaseModel):
    """They are out."""

    status: str = "unsubscribed"


@router.post("/unsubscribe", summary="Unsubscribe with a message's token", dependencies=[Depends(_within_allowance)])
async def unsubscribe(body: Goodbye, app: Annotated[App, Depends(application)]) -> Left:
    """Leave. Repeating it is harmless, and the answer tells nothing of who we know: a good token gets the same one always."""
    subject = Tokens(app.keys, app.public_url).read(body.token)
    if subject is None:
        raise Invalid.at("token", "is not one of ours; take it whole from the link in the message")
    await compliance.leave(
        app.db,
        app.withdrawals,
        workspace=subject.workspace,
        contact=subject.contact,
        reason=body.reason,
        source="public_api",
        send=subject.send,
        n=subject.n,
        now=utc_now(),
    )
    return Left()
