"""A synthetic heart cohort: nobody's data, in the columns of the UCI Cleveland file, from a seeded risk model.

Means and shares resemble what textbooks say of patients sent to angiography; the coefficients are chosen so that a good
model reaches an AUC of about .9. It is for demonstrations and drift experiments; it says nothing about real hearts.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

COLUMNS = (
    "age",
    "sex",
    "cp",
    "trestbps",
    "chol",
    "fbs",
    "restecg",
    "thalach",
    "exang",
    "oldpeak",
    "slope",
    "ca",
    "thal",
)
DRIFTING = ("age", "trestbps", "chol", "thalach")
"""What `shift` moves: an older population with higher pressure and cholesterol, and a lower heart rate."""


def heart_cohort(rows: int = 303, seed: int = 42, shift: float = 0.0) -> pd.DataFrame:
    """Return `rows` patients with `num` (0: no disease, 1 to 4: its extent). `shift`: in standard deviations of what
    drifts.
    """
    rng = np.random.default_rng(seed)
    age = np.clip(rng.normal(54.5 + 9 * shift, 9, rows), 20, 95).round()
    sex = rng.binomial(1, 0.68, rows)
    trestbps = np.clip(rng.normal(131 + 0.4 * (age - 54) + 17 * shift, 17, rows), 80, 220).round()
    chol = np.clip(rng.normal(256 - 15 * sex + 50 * shift, 50, rows), 110, 600).round()
    thalach = np.clip(rng.normal(150 - 0.9 * (age - 54) - 22 * shift, 20, rows), 60, 220).round()
    frail = rng.normal(0, 1, rows) + 0.04 * (age - 54) + 0.5 * (sex - 0.68) - 0.012 * (thalach - 150)
    frame = pd.DataFrame(
        {
            "age": age,
            "sex": sex,
            "cp": _levels(rng, 0.7 * frail, (-1.8, -0.8, 0.1), (1, 2, 3, 4)),
            "trestbps": trestbps,
            "chol": chol,
            "fbs": rng.binomial(1, 0.15, rows),
            "restecg": _levels(rng, 0.3 * frail, (0.0, 0.04), (0, 1, 2)),
            "thalach": thalach,
            "exang": rng.binomial(1, _probability(-0.9 + 0.9 * frail)),
            "oldpeak": np.clip(rng.normal(0.9 + 0.7 * frail, 0.8, rows), 0, 6.5).round(1),
            "slope": _levels(rng, 0.7 * frail, (0.1, 2.0), (1, 2, 3)),
            "ca": _levels(rng, 0.8 * frail, (0.4, 1.3, 2.1), (0, 1, 2, 3)),
            "thal": _levels(rng, 0.8 * frail, (0.2, 0.5), (3, 6, 7)),
        }
    )
    frame["num"] = _disease(rng, frame)
    return frame


KAGGLE = {
    "cp": {1: 3, 2: 1, 3: 2, 4: 0},
    "restecg": {0: 1, 1: 2, 2: 0},
    "slope": {1: 2, 2: 1, 3: 0},
    "thal": {6: 1, 3: 2, 7: 3},
}
"""Codes of the Cleveland file → those of the copy on Kaggle (examples/heart-kaggle/README.md)."""


def in_kaggle_coding(cohort: pd.DataFrame) -> pd.DataFrame:
    """Return the same patients with Kaggle's codes, and `target` in place of `num`: 1 for no disease."""
    recoded = cohort.assign(**{name: cohort[name].map(codes) for name, codes in KAGGLE.items()})
    return recoded.drop(columns="num").assign(target=(cohort["num"] == 0).astype(int))


def _disease(rng: np.random.Generator, frame: pd.DataFrame) -> NDArray[np.int64]:
    """0 for no disease, else its extent, 1 to 4."""
    risk = (
        -3.7
        + 0.02 * (frame["age"] - 54)
        + 0.9 * frame["sex"]
        + 1.5 * (frame["cp"] == 4)
        + 0.015 * (frame["trestbps"] - 131)
        + 0.004 * (frame["chol"] - 246)
        - 0.02 * (frame["thalach"] - 150)
        + 0.8 * frame["exang"]
        + 0.5 * frame["oldpeak"]
        + 0.6 * (frame["slope"] > 1)
        + 1.1 * frame["ca"]
        + 1.4 * (frame["thal"] == 7)
    ).to_numpy()
    extent = 1 + rng.binomial(3, _probability(0.5 * risk - 1.2))
    return np.where(rng.random(len(frame)) < _probability(risk), extent, 0)


def _probability(log_odds: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def _levels(
    rng: np.random.Generator, score: NDArray[Any], cuts: tuple[float, ...], values: tuple[int, ...]
) -> NDArray[Any]:
    return np.asarray(values)[np.digitize(score + rng.normal(0, 1, len(score)), cuts)]
