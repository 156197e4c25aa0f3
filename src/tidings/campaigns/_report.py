"""How a campaign is doing: counts, rates, and its speed at this moment."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidings import delivery, events
from tidings.campaigns._campaign import COLUMNS, Campaign, CampaignStatus, of_row
from tidings.core.db import Tx
from tidings.core.ids import CampaignId, SendId, WorkspaceId


@dataclass(frozen=True, slots=True)
class Counts:
    """Recipients of a campaign. Opened and clicked are unique recipients, of any agent and of people alone.

    sent = delivered + awaiting (accepted, without a last word yet) + bounced + unknown; total = sent + pending + deferred +
    failed + skipped + cancelled, at every moment. `possible_duplicate_count` is what a crash left uncertain.
    """

    total_recipients: int = 0
    sent_count: int = 0
    delivered_count: int = 0
    awaiting_count: int = 0
    opened_count: int = 0
    human_opened_count: int = 0
    clicked_count: int = 0
    human_clicked_count: int = 0
    bounced_count: int = 0
    unsubscribed_count: int = 0
    complained_count: int = 0
    pending_count: int = 0
    deferred_count: int = 0
    failed_count: int = 0
    skipped_count: int = 0
    cancelled_count: int = 0
    unknown_count: int = 0
    possible_duplicate_count: int = 0


@dataclass(frozen=True, slots=True)
class Rates:
    """Fractions between 0 and 1; 0 where there is nothing to divide by."""

    open_rate: float
    human_open_rate: float
    click_rate: float
    human_click_rate: float
    click_to_open_rate: float
    bounce_rate: float
    unsubscribe_rate: float
    deliverability_rate: float


@dataclass(frozen=True, slots=True)
class Progress:
    """A send in motion, to one decimal. Only while it is sending has it a speed, and `seconds_left` if
    that is not 0 and not only deferred recipients are left."""

    counts: Counts
    messages_per_second: float
    seconds_left: float | None
    percent: float
    provider_health: str


_APART_SECONDS = 0.25
"""Looks closer together than this are not noted: the window holds forty at most."""

_OF_SENDS = f"SELECT {COLUMNS} FROM campaigns WHERE workspace_id = $1 AND send_id = ANY ($2::bigint[])"  # noqa: S608 - our own column names


async def of_sends(tx: Tx, *, workspace: WorkspaceId, sends: Sequence[SendId]) -> dict[SendId, Campaign]:
    """The campaign that each of these sends was a launch of; those whose campaign was deleted are left out."""
    rows = await tx.fetch(_OF_SENDS, workspace, list(sends)) if sends else []
    return {SendId(row["send_id"]): of_row(row) for row in rows}


async def counts_of(tx: Tx, *, workspace: WorkspaceId, campaigns: Sequence[Campaign]) -> list[Counts]:
    """The counts of each campaign, in their order; all from counters and rollups. Two statements, plus one a launched campaign."""
    sends = [c.send_id for c in campaigns if c.send_id is not None]
    states = await delivery.send_counts(tx, workspace=workspace, sends=sends) if sends else {}
    engagements = await events.send_engagements(tx, workspace=workspace, sends=sends) if sends else {}
    return [_counts(c.send_id, states, engagements) for c in campaigns]


def rates_of(counts: Counts) -> Rates:
    """Opens, clicks and unsubscribes per delivered message; bounces and deliveries per message sent."""
    delivered, sent = counts.delivered_count, counts.sent_count
    return Rates(
        open_rate=_share(counts.opened_count, delivered),
        human_open_rate=_share(counts.human_opened_count, delivered),
        click_rate=_share(counts.clicked_count, delivered),
        human_click_rate=_share(counts.human_clicked_count, delivered),
        click_to_open_rate=_share(counts.clicked_count, counts.opened_count),
        bounce_rate=_share(counts.bounced_count, sent),
        unsubscribe_rate=_share(counts.unsubscribed_count, delivered),
        deliverability_rate=_share(delivered, sent),
    )


class Speedometer:
    """Recent speeds: what each campaign had sent at the looks of the last seconds. A process that is asked often keeps one."""

    def __init__(self, *, window_seconds: float = 10.0, capacity: int = 1000) -> None:
        self._window = window_seconds
        self._capacity = capacity
        self._looks: OrderedDict[tuple[WorkspaceId, CampaignId], deque[tuple[float, int]]] = OrderedDict()

    def speed(self, workspace: WorkspaceId, campaign: CampaignId, *, sent: int, now: datetime) -> float | None:
        """Messages a second since the earliest look in the window; None if that is less than a second ago. Notes this look."""
        at = now.timestamp()
        looks = self._looks.setdefault((workspace, campaign), deque())
        self._looks.move_to_end((workspace, campaign))
        if len(self._looks) > self._capacity:
            self._looks.popitem(last=False)
        # The clock may have been set back, and looks of before a long silence say nothing of now.
        while looks and not at - self._window <= looks[0][0] <= at:
            looks.popleft()
        if not looks or at - looks[-1][0] >= _APART_SECONDS:
            looks.append((at, sent))
        since, before = looks[0]
        # Results come in batches: over less than this, speed is a matter of luck.
        return max(0.0, (sent - before) / (at - since)) if at - since >= 1.0 else None

    def forget(self, workspace: WorkspaceId, campaign: CampaignId) -> None:
        """It is not sending: when it goes on, the looks of before count no more."""
        self._looks.pop((workspace, campaign), None)


async def progress_of(
    tx: Tx, *, workspace: WorkspaceId, campaign: Campaign, now: datetime, speedometer: Speedometer | None = None
) -> Progress:
    """The state of a send at this moment. The speed is the recent one if a `speedometer` knows it, else that since the start."""
    (counts,) = await counts_of(tx, workspace=workspace, campaigns=[campaign])
    speed = _speed(workspace, campaign, counts, now, speedometer)
    # Whom limits hold back keep a campaign sending, for weeks maybe.
    put_off = counts.deferred_count if campaign.status in {CampaignStatus.SENDING, CampaignStatus.PAUSED} else 0
    left = counts.pending_count + put_off
    percent = round(100.0 * _share(counts.total_recipients - left, counts.total_recipients), 1)
    return Progress(
        counts=counts,
        messages_per_second=round(speed, 1),
        # When those will go that are put off, no speed says.
        seconds_left=round(counts.pending_count / speed, 1)
        if speed > 0 and (counts.pending_count or not left)
        else None,
        # The last of a million is still to come at 99.99 %.
        percent=min(percent, 99.9) if left else percent,
        provider_health=await _health(tx, workspace, campaign),
    )


def _speed(
    workspace: WorkspaceId, campaign: Campaign, counts: Counts, now: datetime, speedometer: Speedometer | None
) -> float:
    if campaign.status != CampaignStatus.SENDING or campaign.started_at is None:
        if speedometer is not None:
            speedometer.forget(workspace, campaign.id)
        return 0.0
    if speedometer is not None:
        recent = speedometer.speed(workspace, campaign.id, sent=counts.sent_count, now=now)
        if recent is not None:
            return recent
    seconds = (now - campaign.started_at).total_seconds()
    return counts.sent_count / seconds if seconds > 0 else 0.0


async def _health(tx: Tx, workspace: WorkspaceId, campaign: Campaign) -> str:
    way = await way_of(tx, workspace=workspace, campaign=campaign)
    return "" if way is None else await delivery.health_of_way(tx, workspace=workspace, way=way)


async def way_of(tx: Tx, *, workspace: WorkspaceId, campaign: Campaign) -> delivery.Way | None:
    """What a campaign goes through, or would now. None: there is nothing, or it was deleted."""
    if campaign.provider_id or campaign.route_id:
        return delivery.Way(campaign.provider_id, campaign.route_id)
    return await delivery.default_way(tx, workspace=workspace)


def _counts(
    send: SendId | None,
    states: dict[SendId, delivery.SendCounts],
    engagements: dict[SendId, events.SendEngagement],
) -> Counts:
    if send is None or send not in states:
        return Counts()
    s, e = states[send], engagements.get(send, events.SendEngagement())
    return Counts(
        total_recipients=s.recipients,
        sent_count=s.sent + s.delivered + s.bounced + s.unknown,
        delivered_count=s.delivered,
        awaiting_count=s.sent,
        opened_count=e.opened,
        human_opened_count=e.human_opened,
        clicked_count=e.clicked,
        human_clicked_count=e.human_clicked,
        bounced_count=s.bounced,
        unsubscribed_count=e.unsubscribed,
        complained_count=e.complained,
        pending_count=s.pending,
        deferred_count=s.deferred,
        failed_count=s.failed,
        skipped_count=s.skipped,
        cancelled_count=s.cancelled,
        unknown_count=s.unknown,
        possible_duplicate_count=s.possible_duplicates,
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole > 0 else 0.0
