"""What the latest reconciles found, by model and by owner; what is gone leaves nothing behind."""

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from heart_api.kube.values import ModelKey

T = TypeVar("T")


class ByOwner(Generic[T]):
    """Findings about HeartModels and their RetrainSchedules."""

    def __init__(self) -> None:
        self._found: dict[ModelKey, dict[str, tuple[T, ...]]] = {}

    def show(self, key: ModelKey, owner: str, found: tuple[T, ...]) -> None:
        """`owner`: uid of the HeartModel or RetrainSchedule that they are about."""
        self._found.setdefault(key, {})[owner] = found

    def keep_only(self, key: ModelKey, owners: Iterable[str]) -> None:
        """Of a model and its schedules, those that are still there."""
        known, kept = self._found.pop(key, {}), set(owners)
        if left := {owner: found for owner, found in known.items() if owner in kept}:
            self._found[key] = left

    def __iter__(self) -> Iterator[tuple[ModelKey, T]]:
        """Each finding of a model once, in a stable order."""
        for key, owners in sorted(self._found.items(), key=lambda item: str(item[0])):
            for entry in sorted({entry for found in owners.values() for entry in found}, key=str):
                yield key, entry
