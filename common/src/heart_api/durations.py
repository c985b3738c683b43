"""Lengths of time as Kubernetes users write them: `500ms`, `60s`, `1h30m`, `90d`."""

import re

from heart_api.base import DURATION_PATTERN

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(duration: str) -> float:
    """`1h30m` → 5400.0.

    Raises:
        ValueError: not a duration.
    """
    if not re.fullmatch(DURATION_PATTERN, duration):
        raise ValueError(f"{duration!r} is not a duration; write it like 500ms, 60s or 1h30m")
    return sum(int(count) * SECONDS[unit] for count, unit in re.findall(r"([0-9]+)(ms|[smhd])", duration))
