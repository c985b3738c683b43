"""What a HeartModel's conditions tell, and when its story is over."""

from collections.abc import Iterator
from typing import Any

ORDER = ("Trained", "GatePassed", "RolloutSucceeded", "Available", "Ready")
FINAL = {
    "TrainingFailed",
    "DataInvalid",
    "DatasetDigestMismatch",
    "DatasetNotAllowed",
    "DatasetUnreachable",
    "GateFailed",
    "InsufficientEvidence",
    "InvalidSpec",
    "ReadyDeadlineExceeded",
    "ExportFailed",
    "RegistryNameTaken",
}
"""Reasons that no waiting mends."""


class Narrator:
    """Tells each thing once."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[str, str, str]] = {}

    def news(self, model: dict[str, Any]) -> Iterator[str]:
        """A line for each condition that changed since the last look, in the order of the story."""
        living = _conditions(model)
        for kind in ORDER:
            condition = living.get(kind)
            if condition is None:
                continue
            state = (condition["status"], condition["reason"], condition.get("message", ""))
            if self._told.get(kind) != state:
                self._told[kind] = state
                yield f"{kind}={state[0]} {state[1]}: {state[2]}"


def end(model: dict[str, Any]) -> str:
    """`Ready`, or why it will never be; empty while the story goes on.

    Ready alone would not do: after a change of the spec the former version goes on serving until the new one is there.
    """
    if not model:
        return "The HeartModel was deleted."
    generation = model["metadata"]["generation"]
    living = {kind: each for kind, each in _conditions(model).items() if each.get("observedGeneration") == generation}
    for kind in ORDER:
        condition = living.get(kind, {})
        if condition.get("status") == "False" and condition.get("reason") in FINAL:
            return f"{condition['reason']}: {condition.get('message', '')}"
    return "Ready" if all(living.get(kind, {}).get("status") == "True" for kind in ORDER) else ""


def _conditions(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["type"]: each for each in model.get("status", {}).get("conditions", [])}
