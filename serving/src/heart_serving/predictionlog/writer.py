"""The thread that empties the queue."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from itertools import islice

from heart_serving.predictionlog.recorder import Queue
from heart_serving.predictionlog.rows import Row, rows_of
from heart_serving.predictionlog.sinks import RowsRejected, Sink, Unavailable
from heart_serving.protocols.answers import Answers

BATCH_ROWS = 1000
IDLE_SECONDS = 0.5
"""How long rows gather while there is little to write."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds between attempts at a sink that is unavailable."""
SHARE, ALWAYS = 0.02, 0.02
"""What the writer may use: a share of the process's time on the processor, and so much of a core in any case. That is
for thousands of rows per second; rows that it is too little for are dropped and counted."""
LONGEST_REST = 1.0
LAST_PAUSE = 0.2
"""Seconds between attempts when the process is about to end."""

logger = logging.getLogger("heart_serving")


class Writer:
    """Writes until it is closed. `sink` is called in the writer's thread; opening it may be slow."""

    def __init__(
        self,
        queue: Queue,
        answers: Answers,
        sink: Callable[[], Sink],
        dropped: Counter[str],
        labels: Collection[str] = (),
    ) -> None:
        """`labels`: names of those that are logged."""
        self._queue, self._answers, self._sink, self._dropped = queue, answers, sink, dropped
        self._labels = frozenset(labels)
        self._closing = threading.Event()
        self._give_up_at = float("inf")
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._trouble = False
        self.written = 0
        self.errors = 0

    def start(self) -> None:
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Writes what waits, for so long at most; what is left then is counted as dropped. Nothing may be offered."""
        self._give_up_at = time.monotonic() + seconds
        self._closing.set()
        if self._thread.ident:
            self._thread.join(seconds)
        if left := self._queue.rows:
            self._dropped["shutdown"] += left
            logger.warning("prediction log: %d rows could not be written before the end", left)

    def _run(self) -> None:
        with suppress(Exception):  # the first attempt says why
            self._sink()  # loads its libraries, which is not the rows' to pay for
        rest = Rest()
        while True:
            # Together: a transaction costs more than a hundred rows.
            self._closing.wait(max(rest.owed(), IDLE_SECONDS if self._queue.rows < BATCH_ROWS else 0))
            entries = self._queue.take(BATCH_ROWS)
            if not entries:
                if self._closing.is_set():
                    return
                continue
            for rows in batches(rows_of(entries, self._answers, self._labels)):
                if not self._write(rows):
                    return
                self._queue.done(len(rows))

    def _write(self, rows: list[Row]) -> bool:
        """Returns when they are written or rejected; false when time is up before."""
        pause = FIRST_PAUSE
        while not self._attempt(rows):
            if time.monotonic() + LAST_PAUSE > self._give_up_at:
                return False
            if self._closing.is_set():
                time.sleep(LAST_PAUSE)
            else:
                self._closing.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        return True

    def _attempt(self, rows: list[Row]) -> bool:
        """Write rows. True if they were written or rejected for good, False if they have to be tried again."""
        try:
            self._sink().write(rows)
        except Unavailable as why:
            self.errors += 1
            self._report(f"cannot be written ({why}); rows wait for the next attempt")
            return False
        except Exception as error:  # whatever it is, predictions to come must not pay for it
            self._dropped["rejected"] += len(rows)
            self._report(
                f"{len(rows)} rows were rejected ({error if isinstance(error, RowsRejected) else type(error).__name__})"
            )
        else:
            self.written += len(rows)
            self._report("")
        return True

    def _report(self, trouble: str) -> None:
        """The log hears when trouble begins and when it is over, not about every attempt."""
        if trouble and not self._trouble:
            logger.warning("prediction log: %s", trouble)
        elif self._trouble and not trouble:
            logger.info("prediction log: written again")
        self._trouble = bool(trouble)


class Rest:
    """Keeps a thread within what it may use of the processor."""

    def __init__(self) -> None:
        self._seen = self._clocks()
        self._debt = 0.0

    def owed(self) -> float:
        """Seconds to wait until what was used since the first call is allowed."""
        now = self._clocks()
        elapsed, process, own = (after - before for after, before in zip(now, self._seen, strict=True))
        self._seen = now
        allowed = SHARE * process + ALWAYS * elapsed
        self._debt = max(self._debt + own - allowed, 0.0)
        return min(self._debt * elapsed / allowed, LONGEST_REST) if allowed else 0.0

    @staticmethod
    def _clocks() -> tuple[float, float, float]:
        return time.monotonic(), time.process_time(), time.thread_time()


def batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH_ROWS)):
        yield batch
