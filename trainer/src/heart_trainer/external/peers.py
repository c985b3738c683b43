"""The workers of a training that read its rows in parts: what each must know of the others.

Every worker runs the same steps on the same totals, and so decides the same. What differs, such as a search that is
bounded by a clock, is done by the first and shared. Nothing that arrives is unpickled: a peer's bytes are read as
arrays of a known shape or as JSON.
"""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heart_trainer.sums.additive import Sums

Arrays = Mapping[str, NDArray[Any]]


class Peers(Protocol):
    """`rank`: 0 for the worker that measures and registers. Each method is called by all in the same order."""

    rank: int
    count: int

    def total(self, own: Sums) -> Sums:
        """The sum of all workers' statistics, equal to the last bit for each of them."""
        ...

    def gather(self, own: bytes) -> Sequence[bytes]:
        """What every worker handed in, by rank."""
        ...


class Alone:
    """The only worker."""

    rank, count = 0, 1

    def total(self, own: Sums) -> Sums:
        return own

    def gather(self, own: bytes) -> Sequence[bytes]:
        return (own,)


ALONE = Alone()


def gather_values(peers: Peers, own: Any) -> list[Any]:
    """Numbers, texts and lists of them, by rank."""
    return [json.loads(data) for data in peers.gather(json.dumps(own).encode())]


def of_the_first(peers: Peers, own: Any) -> Any:
    """What the first worker hands in; the others' is ignored."""
    return gather_values(peers, own if peers.rank == 0 else None)[0]


def gather_arrays(peers: Peers, own: Arrays) -> list[dict[str, NDArray[Any]]]:
    """Arrays of numbers or texts, by rank."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **own)
    found = []
    for data in peers.gather(buffer.getvalue()):
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            found.append({name: archive[name] for name in own})
    return found
