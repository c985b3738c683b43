"""The reference profile: the training data in a few numbers per column, for drift."""

import numpy as np
from numpy.typing import NDArray

from heart_api.contract import Feature
from heart_api.referenceprofile import FeatureProfile, ReferenceProfile
from heart_trainer.evaluation.metrics import Array
from heart_trainer.values import OutOfFoldResult, Table

PERCENTILES = np.linspace(0, 1, 101)


def build_profile(table: Table, features: tuple[Feature, ...], oof: OutOfFoldResult) -> ReferenceProfile:
    output = oof.output[oof.judged]
    names = [str(name) for name in table.classes] or ["value"]
    return ReferenceProfile(
        rows=len(table),
        features=feature_profiles(table, features),
        outputs={name: _percentiles(output[:, index]) for index, name in enumerate(names)},
    )


def feature_profiles(table: Table, features: tuple[Feature, ...]) -> tuple[FeatureProfile, ...]:
    """The profile of each feature over the table's rows, in the contract's order."""
    return tuple(feature_profile(feature, table.x[:, index]) for index, feature in enumerate(features))


def feature_profile(feature: Feature, column: NDArray[np.float32]) -> FeatureProfile:
    """Share of missing values with counts (category, boolean) or percentiles of `column`, encoded as `Feature` says."""
    known = column[~np.isnan(column)]
    profile = FeatureProfile(name=feature.name, type=feature.type, missing=1 - len(known) / max(len(column), 1))
    if feature.type in ("category", "boolean"):
        names = feature.values or ("false", "true")
        counts = {str(name): int((known == index).sum()) for index, name in enumerate(names)}
        return profile.model_copy(update={"counts": counts})
    return profile.model_copy(update={"quantiles": _percentiles(known.astype(float))})


def _percentiles(values: Array) -> tuple[float, ...]:
    return tuple(map(float, np.quantile(values, PERCENTILES))) if len(values) else ()
