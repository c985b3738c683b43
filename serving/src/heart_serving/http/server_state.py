"""What all connections of a server know."""

from uvicorn.server import ServerState

from heart_serving.http.fast_path import FastPath


class State(ServerState):
    """uvicorn's own state of a server, and ours."""

    def __init__(self, connection_seconds: float, fast_path: FastPath | None) -> None:
        """`fast_path`: None sends every request through ASGI."""
        super().__init__()
        self.connection_seconds = connection_seconds
        self.draining = False
        self.fast_path = fast_path
