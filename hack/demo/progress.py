"""What a HeartModel's status reports while its version is trained, judged and rolled out, and when that has ended."""

from collections.abc import Iterator
from typing import Any

Status = dict[str, Any]

ORDER = ("Trained", "GatePassed", "RolloutSucceeded", "Available", "Ready")
FINAL = {
    "TrainingFailed",
    "DataInvalid",
    "DatasetDigestMismatch",
    "DatasetNotAllowed",
    "DatasetUnreachable",
    "GateFailed",
    "InsufficientEvidence",
    "EvaluationUnreadable",
    "NotServable",
    "InvalidSpec",
    "ReadyDeadlineExceeded",
    "CanaryAnalysisFailed",
    "RolledBack",
    "Crashing",
    "ProgressDeadlineExceeded",
    "Aborted",
    "ExportFailed",
    "RegistryNameTaken",
    "Suspended",
}
"""Reasons that do not go away by waiting."""


class Progress:
    """Reports each change of a HeartModel once."""

    def __init__(self) -> None:
        self._conditions: dict[str, tuple[str, str, str]] = {}
        self._rollout = self._analysis = ""

    def changes(self, model: Status) -> Iterator[str]:
        """A line for each condition, step or analysis that differs from the call before."""
        yield from self._changed_conditions(model)
        candidate = model.get("status", {}).get("candidate")
        if candidate and model["status"].get("serving"):
            yield from self._changed_rollout(candidate)

    def _changed_conditions(self, model: Status) -> Iterator[str]:
        """Several conditions may have one message: it is shown once."""
        conditions, shown = _conditions(model), set()
        for kind in (kind for kind in ORDER if kind in conditions):
            condition = conditions[kind]
            state = (condition["status"], condition["reason"], condition.get("message", ""))
            if self._conditions.get(kind) != state:
                self._conditions[kind] = state
                if state[2] not in shown:
                    yield f"{kind}={state[0]} {state[1]}: {state[2]}"
                shown.add(state[2])

    def _changed_rollout(self, candidate: Status) -> Iterator[str]:
        if (text := rollout_text(candidate)) != self._rollout:
            self._rollout = text
            yield text
        analysis = candidate.get("analysis")
        if analysis and (text := analysis_text(analysis)) != self._analysis:
            self._analysis = text
            yield text


def rollout_text(candidate: Status) -> str:
    """`  rollout  | version 2: Paused, 10% of the traffic wanted, 25% by its pods`."""
    wanted, actual = candidate.get("weight", 0), candidate.get("actualWeight", 0)
    by_pods = "" if wanted == actual else f" wanted, {actual}% by its pods"
    share = f"{wanted}% of the traffic{by_pods}"
    return f"  rollout  | version {candidate['version']}: {candidate.get('phase', 'Starting')}, {share}"


def analysis_text(analysis: Status) -> str:
    """`  analysis | Passed: candidate 143 requests, 0 errors; stable 431 requests, 0 errors`."""
    tracks = "; ".join(
        f"{name} {track.get('requests', 0)} requests, {track.get('errors', 0)} errors"
        for name in ("candidate", "stable")
        for track in [analysis.get(name, {})]
    )
    message = f" ({analysis['message']})" if analysis.get("message") else ""
    return f"  analysis | {analysis.get('verdict', 'Inconclusive')}{message}: {tracks}"


def outcome(model: Status) -> str:
    """`Ready`, or why it never will be; empty while it is still open.

    Ready alone would not do: after a change of the spec the former version serves until the new one has been promoted.
    """
    if not model:
        return "The HeartModel was deleted."
    generation = model["metadata"]["generation"]
    current = {kind: each for kind, each in _conditions(model).items() if each.get("observedGeneration") == generation}
    for kind in ORDER:
        condition = current.get(kind, {})
        if condition.get("status") == "False" and condition.get("reason") in FINAL:
            return f"{condition['reason']}: {condition.get('message', '')}"
    return "Ready" if all(current.get(kind, {}).get("status") == "True" for kind in ORDER) else ""


def needs_person(model: Status) -> bool:
    """Whether the rollout stands still until somebody promotes or resumes it."""
    candidate = model.get("status", {}).get("candidate") or {}
    return bool(candidate.get("paused")) or candidate.get("phase") == "AwaitingApproval"


def rolls_out(model: Status) -> bool:
    """Whether a candidate takes traffic beside a serving version, so that its analysis needs requests."""
    status = model.get("status", {})
    return bool(status.get("candidate") and status.get("serving"))


def _conditions(model: Status) -> dict[str, Status]:
    return {each["type"]: each for each in model.get("status", {}).get("conditions", [])}
