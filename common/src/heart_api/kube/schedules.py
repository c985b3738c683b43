"""RetrainSchedules as the API server returns them, parsed into the API types. No I/O."""

from pydantic import ValidationError

from heart_api.kube.objects import InvalidSpec, spell
from heart_api.kube.values import Manifest
from heart_api.retrainschedule import RetrainSchedule
from heart_api.schedulestatus import RetrainScheduleStatus


def parse_schedule(raw: Manifest) -> RetrainSchedule:
    """Raises InvalidSpec. An unreadable status counts as an empty one: no run is started twice for that."""
    meta = raw["metadata"]
    try:
        return RetrainSchedule.model_validate(
            {
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
                "generation": meta.get("generation", 1),
                "created": meta["creationTimestamp"],
                "spec": raw.get("spec") or {},
                "status": parse_schedule_status(raw),
            }
        )
    except ValidationError as error:
        raise InvalidSpec(spell(error)) from None


def parse_schedule_status(raw: Manifest) -> RetrainScheduleStatus:
    try:
        return RetrainScheduleStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        return RetrainScheduleStatus()


def model_of(raw: Manifest) -> str:
    """The HeartModel that a schedule names, readable or not."""
    name = (raw.get("spec") or {}).get("modelName")
    return name if isinstance(name, str) else ""
