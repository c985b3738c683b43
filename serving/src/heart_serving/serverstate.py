"""What all connections of a server know: when to end, what may be answered at once, how long this turn has lasted."""

import asyncio
import time
from collections.abc import Callable, Collection

from uvicorn.server import ServerState

from heart_serving.dialects import Reply
from heart_serving.responses import Fields

AnswerAtOnce = Callable[[bytes, Fields, bytes, Callable[[Reply, str], None], bool], bool]
"""Edge.answer_at_once"""


class State(ServerState):
    """uvicorn's own state of a server, and ours."""

    def __init__(self, connection_seconds: float) -> None:
        super().__init__()
        self.connection_seconds = connection_seconds
        self.draining = False
        self.quick: Collection[bytes] = ()
        """URLs to which a POST may be answered at once."""
        self.answer_at_once: AnswerAtOnce = lambda *_: False
        self._turn_began: float | None = None

    def turn_seconds(self, loop: asyncio.AbstractEventLoop) -> float:
        """For how long what has arrived at one time is being answered."""
        now = time.monotonic()
        if self._turn_began is None:
            self._turn_began = now
            loop.call_soon(self._end_turn)  # the event loop reads everything that has arrived before it calls this
        return now - self._turn_began

    def _end_turn(self) -> None:
        self._turn_began = None
