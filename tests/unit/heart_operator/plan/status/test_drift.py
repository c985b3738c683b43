"""What a HeartModel says of its live data: what its schedules found of the version that serves, and nothing else."""

from typing import Any

import pytest

from heart_api.retrainschedule import RetrainSchedule
from heart_operator.plan.status.drift import summarize_drift
from tests.support.plan.schedules import ScheduledWorld, drift_found, retrain_schedule, scheduled_world

DRIFT: dict[str, Any] = {"drift": {"schedule": "0 */6 * * *"}}
MORNING, NOON = "2026-01-01T06:00:00Z", "2026-01-01T12:00:00Z"


def checked(
    name: str, verdict: str, time: str = MORNING, version: str = "1", spec: dict[str, Any] = DRIFT
) -> RetrainSchedule:
    """A schedule and its newest look."""
    found = {"time": time, "version": version, "verdict": verdict, "share": 0.25, "samples": 200}
    return retrain_schedule(spec, name=name, status={"lastDrift": found})


@pytest.mark.parametrize(
    ("schedules", "shown"),
    [
        ([], None),
        ([retrain_schedule(DRIFT)], None),
        ([checked("a", "NoDrift")], ("NoDrift", "a")),
        ([checked("a", "InsufficientSamples")], ("InsufficientSamples", "a")),
        ([checked("a", "NoDrift", NOON), checked("b", "Drift", MORNING)], ("Drift", "b")),
        ([checked("a", "Unconfirmed"), checked("b", "NoDrift")], ("Unconfirmed", "a")),
        ([checked("a", "NoDrift"), checked("b", "InsufficientSamples", NOON)], ("NoDrift", "a")),
        ([checked("a", "Drift", NOON), checked("b", "Drift", MORNING)], ("Drift", "a")),
        ([checked("a", "Drift", version="2"), checked("b", "NoDrift")], ("NoDrift", "b")),
        ([checked("a", "Drift", spec={"schedule": "0 3 * * *"})], None),
    ],
    ids=[
        "nobody looks",
        "not reconciled yet",
        "quiet",
        "too few to say",
        "the gravest, though older",
        "suspicion over quiet",
        "knowing over not knowing",
        "the newest of equals",
        "about another version",
        "drift is not watched any more",
    ],
)
def test_which_check_a_model_shows(schedules: list[RetrainSchedule], shown: tuple[str, str] | None) -> None:
    found = summarize_drift(schedules, "1")
    assert (found and (found.verdict, found.schedule)) == shown


def test_where_nothing_serves_nothing_drifts() -> None:
    assert summarize_drift([checked("a", "Drift")], None) is None


def check(world: ScheduledWorld, time: str, verdict: str, share: float) -> None:
    """The Job of this time finds that."""
    world.until(time)
    world.rest()
    world.finish_check(drift_found(world.now, world.selected or "", verdict, share))
    world.rest()


def shown(world: ScheduledWorld) -> dict[str, Any] | None:
    return world.model.status.dump().get("drift")


def test_a_model_shows_a_check_until_another_version_serves() -> None:
    """From quiet to drift to the retrained version, which nobody has looked at yet."""
    world = scheduled_world(DRIFT)
    assert shown(world) is None
    check(world, MORNING, "NoDrift", 0.0)
    assert shown(world) == {"verdict": "NoDrift", "share": 0.0, "time": MORNING, "schedule": "nightly"}
    check(world, NOON, "Drift", 0.6)
    assert shown(world) == {"verdict": "Drift", "share": 0.6, "time": NOON, "schedule": "nightly"}
    world.serve()
    assert (world.selected, shown(world)) == ("2", None)
    check(world, "2026-01-01T18:00:00Z", "NoDrift", 0.0)
    assert (shown(world) or {})["verdict"] == "NoDrift"


def test_a_lost_status_comes_back_from_the_schedule() -> None:
    world = scheduled_world(DRIFT)
    check(world, MORNING, "Unconfirmed", 0.4)
    before = shown(world)
    world.wipe_status()
    world.calm()
    assert shown(world) == before
    assert before


def test_a_suspended_model_goes_on_showing_what_is_found() -> None:
    world = scheduled_world(DRIFT)
    world.change_spec(suspend=True)
    check(world, MORNING, "Unconfirmed", 0.4)
    assert (shown(world) or {})["verdict"] == "Unconfirmed"
