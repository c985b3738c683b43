"""What a condition says, before it gets its times."""

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One condition without its times."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
