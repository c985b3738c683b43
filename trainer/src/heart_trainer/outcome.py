"""The termination message: how a Job tells the operator what became of it."""

from pathlib import Path

from heart_api.handover import FailureReason, SiteResult, TrainingFailure, TrainingOutcome

LIMIT = 4096
"""Bytes that the kubelet keeps."""
LONGEST_MESSAGE = 3000


def failed(reason: FailureReason, message: str, sites: tuple[SiteResult, ...] | None = None) -> TrainingOutcome:
    return TrainingOutcome(failure=TrainingFailure(reason=reason, message=_cut(message, LONGEST_MESSAGE), sites=sites))


def write_outcome(path: str | None, outcome: TrainingOutcome) -> None:
    """Write the outcome where the kubelet looks for it; without a path (a laptop) there is no one to tell."""
    if path:
        Path(path).write_bytes(encode(outcome))


def encode(outcome: TrainingOutcome) -> bytes:
    """JSON of at most LIMIT bytes; what sites say is cut first, then a failure's message."""
    for most in (200, 60, 0):
        data = _json(_with_sites(outcome, most))
        if len(data) <= LIMIT:
            return data
    outcome, length = _with_sites(outcome, 0), LONGEST_MESSAGE
    while outcome.failure and len(data) > LIMIT and length:
        length = length * 3 // 4
        shorter = outcome.failure.model_copy(update={"message": _cut(outcome.failure.message, length)})
        data = _json(TrainingOutcome(failure=shorter))
    return data


def _json(outcome: TrainingOutcome) -> bytes:
    return outcome.model_dump_json(by_alias=True, exclude_none=True).encode()


def _with_sites(outcome: TrainingOutcome, most: int) -> TrainingOutcome:
    """With messages of sites of at most `most` characters."""
    found = outcome.result or outcome.failure
    if found is None or not found.sites:
        return outcome
    sites = tuple(site.model_copy(update={"message": _cut(site.message, most) if most else ""}) for site in found.sites)
    part = found.model_copy(update={"sites": sites})
    return TrainingOutcome(result=part) if outcome.result else TrainingOutcome(failure=part)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
