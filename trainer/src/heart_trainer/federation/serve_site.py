"""A site's life: read the rows, wait for the coordinator, answer until it is done. Every wait has an end."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from heart_api.federation import SiteFailure, SiteOutcome, SiteRequest
from heart_trainer.errors import TrainerError
from heart_trainer.federation.errors import Unknown, Unreachable, Untrusted
from heart_trainer.federation.holder import Holder
from heart_trainer.federation.holding import Holding, hold
from heart_trainer.federation.messages import refusal

POLL_SECONDS = 0.5
RETRY_SECONDS = 3.0
LINGER_SECONDS = 30.0
"""After a refusal the site stays so long, that the coordinator can hear it."""


class Question(Protocol):
    @property
    def body(self) -> bytes: ...
    @property
    def bundle_sha256(self) -> str: ...


class Connection(Protocol):
    """Raises Unreachable, Untrusted or Unknown."""

    def connect(self) -> None: ...
    def next(self) -> Any: ...
    def answer(self, question: Any, body: bytes, seconds: float) -> None: ...
    def close(self) -> None: ...


class Clock(Protocol):
    def now(self) -> float: ...
    def wait(self, seconds: float) -> None: ...


class Monotonic:
    def now(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


def read_holding(request: SiteRequest, key: str, data: Path | None = None) -> Holding | SiteFailure:
    """The rows, or why there are none to answer about: the coordinator is told either way.

    `data`: a local file in place of the dataset's address.
    """
    try:
        return hold(request, key, data)
    except TrainerError as error:
        return refusal(error.reason, error.message)


def serve(holder: Holder, connection: Connection, clock: Clock, say: Callable[[str], None]) -> SiteOutcome:
    """Answers until the coordinator is done, or there is a reason to stop; that is in the outcome."""
    start = clock.now()
    deadline = start + holder.request.deadline_seconds
    try:
        failure = _Loop(holder, connection, clock, say, deadline).run()
    finally:
        connection.close()
    return SiteOutcome(
        exchanges=holder.exchanges,
        sent_bytes=holder.sent_bytes,
        seconds=round(clock.now() - start, 1),
        failure=failure,
    )


class _Loop:
    def __init__(
        self, holder: Holder, connection: Connection, clock: Clock, say: Callable[[str], None], deadline: float
    ) -> None:
        self.holder, self.connection, self.clock, self.say, self.deadline = holder, connection, clock, say, deadline
        self.trouble, self.connected = "", False
        self.refused_at: float | None = None

    def run(self) -> SiteFailure | None:
        while self.clock.now() < self.deadline:
            try:
                wait = self._turn()
            except Untrusted as error:
                return refusal("CoordinatorUntrusted", f"{self.holder.request.coordinator}: {error}")
            except (Unreachable, Unknown) as error:
                self._lost(error)
                wait = RETRY_SECONDS
            if self.holder.ended:
                return self.holder.refused
            if self._said_enough():
                return self.holder.refused
            self.clock.wait(wait)
        if self.holder.exchanges and not self.trouble:
            return refusal("CoordinatorUnreachable", "the coordinator did not say that it was done before the deadline")
        why = self.trouble or "it asked nothing"
        return refusal("CoordinatorUnreachable", f"{self.holder.request.coordinator} until the deadline: {why}")

    def _turn(self) -> float:
        """One look for a question; seconds until the next."""
        if not self.connected:
            self.connection.connect()
            self.connected, self.trouble = True, ""
            self.say(f"connected to {self.holder.request.coordinator}")
        question = self.connection.next()
        if question is None:
            return POLL_SECONDS
        began = self.clock.now()
        body = self.holder.answer(question.body, question.bundle_sha256)
        self.connection.answer(question, body, self.clock.now() - began)
        if self.holder.refused and self.refused_at is None:
            self.refused_at = self.clock.now()
            self.say(f"refused: {self.holder.refused.message}")
        elif not self.holder.refused:
            self.say(f"answered {self.holder.exchanges} requests, {self.holder.sent_bytes} bytes in all")
        return 0.0

    def _lost(self, error: Exception) -> None:
        if str(error) != self.trouble:
            self.say(f"the coordinator {self.holder.request.coordinator} is not there: {error}; trying again")
        self.trouble, self.connected = str(error), False

    def _said_enough(self) -> bool:
        """A refusal is final: nothing that the coordinator does makes the data others."""
        return self.refused_at is not None and self.clock.now() - self.refused_at > LINGER_SECONDS
