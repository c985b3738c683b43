"""`builtin://NAME?options`: data that needs no network, written as CSV so that the rest treats it like a file."""

import re
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import SplitResult, parse_qsl

import pandas as pd
from sklearn import datasets

from heart_api.handover import DataAccess
from heart_trainer.data.sources.cohort import heart_cohort, in_kaggle_coding
from heart_trainer.data.sources.vitals import COLUMNS, vitals_cohort
from heart_trainer.errors import SourceError

SYNTHETIC = "heart-synthetic"
"""A generated dataset; its versions are marked synthetic. Options: rows, seed, shift, coding."""
VITALS = "vitals-synthetic"
"""Another one. Options: rows, seed, sick, shift, without (columns, separated by commas)."""
MAX_ROWS = 1_000_000
UNCOUNTED = 60
"""One patient in so many; in the file it is 5 of 303."""

N = TypeVar("N", int, float)
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
    if address.netloc == VITALS:
        return _csv(_vitals(options))
    if address.netloc not in _REAL:
        raise _rejected(f"there is no {address.netloc}; use one of {', '.join([*_REAL, SYNTHETIC, VITALS])}")
    if options:
        raise _rejected(f"{address.netloc} takes no options")
    frame: pd.DataFrame = _REAL[address.netloc](as_frame=True).frame  # type: ignore[attr-defined]
    return _csv(frame.rename(columns=lambda name: re.sub(r"\W+", "_", name).strip("_")))


def _cohort(options: dict[str, str]) -> pd.DataFrame:
    _reject_unknown(SYNTHETIC, options, ("rows", "seed", "shift", "coding"))
    coding = options.get("coding", "uci")
    if coding not in ("uci", "kaggle"):
        raise _rejected("coding is uci or kaggle")
    rows, seed, shift = _size(options, 303), _seed(options), _deviations(options, "shift")
    cohort = heart_cohort(rows, seed, shift)
    return _as_on_kaggle(cohort) if coding == "kaggle" else cohort


def _as_on_kaggle(cohort: pd.DataFrame) -> pd.DataFrame:
    """In Kaggle's coding, and with what is peculiar to that file: 4 where a patient's vessels were not counted."""
    recoded = in_kaggle_coding(cohort)
    recoded.loc[::UNCOUNTED, "ca"] = 4
    return recoded


def _vitals(options: dict[str, str]) -> pd.DataFrame:
    _reject_unknown(VITALS, options, ("rows", "seed", "sick", "shift", "without"))
    without = tuple(filter(None, options.get("without", "").split(",")))
    if unknown := sorted(set(without) - set(COLUMNS)):
        raise _rejected(f"without: there is no {unknown[0]}; the columns are {', '.join(COLUMNS)}")
    sick, shift = _deviations(options, "sick"), _deviations(options, "shift")
    return vitals_cohort(_size(options, 600), _seed(options), sick, shift, without)


def _reject_unknown(name: str, options: dict[str, str], known: tuple[str, ...]) -> None:
    if unknown := sorted(options.keys() - set(known)):
        listed = f"{', '.join(known[:-1])} and {known[-1]}"
        raise _rejected(f"{name} does not know {', '.join(unknown)}; it takes {listed}")


def _size(options: dict[str, str], default: int) -> int:
    rows = _number(options, "rows", int, default)
    if not 1 <= rows <= MAX_ROWS:
        raise _rejected(f"rows is 1 to {MAX_ROWS}")
    return rows


def _seed(options: dict[str, str]) -> int:
    seed = _number(options, "seed", int, 42)
    if seed < 0:
        raise _rejected("seed is 0 at least")
    return seed


def _deviations(options: dict[str, str], name: str) -> float:
    value = _number(options, name, float, 0.0)
    if not -5 <= value <= 5:
        raise _rejected(f"{name} is -5 to 5")
    return value


def _number(options: dict[str, str], name: str, kind: Callable[[str], N], default: N) -> N:
    try:
        return kind(options[name]) if name in options else default
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise _rejected(f"{name} is {what}") from None


def _csv(frame: pd.DataFrame) -> bytes:
    return bytes(frame.to_csv(index=False), "utf-8")


def _rejected(why: str) -> SourceError:
    return SourceError("DatasetUnreachable", f"dataset.uri: builtin: {why}.", permanent=True)
