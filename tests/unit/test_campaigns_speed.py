"""The speed of a send at this moment, from looks at it."""

from datetime import UTC, datetime, timedelta

from tidings.campaigns import Speedometer
from tidings.core.ids import CampaignId, WorkspaceId

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
A, B, C = CampaignId(1), CampaignId(2), CampaignId(3)
HERE, THERE = WorkspaceId(1), WorkspaceId(2)


def look(
    meter: Speedometer, at: float, sent: int, campaign: CampaignId = A, workspace: WorkspaceId = HERE
) -> float | None:
    return meter.speed(workspace, campaign, sent=sent, now=START + timedelta(seconds=at))


def test_it_is_the_speed_of_the_last_ten_seconds() -> None:
    meter = Speedometer()
    assert look(meter, 0, 0) is None
    assert look(meter, 0.5, 900) is None  # too short to tell
    assert look(meter, 1, 1000) == 1000
    for second in range(2, 11):
        look(meter, second, 1000 * second)
    assert look(meter, 20, 10_000) == 0  # it stands
    assert look(meter, 22, 10_500) == 250
    assert look(meter, 60, 20_000) is None  # after a long silence


def test_other_campaigns_and_the_same_number_elsewhere_are_apart() -> None:
    meter = Speedometer()
    look(meter, 0, 0)
    look(meter, 0, 500, workspace=THERE)
    assert look(meter, 2, 100) == 50
    assert look(meter, 2, 700, workspace=THERE) == 100
    meter.forget(HERE, A)
    assert look(meter, 3, 200) is None
    assert look(meter, 4, 900, workspace=THERE) == 100


def test_a_clock_set_back_and_a_count_that_falls_do_no_harm() -> None:
    meter = Speedometer()
    look(meter, 100, 1000)
    assert look(meter, 50, 1100) is None
    assert look(meter, 52, 1000) == 0


def test_it_keeps_little_however_often_it_is_asked() -> None:
    meter = Speedometer(capacity=2)
    for n in range(10_000):
        look(meter, n / 100, n)
    assert sum(map(len, meter._looks.values())) <= 42
    for campaign in (B, C, A):
        look(meter, 100, 0, campaign)
    assert list(meter._looks) == [(HERE, C), (HERE, A)]
