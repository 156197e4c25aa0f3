"""Warm-ups over HTTP: caps that grow, for a provider whose IP or domain is new."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidings import delivery
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, ProviderRef
from tidings.api._route import Route
from tidings.core.errors import Invalid
from tidings.core.ids import ProviderId

router = APIRouter(prefix="/providers/{provider_id}/warmup", tags=["providers"], route_class=Route)

Reading = Annotated[Call, needs("providers:read")]
Writing = Annotated[Call, needs("providers:write")]


class NewWarmup(Body):
    """A ladder of caps: by its first step, growth and target, or step by step."""

    start: Annotated[
        int | None, Field(description=f"messages on the first day, to each group; {delivery.WARMUP_START} if not given")
    ] = None
    growth: Annotated[
        float | None, Field(description=f"from one day to the next, at most 2; {delivery.WARMUP_GROWTH} if not given")
    ] = None
    target: Annotated[
        int | None,
        Field(description=f"messages a day, to each group, at the end; {delivery.WARMUP_TARGET:,} if not given"),
    ] = None
    caps: Annotated[
        list[int] | None,
        Field(max_length=120, description="instead: messages a day, one number a step", examples=[[50, 100, 200]]),
    ] = None

    def ladder(self) -> tuple[int, ...]:
        """The caps. Raises Invalid naming the field."""
        if self.caps is None:
            return delivery.warmup_ladder(start=self.start, growth=self.growth, target=self.target)
        if (self.start, self.growth, self.target) != (None, None, None):
            raise Invalid.at("caps", "give either caps, or any of start, growth and target")
        return delivery.warmup_caps(self.caps)


class WarmupGroupOut(BaseModel):
    """Where a mailbox provider stands. `cap` is null once it is warm."""

    group: Annotated[str, Field(description="google, microsoft, yahoo, apple, or other: all the rest together")]
    step: Annotated[int, Field(description="from 1")]
    steps: int
    cap: Annotated[int | None, Field(description="messages in any 24 hours")]
    sent_day: Annotated[int, Field(description="in the last 24 hours, under the cap")]


class WarmupDayOut(BaseModel):
    """What a day was judged by, and what came of it."""

    group: str
    at: datetime
    cap: int
    sent: int
    bounced: int
    complained: int
    slowed: Annotated[bool, Field(description="it asked for less mail")]
    move: delivery.WarmupMove
    reason: str


class WarmupOut(BaseModel):
    """A provider's warm-up."""

    caps: Annotated[list[int], Field(description="the ladder, messages a day to each group")]
    started_at: datetime
    next_at: Annotated[datetime | None, Field(description="when the next day is judged; null when it has ended")]
    ended_at: Annotated[datetime | None, Field(description="when the last group was warm")]
    groups: list[WarmupGroupOut]
    days: Annotated[list[WarmupDayOut], Field(description="the last sixty, newest first")]

    @classmethod
    def of(cls, warmup: delivery.Warmup) -> "WarmupOut":
        """As JSON shows it."""
        return cls(
            caps=list(warmup.caps),
            started_at=warmup.started_at,
            next_at=None if warmup.ended_at else warmup.next_at,
            ended_at=warmup.ended_at,
            groups=[
                WarmupGroupOut(
                    group=one.group, step=one.step + 1, steps=len(warmup.caps), cap=one.cap, sent_day=one.sent
                )
                for one in warmup.groups
            ],
            days=[
                WarmupDayOut(
                    group=day.group,
                    at=day.at,
                    cap=day.cap,
                    sent=day.signals.sent,
                    bounced=day.signals.bounced,
                    complained=day.signals.complained,
                    slowed=day.signals.slowed,
                    move=day.move,
                    reason=day.reason,
                )
                for day in warmup.days
            ],
        )


@router.put("")
async def start_warmup(provider_id: ProviderRef, body: NewWarmup, call: Writing) -> WarmupOut:
    """Begin a warm-up at its first step, anew if there was one; holds within a second, also for what is being sent."""
    warmup = await delivery.start_warmup(
        call.tx,
        workspace=call.workspace,
        provider=ProviderId(provider_id),
        caps=body.ladder(),
        by=call.principal,
        now=call.now,
    )
    return WarmupOut.of(warmup)


@router.get("")
async def get_warmup(provider_id: ProviderRef, call: Reading) -> WarmupOut:
    """Where it stands, and why."""
    return WarmupOut.of(
        await delivery.get_warmup(call.tx, workspace=call.workspace, provider=ProviderId(provider_id), now=call.now)
    )


@router.delete("", status_code=204)
async def stop_warmup(provider_id: ProviderRef, call: Writing) -> None:
    """End it: its caps hold no more."""
    await delivery.stop_warmup(
        call.tx, workspace=call.workspace, provider=ProviderId(provider_id), by=call.principal, now=call.now
    )
