"""Times, digests and other people's text as a terminal shows them."""

from datetime import UTC, datetime
from itertools import pairwise

from heart_api.times import read

UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
COARSE = 10
"""From this count of a unit on, the next smaller one is left out."""


def length(seconds: float) -> str:
    """At most two units: `45s`, `5m10s`, `12m`, `2d4h`."""
    rest = max(0, int(seconds))
    for (unit, size), (smaller, small) in pairwise(UNITS):
        if rest >= size:
            count, rest = divmod(rest, size)
            fine = rest // small if count < COARSE else 0
            return f"{count}{unit}" + (f"{fine}{smaller}" if fine else "")
    return f"{rest}s"


def age(stamp: str, now: datetime) -> str:
    """How long ago."""
    return length((now - read(stamp)).total_seconds())


def left(until: datetime, now: datetime) -> str:
    """How long yet."""
    return f"{length((until - now).total_seconds())} left"


def clock(stamp: str) -> str:
    """`2026-11-21 08:01:02`, in UTC."""
    return f"{read(stamp).astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def short(digest: str) -> str:
    """As much of a digest as tells two versions apart."""
    return digest[: len("sha256:") + 12]


def clean(text: str) -> str:
    """Without characters that would move the cursor or reverse the text: whoever wrote it does not own the terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def harmless(line: bytes) -> bytes:
    """One line of a log: control characters other than tab and newline are escaped (`\\x1b`)."""
    text = line.decode(errors="backslashreplace")
    return "".join(c if c.isprintable() or c in "\t\n" else c.encode("unicode_escape").decode() for c in text).encode()


def count(number: int, noun: str) -> str:
    """`1 pod`, `2 pods`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}".replace(",", " ")
