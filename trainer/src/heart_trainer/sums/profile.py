"""The reference profile for drift from histograms, and the suppression of cells with few rows."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from heart_api.contract import Feature
from heart_api.referenceprofile import FeatureProfile, ReferenceProfile
from heart_trainer.package.profile import PERCENTILES
from heart_trainer.sums.describe import NUMBERS, Description
from heart_trainer.sums.scores import Cells

Integers = NDArray[np.int64]


def build_profile(
    description: Description, features: Sequence[Feature], outputs: Mapping[str, Sequence[float]], minimum: int = 1
) -> ReferenceProfile:
    """`outputs`: percentiles of the out-of-fold answers by class. `minimum`: least rows of a cell that is shown."""
    return ReferenceProfile(
        rows=description.rows(),
        features=tuple(_feature(description, index, feature, minimum) for index, feature in enumerate(features)),
        outputs={name: tuple(values) for name, values in outputs.items()},
    )


def _feature(description: Description, column: int, feature: Feature, minimum: int) -> FeatureProfile:
    counts, axis = description.histogram(column), description.request.axes[column]
    missing = 1 - description.present(column) / max(description.rows(), 1)
    profile = FeatureProfile(name=feature.name, type=feature.type, missing=missing)
    if feature.type not in NUMBERS:
        names = feature.values or ("false", "true")
        shown = np.where(counts >= minimum, counts, 0)
        return profile.model_copy(update={"counts": dict(zip(map(str, names), shown.tolist(), strict=True))})
    merged = merge_small(counts, minimum)
    quantiles = axis.quantiles(merged, PERCENTILES).tolist() if merged.any() else ()
    return profile.model_copy(update={"quantiles": tuple(quantiles)})


def merge_small(counts: Integers, minimum: int) -> Integers:
    """Neighbouring bins merged until each filled one holds at least `minimum` rows, at the place of its fullest bin.

    The number of rows is kept. Nothing is left of fewer than `minimum` rows.
    """
    merged = np.zeros_like(counts)
    if minimum <= 1 or counts.sum() < minimum:
        return counts.copy() if minimum <= 1 else merged
    groups: list[list[int]] = [[]]
    filled = 0
    for place in np.flatnonzero(counts).tolist():
        groups[-1].append(place)
        filled += int(counts[place])
        if filled >= minimum:
            groups.append([])
            filled = 0
    rest = groups.pop()
    groups[-1].extend(rest)
    for places in groups:
        merged[max(places, key=lambda place: counts[place])] = counts[places].sum()
    return merged


def score_percentiles(cells: Cells) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Percentiles of the probabilities of class 0 and of class 1."""
    order = np.argsort(cells.output[:, 1], kind="stable")
    reach = np.cumsum(cells.weight[order])
    rank = np.round(PERCENTILES * (reach[-1] - 1)).astype(np.int64)
    positive = cells.output[order, 1][np.searchsorted(reach, rank, side="right")]
    return tuple((1 - positive[::-1]).tolist()), tuple(positive.tolist())
