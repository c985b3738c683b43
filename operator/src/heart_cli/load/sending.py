"""Sends the load over several connections and measures every request. Nothing is retried."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus

from heart_api.names import VERSION_HEADER
from heart_cli.errors import ApiFailure
from heart_cli.load.plan import Plan, Schedule
from heart_cli.load.records import Record
from heart_cli.load.results import Outcome
from heart_cli.modelservice import ModelService

TIMEOUT = 10.0
"""Seconds after which a request counts as failed."""
Send = Callable[[Record], tuple[str, str]]
"""Sends one record; returns the version that answered (empty: none did) and the problem (empty: a prediction came)."""


class Load:
    """One load run; `outcomes` may be read while it is in progress."""

    def __init__(self, plan: Plan, records: Sequence[Record], send: Send) -> None:
        self.outcomes: list[Outcome] = []
        self._plan, self._records, self._send = plan, records, send
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._started = self._ended = 0.0

    @property
    def seconds(self) -> float:
        """How long it has been running, or ran."""
        return (self._ended or time.monotonic()) - self._started

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sends while the block runs; at its end no new request begins, and those in flight are waited for."""
        self._started = time.monotonic()
        schedule = Schedule(self._plan, time.monotonic)
        self._threads = [
            threading.Thread(target=self._work, args=(schedule,), daemon=True) for _ in range(self._plan.connections)
        ]
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self.wait(2 * TIMEOUT)
            self._ended = time.monotonic()

    def wait(self, seconds: float) -> bool:
        """Waits at most so long for the end of the plan; whether it has been reached."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, schedule: Schedule) -> None:
        while not self._stopping.is_set() and (turn := schedule.next()):
            number, due = turn
            if self._stopping.wait(max(0.0, due - time.monotonic())):
                return
            version, problem = self._send(self._records[number % len(self._records)])
            # From the time at which it was due: a server that stalls delays the requests behind, too.
            self.outcomes.append(Outcome(version, time.monotonic() - due, problem))


def sender(service: ModelService) -> Send:
    """Posts to the model's /predict."""
    path, headers = service.path("predict"), service.headers

    def send(record: Record) -> tuple[str, str]:
        try:
            response = service.client.post(path, record, TIMEOUT, headers)
        except ApiFailure as error:
            return "", str(error)
        version = response.headers.get(VERSION_HEADER, "")
        return version, "" if response.status == HTTPStatus.OK else status_text(response.status)

    return send


def status_text(status: int) -> str:
    """`503 Service Unavailable`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
