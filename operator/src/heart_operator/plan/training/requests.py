"""IDs of the trainings that RetrainSchedules request: `s20261122T030000Z`, one per scheduled time or finding."""

import re
from collections.abc import Iterable
from datetime import datetime

from heart_api.retrainschedule import RetrainSchedule
from heart_api.schedulestatus import Cause
from heart_api.times import compact

LETTERS: dict[Cause, str] = {"Schedule": "s", "Drift": "d", "Performance": "p"}
CAUSES = {letter: cause for cause, letter in LETTERS.items()}
FORM = re.compile(r"[sdp][0-9]{8}T[0-9]{6}Z")
OPEN = ("Requested", "Training")


def request_id(cause: Cause, moment: datetime) -> str:
    return f"{LETTERS[cause]}{compact(moment)}"


def requests_of(trigger: str) -> tuple[str, ...]:
    """The requests that a training's trigger answers."""
    return tuple(part for part in trigger.split("-") if FORM.fullmatch(part))


def open_requests(schedules: Iterable[RetrainSchedule], model: str) -> tuple[str, ...]:
    """The open requests of a model's schedules, sorted: the HeartModel trains until each is answered."""
    runs = [run for schedule in schedules if schedule.spec.model_name == model for run in schedule.status.runs]
    return tuple(sorted({run.id for run in runs if run.phase in OPEN and FORM.fullmatch(run.id)}))
