"""`builtin://NAME?options`: data that needs no network, written as CSV so that the rest treats it like a file."""

import re
from collections.abc import Callable
from urllib.parse import SplitResult, parse_qsl

import pandas as pd
from sklearn import datasets

from heart_api.handover import DataAccess
from heart_trainer.data.sources.cohort import heart_cohort, in_kaggle_coding
from heart_trainer.errors import SourceError

SYNTHETIC = "heart-synthetic"
"""The only generated dataset; its versions are marked synthetic. Options: rows, seed, shift, coding."""
MAX_ROWS = 1_000_000
UNCOUNTED = 60
"""One patient in so many; in the file it is 5 of 303."""

_REAL: dict[str, Callable[..., object]] = {
    "breast-cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
}


def read(address: SplitResult, _: DataAccess) -> bytes:
    """Return the set as CSV with a header. Raises SourceError.

    scikit-learn's own sets keep their names, with spaces as underscores; the target is `target`.
    """
    options = dict(parse_qsl(address.query, keep_blank_values=True))
    if address.netloc == SYNTHETIC:
        return _csv(_cohort(options))
    if address.netloc not in _REAL:
        raise _rejected(f"there is no {address.netloc}; use one of {', '.join([*_REAL, SYNTHETIC])}")
    if options:
        raise _rejected(f"{address.netloc} takes no options")
    frame: pd.DataFrame = _REAL[address.netloc](as_frame=True).frame  # type: ignore[attr-defined]
    return _csv(frame.rename(columns=lambda name: re.sub(r"\W+", "_", name).strip("_")))


def _cohort(options: dict[str, str]) -> pd.DataFrame:
    unknown = options.keys() - {"rows", "seed", "shift", "coding"}
    if unknown:
        known = "rows, seed, shift and coding"
        raise _rejected(f"{SYNTHETIC} does not know {', '.join(sorted(unknown))}; it takes {known}")
    coding = options.get("coding", "uci")
    if coding not in ("uci", "kaggle"):
        raise _rejected("coding is uci or kaggle")
    try:
        rows, seed = int(options.get("rows", "303")), int(options.get("seed", "42"))
        shift = float(options.get("shift", "0"))
    except ValueError:
        raise _rejected("rows and seed are whole numbers, shift is a number") from None
    if not (1 <= rows <= MAX_ROWS and seed >= 0 and -5 <= shift <= 5):
        raise _rejected(f"rows is 1 to {MAX_ROWS}, seed at least 0, shift -5 to 5")
    cohort = heart_cohort(rows, seed, shift)
    return _as_on_kaggle(cohort) if coding == "kaggle" else cohort


def _as_on_kaggle(cohort: pd.DataFrame) -> pd.DataFrame:
    """In Kaggle's coding, and with what is peculiar to that file: 4 where a patient's vessels were not counted."""
    recoded = in_kaggle_coding(cohort)
    recoded.loc[::UNCOUNTED, "ca"] = 4
    return recoded


def _csv(frame: pd.DataFrame) -> bytes:
    return bytes(frame.to_csv(index=False), "utf-8")


def _rejected(why: str) -> SourceError:
    return SourceError("DatasetUnreachable", f"dataset.uri: builtin: {why}.", permanent=True)
