"""What all connections of a server know."""

import asyncio
from collections.abc import Callable, Set
from typing import Protocol, cast

from uvicorn.server import ServerState

from heart_serving.http.fast_path import FastPath


class OpenConnection(Protocol):
    """What the server has to know of a connection to choose the one that makes way."""

    began: float
    transport: asyncio.Transport

    @property
    def is_idle(self) -> bool: ...


class State(ServerState):
    """uvicorn's own state of a server, and ours."""

    def __init__(
        self,
        connection_seconds: float,
        max_connections: int,
        fast_path: FastPath | None,
        count: Callable[[int], None],
    ) -> None:
        """`fast_path`: None sends every request through ASGI. `count` is given the status of what is no request."""
        super().__init__()
        self.connection_seconds = connection_seconds
        self.max_connections = max_connections
        self.draining = False
        self.fast_path = fast_path
        self.count = count

    def has_room(self) -> bool:
        """Return whether the newest connection may stay. At the bound the oldest idle one is closed for it."""
        if len(self.connections) <= self.max_connections:
            return True
        connections = cast(Set[OpenConnection], self.connections)
        idle = [each for each in connections if each.is_idle and not each.transport.is_closing()]
        if len(idle) < 2:  # the newest is idle as well
            return False
        min(idle, key=lambda each: each.began).transport.close()
        return True
