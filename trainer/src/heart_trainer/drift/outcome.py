"""The termination message of a check: at most 4096 bytes, the most drifted features first."""

from pathlib import Path
from typing import Any

from heart_api.drift import CheckFailure, CheckFailureReason, CheckOutcome, CheckResult
from heart_api.driftstatus import DriftStatus
from heart_trainer.outcome import LIMIT, LONGEST_MESSAGE


def failed(reason: CheckFailureReason, message: str) -> CheckOutcome:
    return CheckOutcome(failure=CheckFailure(reason=reason, message=message[:LONGEST_MESSAGE]))


def write_outcome(path: str | None, outcome: CheckOutcome) -> None:
    """Write the outcome where the kubelet looks for it; without a path (a laptop) there is no one to tell."""
    if path:
        Path(path).write_bytes(encode(outcome))


def encode(outcome: CheckOutcome) -> bytes:
    """JSON of at most LIMIT bytes: messages are cut, then features left out from the end, which `omitted` counts."""
    data = _json(outcome)
    length = 1000
    while outcome.failure and len(data) > LIMIT:
        outcome, length = failed(outcome.failure.reason, outcome.failure.message[:length]), length // 2
        data = _json(outcome)
    while len(data) > LIMIT and outcome.result and outcome.result.drift:
        outcome = CheckOutcome(result=_shorter(outcome.result, outcome.result.drift))
        data = _json(outcome)
    return data


def _shorter(result: CheckResult, drift: DriftStatus) -> CheckResult:
    """Without the last feature; once there is none, with half of the message."""
    update: dict[str, Any] = {"message": drift.message[: len(drift.message) // 2]}
    if drift.features:
        update = {"features": drift.features[:-1], "omitted": drift.omitted + 1}
    return result.model_copy(update={"drift": drift.model_copy(update=update)})


def _json(outcome: CheckOutcome) -> bytes:
    return outcome.model_dump_json(by_alias=True, exclude_none=True).encode()
