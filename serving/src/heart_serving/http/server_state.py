"""What all connections of a server know: when to end, what may be answered at once, and the turn of the event loop."""

from collections.abc import Callable, Collection

from uvicorn.server import ServerState

from heart_serving.admission.event_loop_budget import Turn
from heart_serving.http.responses import Fields
from heart_serving.protocols.base import Reply

AnswerAtOnce = Callable[[bytes, Fields, bytes, Callable[[Reply, str], None], bool, int], int | None]
"""Edge.answer_at_once"""


class State(ServerState):
    """uvicorn's own state of a server, and ours."""

    def __init__(self, connection_seconds: float) -> None:
        super().__init__()
        self.connection_seconds = connection_seconds
        self.draining = False
        self.quick: Collection[bytes] = ()
        """URLs to which a POST may be answered at once."""
        self.answer_at_once: AnswerAtOnce = lambda *_: None
        self.turn = Turn()
