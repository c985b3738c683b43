"""Ticks across changed clocks, leap days and long silences. Times are UTC unless a zone is named."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from heart_operator.plan.schedule.cron import BadCron, latest_scheduled_time, next_scheduled_time, scheduled_times

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        # Berlin skips 02:00–03:00 on 29 March 2026 (01:00 UTC): what falls into the gap runs once, right after it.
        ("30 2 * * *", BERLIN, "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"]),
        ("0 3 * * *", BERLIN, "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T01:00"]),
        ("30 * * * *", BERLIN, "2026-03-29T00:00", ["2026-03-29T00:30", "2026-03-29T01:30"]),
        ("0 */6 * * *", BERLIN, "2026-03-28T22:00", ["2026-03-28T23:00", "2026-03-29T04:00"]),
        # and has 02:00–03:00 twice on 25 October: a fixed time runs the first time only.
        ("30 2 * * *", BERLIN, "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        ("30 2 * * *", BERLIN, "2026-10-25T00:40", ["2026-10-26T01:30"]),
        ("30 2 * * *", BERLIN, "2026-10-25T01:10", ["2026-10-26T01:30"]),
        ("30 * * * *", BERLIN, "2026-10-25T00:00", ["2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T02:30"]),
        ("0 3 * * 0", BERLIN, "2026-10-24T12:00", ["2026-10-25T02:00", "2026-11-01T02:00"]),
        # The other side of the ocean, and half an hour on an island.
        ("30 2 * * *", NEW_YORK, "2026-03-07T12:00", ["2026-03-08T07:00", "2026-03-09T06:30"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31T12:00", ["2026-11-01T05:30", "2026-11-02T06:30"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-04T00:00", ["2026-04-04T14:45", "2026-04-05T15:15"]),
        # Leap days, months without the day, and weekdays.
        ("0 0 29 2 *", "Etc/UTC", "2026-01-01T00:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("0 0 31 * *", "Etc/UTC", "2026-01-31T00:00", ["2026-03-31T00:00", "2026-05-31T00:00"]),
        ("0 3 * * 7", "Etc/UTC", "2026-11-21T00:00", ["2026-11-22T03:00", "2026-11-29T03:00"]),
        ("0 3 1 jan mon", "Etc/UTC", "2026-06-01T00:00", ["2027-01-01T03:00", "2027-01-04T03:00"]),
    ],
)
def test_scheduled_times(cron: str, zone: str, after: str, expected: list[str]) -> None:
    assert list(islice(scheduled_times(cron, zone, at(after)), len(expected))) == [at(text) for text in expected]


@pytest.mark.parametrize("zone", ["Etc/UTC", BERLIN, NEW_YORK, LORD_HOWE, "Pacific/Apia"])
@pytest.mark.parametrize("cron", ["30 2 * * *", "*/20 * * * *", "0 */6 * * *", "15 0,2 * * *", "7 3 * * 0"])
def test_every_moment_agrees_on_the_scheduled_times_after_it(cron: str, zone: str) -> None:
    """From any start the times only go forward, and none is lost or made up. Covers both clock changes."""
    for start in (at("2026-03-07T00:00"), at("2026-03-28T12:00"), at("2026-10-24T12:00"), at("2026-10-31T12:00")):
        whole = [
            scheduled
            for scheduled in islice(scheduled_times(cron, zone, start), 200)
            if scheduled < start + timedelta(days=2)
        ]
        assert whole == sorted(set(whole))
        for minutes in range(0, 48 * 60, 25):
            now = start + timedelta(minutes=minutes)
            assert latest_scheduled_time(cron, zone, start, now) == max((t for t in whole if t <= now), default=None), (
                now
            )
            if later := [scheduled for scheduled in whole if scheduled > now]:
                assert next_scheduled_time(cron, zone, now) == later[0], now


def test_latest_scheduled_time_is_of_the_half_open_stretch() -> None:
    scheduled = at("2026-11-22T03:00")
    assert latest_scheduled_time("0 3 * * *", "Etc/UTC", scheduled - timedelta(seconds=1), scheduled) == scheduled
    assert latest_scheduled_time("0 3 * * *", "Etc/UTC", scheduled, scheduled + timedelta(hours=1)) is None
    assert latest_scheduled_time("0 0 29 2 *", "Etc/UTC", at("2020-01-01T00:00"), at("2026-01-01T00:00")) == at(
        "2024-02-29T00:00"
    )


@pytest.mark.parametrize(
    ("cron", "zone", "words"),
    [
        ("0 0 30 2 *", "Etc/UTC", "not a cron expression"),
        ("5-1 * * * *", "Etc/UTC", "not a cron expression"),
        ("0 3 * * 0", "Mars/Olympus", "unknown time zone 'Mars/Olympus'"),
        ("0 3 * * 0", "Europe", "unknown time zone"),
    ],
)
def test_what_no_pattern_can_see_is_said_in_words(cron: str, zone: str, words: str) -> None:
    with pytest.raises(BadCron, match=words):
        next_scheduled_time(cron, zone, at("2026-01-01T00:00"))
