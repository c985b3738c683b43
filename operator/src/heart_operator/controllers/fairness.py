"""Which of the ready keys comes next, so that a group with many keys does not delay the others.

Groups take turns, one key each. Within a group urgent keys come first, but never more than a few in a row.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

URGENT_IN_A_ROW = 3
"""Urgent keys of a group after which one of its others is taken: none of them waits for ever."""

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class Lanes(Generic[K]):
    """The ready keys of one group; both lanes are first in, first out."""

    urgent: dict[K, None] = field(default_factory=dict)
    others: dict[K, None] = field(default_factory=dict)
    streak: int = 0
    """Urgent keys taken since the last other one."""

    def take(self) -> K:
        """Raises StopIteration when both lanes are empty."""
        if self.urgent and (self.streak < URGENT_IN_A_ROW or not self.others):
            self.streak += 1
            return first_of(self.urgent)
        self.streak = 0
        return first_of(self.others)


class FairKeys(Generic[K]):
    """A set of keys that is emptied in a fair order; adding and taking cost the same however many there are."""

    def __init__(self, group: Callable[[K], Hashable]) -> None:
        """`group`: whose turn a key takes, such as its namespace."""
        self._group = group
        self._groups: dict[Hashable, Lanes[K]] = {}
        """In the order of their turns."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, key: K, *, urgent: bool = False) -> None:
        """A key that is there already keeps its place, unless it has become urgent."""
        lanes = self._groups.setdefault(self._group(key), Lanes())
        if key in lanes.urgent or (key in lanes.others and not urgent):
            return
        if key in lanes.others:
            del lanes.others[key]
            self._count -= 1
        (lanes.urgent if urgent else lanes.others)[key] = None
        self._count += 1

    def take(self, may: Callable[[Hashable], bool] = lambda group: True) -> K | None:
        """The next key of a group that `may` be taken from, removed; None if there is none.

        Its group's next turn comes after that of every other group; a group that may not be taken from keeps its turn.
        """
        found = list(islice(filter(may, self._groups), 1))
        if not found:
            return None
        lanes = self._groups.pop(found[0])
        key = lanes.take()
        self._count -= 1
        if lanes.urgent or lanes.others:
            self._groups[found[0]] = lanes
        return key


def first_of(keys: dict[K, None]) -> K:
    """The oldest key, removed."""
    key = next(iter(keys))
    del keys[key]
    return key
