"""Quality of predictions, with 95% intervals; pure.

Shares (accuracy, precision, recall): Wilson's score interval (Wilson 1927, JASA 22:209). F1 is 2s/(1+s) of such a
share s: true positives among the rows that are positive by prediction or by outcome; so is its interval. Of more than
two classes the three are scikit-learn's macro averages over the classes that occur: intervals of precision and recall
by the method of variance estimates recovery (Zou and Donner 2008, Statistics in Medicine 27:1693), as the classes'
rows are others; that of F1 is the mean of the classes' intervals, which is wider. Means (brier, mae, rmse): the mean's
normal interval. Estimates without outcomes assume calibrated probabilities (CBPE, Bialek et al. 2024,
arXiv:2401.08348): their intervals cover the randomness of outcomes alone, not a loss of calibration.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum, hypot, sqrt
from statistics import fmean

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

    accuracy, precision, recall, F1 and brier for classes (the last summed over the classes when there are more than
    two); mae and rmse for regression. A figure that nothing is known about is absent, and so are outcomes that are no
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
        return _known(figures | _measure_class(rows, labels[1]))
    occurring = [label for label in labels if any(label in (row.label, row.outcome) for row in rows)]
    return _known(figures | _macro([_measure_class(rows, label) for label in occurring], len(rows)))


def _measure_class(rows: Sequence[Scored], label: str) -> dict[str, Figure | None]:
    """Of one class against all others."""
    hits = sum(row.label == row.outcome == label for row in rows)
    return {
        "precision": wilson(hits, sum(row.label == label for row in rows)),
        "recall": wilson(hits, sum(row.outcome == label for row in rows)),
        "f1": f1(hits, sum(label in (row.label, row.outcome) for row in rows)),
    }


def _macro(classes: Sequence[Mapping[str, Figure | None]], rows: int) -> dict[str, Figure | None]:
    """Averages over classes. What nothing is known about in one class counts as 0 there, and may be anything."""
    if not classes:
        return {}
    found: dict[str, Figure | None] = {}
    for metric in ("precision", "recall", "f1"):
        each = [one[metric] or Figure(0.0, 0.0, 1.0, 0) for one in classes]
        value = fmean(figure.value for figure in each)
        below, above = [one.value - one.low for one in each], [one.high - one.value for one in each]
        down, up = (fsum(part) if metric == "f1" else hypot(*part) for part in (below, above))
        found[metric] = Figure(value, max(value - down / len(each), 0.0), min(value + up / len(each), 1.0), rows)
    return found


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
        brier = _expected_brier([row.outputs[1] for row in rows])
        return _known(figures | _estimate_class(rows, 1, labels[1]) | {"brier": brier})
    classes = [_estimate_class(rows, place, label) for place, label in enumerate(labels)]
    return _known(figures | _macro(classes, len(rows)))


def _estimate_class(rows: Sequence[Scored], place: int, label: str) -> dict[str, Figure | None]:
    """Of one class, whose probability has this place in the outputs, against all others."""
    positive = [row.outputs[place] for row in rows if row.label == label]
    negative = [row.outputs[place] for row in rows if row.label != label]
    return {
        "precision": expected_share(positive),
        "recall": _expected_recall(positive, negative),
        "f1": _expected_f1(positive, negative),
    }


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
