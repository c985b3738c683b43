"""The termination message: how a Job tells the operator what became of it."""

from pathlib import Path

from heart_api.handover import FailureReason, TrainingFailure, TrainingOutcome

LIMIT = 4096
"""Bytes that the kubelet keeps."""
LONGEST_MESSAGE = 3000


def failed(reason: FailureReason, message: str) -> TrainingOutcome:
    return TrainingOutcome(failure=TrainingFailure(reason=reason, message=_cut(message, LONGEST_MESSAGE)))


def write_outcome(path: str | None, outcome: TrainingOutcome) -> None:
    """Write the outcome where the kubelet looks for it; without a path (a laptop) there is no one to tell."""
    if path:
        Path(path).write_bytes(encode(outcome))


def encode(outcome: TrainingOutcome) -> bytes:
    """JSON of at most LIMIT bytes; only a failure's message can be too long, and it is cut."""
    data = outcome.model_dump_json(by_alias=True, exclude_none=True).encode()
    length = LONGEST_MESSAGE
    while outcome.failure and len(data) > LIMIT:
        length = length * 3 // 4
        shorter = failed(outcome.failure.reason, _cut(outcome.failure.message, length))
        data = shorter.model_dump_json(by_alias=True, exclude_none=True).encode()
    return data


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
