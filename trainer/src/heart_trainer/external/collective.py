"""XGBoost's collective as the way by which workers add up what they found.

The first worker runs the tracker, which all others find under DMLC_TRACKER_URI. The variables are those that Kubeflow
Trainer sets as well. Neither tracker nor workers prove who they are, and nothing is encrypted: a NetworkPolicy admits
the pods of the training alone (docs/large-data.md).
"""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from xgboost import collective
from xgboost.tracker import RabitTracker

from heart_trainer.errors import TrainerError
from heart_trainer.external.place import Place
from heart_trainer.sums.additive import Sums

MOST_SECONDS = 600
"""How long the workers of a training wait for each other to start."""
RETRY_SECONDS = 2.0


class Group:
    """A group of workers that XGBoost's collective connects."""

    def __init__(self, rank: int, count: int) -> None:
        self.rank, self.count = rank, count

    def total(self, own: Sums) -> Sums:
        """One exchange for all counts and one for all sums."""
        found: dict[str, NDArray[Any]] = {}
        for dtype in dict.fromkeys(field.dtype for field in own.schema):
            fields = [field for field in own.schema if field.dtype == dtype]
            joined = _added(np.concatenate([own[field.name].ravel() for field in fields]))
            ends = np.cumsum([own[field.name].size for field in fields])[:-1]
            for field, values in zip(fields, np.split(joined, ends), strict=True):
                found[field.name] = values.reshape(field.shape)
        return Sums(own.schema, found)

    def gather(self, own: bytes) -> Sequence[bytes]:
        sizes = np.zeros(self.count, np.int64)
        sizes[self.rank] = len(own)
        sizes = _added(sizes)
        ends = np.cumsum(sizes)
        joined = np.zeros(int(ends[-1]), np.uint8)
        joined[ends[self.rank] - len(own) : ends[self.rank]] = np.frombuffer(own, np.uint8)
        return [part.tobytes() for part in np.split(_added(joined), ends[:-1])]


@contextmanager
def join(place: Place, seconds: int, progress: Callable[[str], None]) -> Iterator[Group]:
    """The group, once all workers are there. `seconds`: the longest that a worker may take for one step.

    Raises TrainerError where a worker does not come or is lost.
    """
    try:
        tracker = _start_tracker(place) if place.rank == 0 else None
        progress(f"worker {place.rank} of {place.workers} waits for the others")
        _connect(place, seconds)
        yield Group(collective.get_rank(), collective.get_world_size())
        collective.finalize()
        if tracker is not None:
            tracker.wait_for(MOST_SECONDS)
    except xgboost.core.XGBoostError as error:
        raise _lost(place) from error


def _start_tracker(place: Place) -> RabitTracker:
    tracker = RabitTracker(place.workers, _own_address(place), place.port, sortby="task", timeout=MOST_SECONDS)
    tracker.start()
    return tracker


def _connect(place: Place, seconds: int) -> None:
    """The pod of the first worker may start last, and its name mean an earlier attempt's pod for a while."""
    deadline = time.monotonic() + MOST_SECONDS
    while True:
        try:
            collective.init(
                dmlc_communicator="rabit",
                dmlc_tracker_uri=_own_address(place) if place.rank == 0 else _living_tracker(place),
                dmlc_tracker_port=place.port,
                dmlc_task_id=f"{place.rank:06}",
                dmlc_retry=1,
                dmlc_timeout=seconds,
            )
            return
        except (OSError, xgboost.core.XGBoostError) as error:
            if time.monotonic() > deadline:
                raise _lost(place) from error
        time.sleep(RETRY_SECONDS)


def _living_tracker(place: Place) -> str:
    """Its address, once something listens there: XGBoost would wait as long as for a step of the training.

    Raises OSError.
    """
    address = _address_of(place.tracker)
    socket.create_connection((address, place.port), RETRY_SECONDS).close()
    return address


def _own_address(place: Place) -> str:
    """Where the others reach this worker: beside a tracker on the loopback interface, all of them are there."""
    return "127.0.0.1" if place.tracker in ("127.0.0.1", "localhost") else _address_of(socket.gethostname())


def _address_of(name: str) -> str:
    return str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])


def _added(own: NDArray[Any]) -> NDArray[Any]:
    return collective.allreduce(own, collective.Op.SUM) if own.size else own


def _lost(place: Place) -> TrainerError:
    message = (
        f"Worker {place.rank} lost another worker of this training, or never found it: the other pod's log says why."
        " All workers start again together."
    )
    return TrainerError("TrainingInterrupted", message, permanent=False)
