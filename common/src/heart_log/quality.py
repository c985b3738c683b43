"""Quality of predictions, with 95% intervals; pure.

Shares (accuracy, precision, recall): Wilson's score interval (Wilson 1927, JASA 22:209). F1 is 2s/(1+s) of such a share
s: true positives among the rows that are positive by prediction or by outcome; so is its interval. Means (brier, mae,
rmse): the mean's normal interval. Estimates without outcomes assume calibrated probabilities (CBPE, Bialek et al. 2024,
arXiv:2401.08348): their intervals cover the randomness of outcomes alone, not a loss of calibration.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

from heart_log.values import Scored

Z = 1.959964
"""Quantile of a 95% interval."""


@dataclass(frozen=True, slots=True)
class Figure:
    """`rows` is what it rests on: all predictions, or those that the metric is about (precision: positive ones)."""

    value: float
    low: float
    high: float
    rows: int


Figures = dict[str, Figure]


def measure(scored: Sequence[Scored], labels: Sequence[str]) -> Figures:
    """From outcomes. `labels`: names of the classes in order, the positive one second of two; none for regression.

    accuracy and brier for classes (summed over the classes when there are more than two), precision, recall and F1 for
    two; mae and rmse for regression. A figure that nothing is known about is absent, and so are outcomes that are no
    class of this model.
    """
    if not labels:
        return _measure_values([(row.outputs[0], row.outcome) for row in scored if isinstance(row.outcome, float)])
    rows = [row for row in scored if row.outcome in labels]
    figures = {
        "accuracy": wilson(sum(row.label == row.outcome for row in rows), len(rows)),
        "brier": mean_of([_brier(row, labels) for row in rows]),
    }
    if len(labels) == 2:
        hits = sum(row.label == row.outcome == labels[1] for row in rows)
        figures["precision"] = wilson(hits, sum(row.label == labels[1] for row in rows))
        figures["recall"] = wilson(hits, sum(row.outcome == labels[1] for row in rows))
        figures["f1"] = f1(hits, sum(labels[1] in (row.label, row.outcome) for row in rows))
    return _known(figures)


def _measure_values(pairs: Sequence[tuple[float, float]]) -> Figures:
    squares = mean_of([(predicted - true) ** 2 for predicted, true in pairs])
    root = squares and Figure(sqrt(squares.value), sqrt(squares.low), sqrt(squares.high), squares.rows)
    return _known({"mae": mean_of([abs(predicted - true) for predicted, true in pairs]), "rmse": root})


def _brier(row: Scored, labels: Sequence[str]) -> float:
    errors = [(share - (label == row.outcome)) ** 2 for share, label in zip(row.outputs, labels, strict=True)]
    return errors[1] if len(labels) == 2 else sum(errors)


def estimate(scored: Sequence[Scored], labels: Sequence[str]) -> Figures:
    """The same metrics for predictions of classes whose outcome is unknown; nothing for regression."""
    rows = [row for row in scored if row.label in labels]
    if not rows or not labels:
        return {}
    chosen = [row.outputs[labels.index(str(row.label))] for row in rows]
    figures = {"accuracy": expected_share(chosen)}
    if len(labels) == 2:
        positive = [row.outputs[1] for row in rows if row.label == labels[1]]
        negative = [row.outputs[1] for row in rows if row.label != labels[1]]
        figures["precision"] = expected_share(positive)
        figures["recall"] = _expected_recall(positive, negative)
        figures["f1"] = _expected_f1(positive, negative)
        figures["brier"] = _expected_brier([*positive, *negative])
    return _known(figures)


def wilson(hits: int, rows: int) -> Figure | None:
    """A share; None of nothing."""
    if not rows:
        return None
    share, weight = hits / rows, Z * Z / rows
    middle = (share + weight / 2) / (1 + weight)
    reach = Z * sqrt(share * (1 - share) / rows + weight / (4 * rows)) / (1 + weight)
    return Figure(share, max(middle - reach, 0.0), min(middle + reach, 1.0), rows)


def f1(hits: int, rows: int) -> Figure | None:
    """Of `hits` true positives among the rows that are positive by prediction or by outcome; None of nothing."""
    share = wilson(hits, rows)
    if share is None:
        return None
    value, low, high = (2 * part / (1 + part) for part in (share.value, share.low, share.high))
    return Figure(value, low, high, share.rows)


def mean_of(values: Sequence[float]) -> Figure | None:
    """The mean of values that are not negative; None of nothing."""
    if not values:
        return None
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1)
    reach = Z * sqrt(variance / len(values))
    return Figure(mean, max(mean - reach, 0.0), mean + reach, len(values))


def expected_share(chances: Sequence[float]) -> Figure | None:
    """Of independent events with these chances: how many are to be expected."""
    if not chances:
        return None
    return _normal(sum(chances) / len(chances), _spread(chances) / len(chances) ** 2, len(chances))


def _expected_recall(positive: Sequence[float], negative: Sequence[float]) -> Figure | None:
    """Expected true positives over expected positives; variance of the ratio by the delta method."""
    found, missed = sum(positive), sum(negative)
    total = found + missed
    if not total:
        return None
    variance = (missed**2 * _spread(positive) + found**2 * _spread(negative)) / total**4
    return _normal(found / total, variance, len(positive) + len(negative))


def _expected_f1(positive: Sequence[float], negative: Sequence[float]) -> Figure | None:
    """Twice the expected true positives over predicted and expected positives; variance by the delta method."""
    found, missed = sum(positive), sum(negative)
    total = len(positive) + found + missed
    if not total:
        return None
    variance = 4 * ((len(positive) + missed) ** 2 * _spread(positive) + found**2 * _spread(negative)) / total**4
    return _normal(2 * found / total, variance, len(positive) + len(negative))


def _expected_brier(chances: Sequence[float]) -> Figure:
    """Of a calibrated probability p the expected squared error is p(1-p), with variance p(1-p)(1-2p)²."""
    variance = sum(p * (1 - p) * (1 - 2 * p) ** 2 for p in chances) / len(chances) ** 2
    return _normal(_spread(chances) / len(chances), variance, len(chances))


def _spread(chances: Iterable[float]) -> float:
    """Variance of the number of events."""
    return sum(p * (1 - p) for p in chances)


def _normal(value: float, variance: float, rows: int) -> Figure:
    reach = Z * sqrt(variance)
    return Figure(value, max(value - reach, 0.0), min(value + reach, 1.0), rows)


def _known(figures: dict[str, Figure | None]) -> Figures:
    return {name: figure for name, figure in figures.items() if figure}
