"""The typical record of a version: medians and most frequent values, valid by the contract."""

import numpy as np
import pytest

from heart_api.contract import Feature
from heart_trainer.package.example import typical_record
from heart_trainer.package.profile import feature_profile

FEATURES = (
    Feature(name="chol", type="number", minimum=50, maximum=1000),
    Feature(name="vessels", type="integer", minimum=0, maximum=3, required=False),
    Feature(name="cp", type="category", values=("typical", "atypical", "none")),
    Feature(name="exang", type="boolean"),
)
COLUMNS = (
    [200.1, 240.3, 246.7, 250, 564],
    [0, 0, np.nan, 1, 3],
    [0, 2, 2, 2, 1],
    [1, 1, 0, 1, 0],
)


def record(columns: tuple[list[float], ...], features: tuple[Feature, ...] = FEATURES) -> dict[str, object]:
    profiles = [feature_profile(f, np.array(c, np.float32)) for f, c in zip(features, columns, strict=True)]
    return dict(typical_record(features, profiles))


def test_medians_and_most_frequent_values() -> None:
    assert record(COLUMNS) == {"chol": 246.7, "vessels": 0, "cp": "none", "exang": True}


def test_a_column_of_missing_values_is_left_out() -> None:
    columns = (COLUMNS[0], [np.nan] * 5, *COLUMNS[2:])
    assert "vessels" not in record(columns)


@pytest.mark.parametrize("value", [0.1, 0.3])
def test_rounding_breaks_no_bound(value: float) -> None:
    feature = Feature(name="x", type="number", minimum=0.1, maximum=0.3)
    found = record(([value] * 3,), (feature,))["x"]
    assert 0.1 <= found <= 0.3  # type: ignore[operator]
