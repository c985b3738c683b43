"""Errors, and who hears of each.

    Exception
    ├── SettingsError    the pod's environment is incomplete: the process ends before it listens
    ├── ModelRejected     the file is not the model that the operator named, or does not behave: likewise
    ├── FetchFailed      the init container could not get the file
    ├── CannotListen     a port is taken, or not this user's to open: the process ends
    └── Problem          a request cannot be answered; becomes an HTTP response
        └── Invalid      … because its records break the data contract (422)

Messages are for people, and none of them holds a value that a client sent.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class SettingsError(Exception):
    """The environment lacks something; the message names every variable concerned."""


class FetchFailed(Exception):
    """The model file could not be fetched; the message says why and what to do."""


class CannotListen(Exception):
    """A port cannot be opened; the message says which one and what to do."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        super().__init__(
            f"cannot listen at {host}:{port}: {why}; choose other ports (--port and --management-port, or"
            " HEARTOPS_PORT and HEARTOPS_MANAGEMENT_PORT)"
        )


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule of the contract, in the form that FastAPI's users know (`detail` items), without `input`."""

    path: tuple[str | int, ...]
    """Where: field name, or position and field name in a list of records; empty for the body as a whole."""
    type: str
    message: str
    bounds: Mapping[str, Any] = field(default_factory=dict)

    def dump(self) -> dict[str, Any]:
        item = {"loc": ["body", *self.path], "msg": self.message, "type": self.type}
        return item | {"ctx": dict(self.bounds)} if self.bounds else item

    def sentence(self) -> str:
        return f"{'.'.join(map(str, self.path)) or 'body'}: {self.message}"


class Problem(Exception):
    """A request that cannot be answered: status code and one sentence for the client."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


class Invalid(Problem):
    """Well-formed JSON that breaks the contract; `violations` lists what is wrong, capped."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(422, "; ".join(violation.sentence() for violation in violations))
        self.violations = tuple(violations)
