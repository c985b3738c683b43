"""Which rows are the same row, and which fold each row belongs to."""

import hmac
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold

from heart_trainer.values import Integers

Split = tuple[Integers, Integers]


def row_keys(values: pd.DataFrame, secret: bytes) -> tuple[str, ...]:
    """HMAC-SHA256 (hex) of each row's canonical values; clinical rows are guessable, so a plain hash would not do.

    The order of columns does not matter, and `1`, `1.0` and `01` are one number. A row's key depends on nothing but the
    row: what is not text counts as a float64, and text is added under its column.
    """
    frame = values[sorted(values.columns)]
    texts = [_is_text(frame[name]) for name in frame]
    numbers = np.column_stack([_floats(frame[name], text) for name, text in zip(frame, texts, strict=True)])
    named = [_named(frame[name], text, str(name)) for name, text in zip(frame, texts, strict=True) if text.any()]
    start = json.dumps(list(map(str, frame.columns))).encode()
    rows = (row.tobytes() for row in numbers)
    added = map(b"".join, zip(*named, strict=True)) if named else itertools.repeat(b"", len(frame))
    return tuple(hmac.digest(secret, start + row + text, "sha256").hex() for row, text in zip(rows, added, strict=True))


def _is_text(column: "pd.Series[Any]") -> "pd.Series[bool]":
    if column.dtype.kind in "biuf":
        return pd.Series(False, index=column.index)
    return column.map(lambda value: isinstance(value, str)).astype(bool)


def _floats(column: "pd.Series[Any]", text: "pd.Series[bool]") -> NDArray[np.float64]:
    """One NaN for what is missing or text, one zero."""
    found = np.asarray(column.where(~text, np.nan), dtype=np.float64) + 0.0
    return np.where(np.isnan(found), np.nan, found)


def _named(column: "pd.Series[Any]", text: "pd.Series[bool]", name: str) -> list[bytes]:
    """For each row its text with the column's name, nothing where it has none."""
    spelt = {value: json.dumps([name, value]).encode() for value in column[text].unique()}
    return [spelt[value] if is_text else b"" for value, is_text in zip(column, text, strict=True)]


def equal_rows(x: NDArray[Any]) -> Integers:
    """Return for each row the number of its group of equal rows, in the order in which groups appear; a missing value
    equals itself.
    """
    frame = pd.DataFrame(x)
    return np.asarray(frame.groupby(list(frame.columns), dropna=False, sort=False).ngroup(), dtype=np.int64)


def worth_learning(x: NDArray[np.float32], y: NDArray[Any]) -> Integers:
    """Indices of the rows to learn from, sorted by content.

    Neither the order of a file nor repeating all of it says anything new, so neither may change a result: counts of
    equal rows (features and target) are divided by their greatest common divisor. How often rows repeat otherwise
    does say something (few features, many people), and stays.
    """
    content = np.column_stack([x, y]).astype(np.float64)
    order = np.lexsort(np.where(np.isnan(content), np.inf, content).T[::-1])
    same = pd.Series(equal_rows(content[order]))
    counts = same.map(same.value_counts())
    kept = same.groupby(same).cumcount() < counts // np.gcd.reduce(counts.to_numpy())
    return np.asarray(order[kept.to_numpy()])


def held_out(keys: Sequence[str], groups: Integers, share: float) -> NDArray[np.bool_]:
    """Return [rows] which rows are kept out for good: by the hash of the row, so that a row never changes sides between
    versions.
    """
    draw = pd.Series([int(key[:8], 16) / 2**32 for key in keys])
    return np.asarray(draw.groupby(groups).transform("min") < share)


class EqualRowsTogether:
    """scikit-learn splitter: shuffled folds, stratified by class, in which equal rows of `x` share a fold.

    The distinct rows alone are dealt out, so that repeating rows changes nobody's fold. Rows with equal features and
    several classes are dealt as the rarest of them. A class needs at least `n_splits` distinct rows.
    """

    def __init__(self, n_splits: int, seed: int, stratify: bool) -> None:
        self.n_splits, self.seed, self.stratify = n_splits, seed, stratify

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds; the arguments are scikit-learn's, and not looked at."""
        return self.n_splits

    def split(self, X: Any, y: Any, groups: Any = None) -> Iterator[Split]:
        """Yield (training rows, held-out rows) of each fold, as indices."""
        fold = self.folds(np.asarray(X), np.asarray(y))
        for k in range(self.n_splits):
            yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)

    def folds(self, x: NDArray[Any], y: NDArray[Any]) -> Integers:
        """Return the fold of each row, from 0."""
        group = equal_rows(x)
        first = _representatives(group, y) if self.stratify else np.unique(group, return_index=True)[1]
        kind = StratifiedKFold if self.stratify else KFold
        dealer = kind(self.n_splits, shuffle=True, random_state=self.seed)
        fold_of_group = np.empty(len(first), dtype=np.int64)
        for k, (_, dealt) in enumerate(dealer.split(np.zeros((len(first), 1)), y[first])):
            fold_of_group[dealt] = k
        return fold_of_group[np.unique(group, return_inverse=True)[1]]


def _representatives(group: Integers, y: Integers) -> Integers:
    """For each group the index of a row of the group's rarest class."""
    rarest_first = np.lexsort((np.bincount(y)[y], group))
    return np.asarray(rarest_first[np.unique(group[rarest_first], return_index=True)[1]])
