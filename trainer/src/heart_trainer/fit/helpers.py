"""A search that several pods share: each chooses settings for some sets of rows, and the first fits with all of them.

What a pod hands over is the settings that it chose, never a model. The first fits them again, which costs a few fits
instead of a search, and gets to the last bit what it would have chosen alone.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

from heart_api.training import Algorithm

Settings = Sequence[tuple[Algorithm, dict[str, Any]]]
"""Each family's best settings, the simplest family first."""


class Helpers(Protocol):
    """`rank`: 0 for the pod that fits, measures and registers."""

    rank: int
    count: int

    def publish(self, found: Mapping[int, Settings]) -> None:
        """Hand over the settings by number of the set of rows. Raises TrainerError."""
        ...

    def collect(self, wanted: AbstractSet[int]) -> Mapping[int, Settings]:
        """What others have handed over for these sets of rows, as soon as all of it is there. Raises TrainerError."""
        ...


def own_part(helpers: Helpers, sets: int) -> frozenset[int]:
    """The sets of rows that this pod searches. The first, which has to fit as well, has the fewest."""
    return frozenset(range(helpers.count - 1 - helpers.rank, sets, helpers.count))


def shared_search(
    helpers: Helpers, sets: int, search: Callable[[Sequence[int]], Mapping[int, Settings]]
) -> Mapping[int, Settings]:
    """The settings of every set of rows; for a pod other than the first, which only helps, its own.

    Raises TrainerError.
    """
    mine = own_part(helpers, sets)
    found = search(sorted(mine))
    if helpers.rank:
        helpers.publish(found)
        return found
    return {**found, **helpers.collect(frozenset(range(sets)) - mine)}
