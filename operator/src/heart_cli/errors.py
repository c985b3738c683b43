"""Why a command ends with exit code 1; each text is a sentence for the person at the terminal.

Failure
└── ApiFailure   the API server said no, or nothing
"""


class Failure(Exception):
    """The command could not be carried out."""


class ApiFailure(Failure):
    """A request's answer; `status` is 0 where none came."""

    def __init__(self, message: str, status: int, body: bytes = b"") -> None:
        super().__init__(message)
        self.status = status
        self.body = body

    @property
    def passes(self) -> bool:
        """Whether the same request may succeed later: nobody answered, or the server could not."""
        return self.status in (0, 429) or self.status >= 500
