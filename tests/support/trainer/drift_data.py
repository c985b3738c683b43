"""Made-up training data and live traffic for drift: 13 columns, of which nine are numbers (five of them whole)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heart_api.contract import Feature
from heart_api.referenceprofile import ReferenceProfile
from heart_trainer.package.profile import feature_profile

NUMBERS = tuple(f"number{index}" for index in range(9))
CATEGORIES: dict[str, tuple[float, ...]] = {
    "sex": (0.32, 0.68),
    "pain": (0.2, 0.5, 0.3),
    "vessels": (0.6, 0.2, 0.15, 0.05),
    "sugar": (0.85, 0.15),
}
FEATURES = (
    *(Feature(name=name, type="integer" if index % 2 else "number") for index, name in enumerate(NUMBERS)),
    *(Feature(name=name, type="category", values=tuple(range(len(p)))) for name, p in CATEGORIES.items()),
)
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Row:
    """As the prediction log has it."""

    features: Mapping[str, Any]
    redacted: tuple[str, ...] = ()


def columns(rng: np.random.Generator, rows: int, shift: Mapping[str, float] | None = None) -> Columns:
    """`shift`: standard deviations by the name of a number."""
    found: Columns = {}
    for index, name in enumerate(NUMBERS):
        values = rng.normal((shift or {}).get(name, 0.0), 1, rows)
        found[name] = np.round(54 + 9 * values) if index % 2 else values
    return found | {name: rng.choice(len(p), rows, p=p) for name, p in CATEGORIES.items()}


def reference(rng: np.random.Generator, rows: int) -> ReferenceProfile:
    found = columns(rng, rows)
    profiles = tuple(feature_profile(feature, found[feature.name].astype(np.float32)) for feature in FEATURES)
    return ReferenceProfile(rows=rows, features=profiles, outputs={})


def traffic(rng: np.random.Generator, rows: int, shift: Mapping[str, float] | None = None) -> list[Row]:
    found = {name: values.tolist() for name, values in columns(rng, rows, shift).items()}
    return [Row({name: values[index] for name, values in found.items()}) for index in range(rows)]
