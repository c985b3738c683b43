"""The rows that a holder computes statistics of, and the part of the split that each row belongs to."""

import hmac
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Draws = NDArray[np.uint64]
_NAN = np.float32(np.nan)


@dataclass(frozen=True)
class Rows:
    """`x`: [rows, features] as `Feature` encodes them. `y`: 0/1 or values. `draw`: what `draws` gives."""

    x: NDArray[np.float32]
    y: NDArray[np.float64]
    draw: Draws

    def __len__(self) -> int:
        return len(self.y)

    def take(self, mask: NDArray[np.bool_]) -> "Rows":
        return Rows(self.x[mask], self.y[mask], self.draw[mask])

    def below(self, bound: float) -> "Rows":
        """The rows whose `shares` are below `bound`."""
        return self if bound >= 1 else self.take(shares(self.draw) < bound)


def draws(x: NDArray[np.float32], secret: bytes) -> Draws:
    """64 bits of HMAC-SHA256 over each row's features: rows with equal features share them wherever they are held."""
    # Copies have one zero and one NaN; the bytes of the rest are the value.
    plain = np.ascontiguousarray(np.where(np.isnan(x), _NAN, x + np.float32(0)), "<f4")
    hashed = b"".join(hmac.digest(secret, row.tobytes(), "sha256")[:8] for row in plain)
    return np.frombuffer(hashed, "<u8").astype(np.uint64)


def shares(draw: Draws) -> NDArray[np.float64]:
    """[rows] in [0, 1): a row is in a share of the rows if its number is below the share."""
    return (draw & np.uint64(0xFFFFFFFF)).astype(np.float64) / 2.0**32


def residues(draw: Draws, parts: int) -> NDArray[np.int64]:
    """[rows] in 0 … parts-1, independent of `shares`."""
    return ((draw >> np.uint64(32)) % np.uint64(parts)).astype(np.int64)
