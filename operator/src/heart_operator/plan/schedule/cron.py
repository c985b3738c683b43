"""Scheduled times of a cron expression in a time zone. All times in and out are UTC.

Daylight saving time (as in Debian's cron): an expression with a fixed hour and minute runs once a day, at the first
moment after the gap when its own is skipped, and the first time when its own comes twice; one with a `*` hour or minute
follows the real passing of time.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

SEARCH_WINDOWS = tuple(timedelta(hours=hours) for hours in (1, 24, 24 * 32))
"""Stretches searched for the latest scheduled time, shortest first, so that a schedule of every minute yields a
short list."""

SEARCH_START = datetime(2023, 12, 31, 23, 59, tzinfo=UTC)
SEARCH_END = SEARCH_START + timedelta(days=368)
"""A leap year: it holds every day that an expression can name."""
SEARCH_TIMES = 2000
"""Scheduled times that are compared at most: days of hourly, years of daily ones."""


class BadCron(ValueError):
    """No such expression; the message is for people."""


class BadZone(BadCron):
    """No such time zone."""


def scheduled_times(cron: str, zone: str, after: datetime) -> Iterator[datetime]:
    """Every scheduled time later than `after`, for ever. Raises BadCron."""
    try:
        found = CronSim(cron, after.astimezone(ZoneInfo(zone)))
    except CronSimError as error:
        raise BadCron(f"{cron!r} is not a cron expression ({error}); write it like `0 3 * * 0`") from None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadZone(f"unknown time zone {zone!r}; write it like Europe/Berlin or Etc/UTC") from None
    # In the hour that comes twice, the first time found may lie before `after`.
    return (moment for scheduled in found if (moment := scheduled.astimezone(UTC)) > after)


def next_scheduled_time(cron: str, zone: str, after: datetime) -> datetime | None:
    """The first scheduled time later than `after`; None for an expression that never comes. Raises BadCron."""
    return next(scheduled_times(cron, zone, after), None)


def latest_scheduled_time(cron: str, zone: str, after: datetime, until: datetime) -> datetime | None:
    """The last scheduled time of (after, until]; None when there is none. Raises BadCron."""
    for start in [max(after, until - back) for back in SEARCH_WINDOWS] + [after]:
        found = list(takewhile(lambda time: time <= until, scheduled_times(cron, zone, start)))
        if found:
            return found[-1]
    return None


@lru_cache(maxsize=1024)
def shortest_interval(cron: str, least: timedelta) -> timedelta | None:
    """An interval between two scheduled times that is shorter than `least`; None if there is none. Raises BadCron.

    Searched in UTC from a fixed date, so that neither the clock nor daylight saving time changes the answer.
    """
    times = takewhile(
        lambda time: time < SEARCH_END, islice(scheduled_times(cron, "Etc/UTC", SEARCH_START), SEARCH_TIMES)
    )
    return next((after - before for before, after in pairwise(times) if after - before < least), None)
