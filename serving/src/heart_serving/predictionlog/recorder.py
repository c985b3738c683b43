"""The hot path's end of the log: a prediction is remembered by reference, or counted as dropped; nothing waits."""

import time
from binascii import crc32
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from heart_api.predictionlog import PredictionLog
from heart_serving.protocols.answers import Outputs

MAX_ROWS = 20_000
"""Rows that wait at most: about 20 MB of a pod's memory, and more than three minutes of 100 predictions per second."""
SHARES = 10_000
Records = Sequence[Mapping[str, Any]]


Answered = tuple[str, Records, Outputs, bool, str | None, str | None]
"""Of an answered prediction request what an `Entry` holds behind its time. A bare tuple: naming its parts costs more
than all the rest, and is the writer's to do."""


class Entry(NamedTuple):
    """An answered prediction request, as it waits for the writer."""

    time: float
    """Seconds since 1970."""
    request_id: str
    records: Records
    outputs: Outputs
    shadow: bool
    subject: str | None
    labels: str | None
    """As the header had them."""


class Recorder(Protocol):
    def offer(self, answered: Answered) -> None:
        """Takes note of an answered request. Never waits and never fails. On the event loop alone."""


class NoRecorder:
    """The recorder of `sink: None`, which discards everything."""

    def offer(self, answered: Answered) -> None:
        pass


class DroppingRecorder:
    """For a log that has nowhere to go: what is not kept is counted all the same."""

    def __init__(self, dropped: Counter[str], reason: str) -> None:
        self._dropped, self._reason = dropped, reason

    def offer(self, answered: Answered) -> None:
        self._dropped[self._reason] += len(answered[1])


class Queue:
    """Sampled and redacted requests on their way: `offer` on the event loop, `take` in the writer's thread.

    Either side has a counter of its own, so that neither needs a lock.
    """

    def __init__(self, spec: PredictionLog, dropped: Counter[str], max_rows: int = MAX_ROWS) -> None:
        self._share = spec.sample_percent * SHARES // 100
        self._redacted = frozenset(spec.redact)
        self._dropped = dropped
        self._max_rows = max_rows
        self._entries: deque[tuple[float, Answered]] = deque()
        self._offered = self._done = 0

    @property
    def rows(self) -> int:
        """Number of rows that were accepted and not yet written, rows of a running write included."""
        return self._offered - self._done

    def offer(self, answered: Answered) -> None:
        # By the id, so that all pods and every attempt decide alike.
        if self._share < SHARES and crc32(answered[0].encode()) % SHARES >= self._share:
            return
        count = len(answered[1])
        if self._offered - self._done + count > self._max_rows:
            self._dropped["queue_full"] += count
            return
        if self._redacted:
            answered = (answered[0], self._without_redacted(answered[1]), *answered[2:])
        self._offered += count
        self._entries.append((time.time(), answered))

    def _without_redacted(self, records: Records) -> Records:
        return [{k: v for k, v in record.items() if k not in self._redacted} for record in records]

    def take(self, rows: int) -> list[Entry]:
        """The oldest requests, as many as make up the rows (at least one, if there is any)."""
        taken: list[Entry] = []
        while self._entries and rows > 0:
            moment, answered = self._entries.popleft()
            taken.append(Entry(moment, *answered))
            rows -= len(taken[-1].records)
        return taken

    def done(self, rows: int) -> None:
        """Called by the writer: `rows` of those that it took are written or dropped."""
        self._done += rows
