"""Figures with known answers, intervals that cover what they promise, and estimates that calibrated models deserve."""

import random
from math import sqrt

import pytest
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_fscore_support

from heart_log.quality import Figures, estimate, measure, wilson
from heart_log.values import Scored

LABELS = ("healthy", "disease")
IRIS = ("setosa", "versicolor", "virginica")


def binary(chance: float, outcome: str | None = None) -> Scored:
    return Scored((1 - chance, chance), LABELS[chance >= 0.5], outcome)


def test_binary_figures_by_hand() -> None:
    found = measure(
        [binary(0.9, "disease"), binary(0.6, "healthy"), binary(0.4, "disease"), binary(0.2, "healthy")], LABELS
    )
    assert {name: figure.value for name, figure in found.items()} == pytest.approx(
        {"accuracy": 0.5, "precision": 0.5, "recall": 0.5, "f1": 0.5, "brier": (0.01 + 0.36 + 0.36 + 0.04) / 4}
    )
    assert {name: figure.rows for name, figure in found.items()} == {
        "accuracy": 4,
        "precision": 2,
        "recall": 2,
        "f1": 3,
        "brier": 4,
    }


@pytest.mark.parametrize(("hits", "rows"), [(85, 100), (0, 10), (10, 10), (1, 1)])
def test_shares_have_wilsons_interval(hits: int, rows: int) -> None:
    figure, wanted = wilson(hits, rows), binomtest(hits, rows).proportion_ci(method="wilson")
    assert figure is not None
    assert (figure.low, figure.high) == pytest.approx((wanted.low, wanted.high), abs=1e-6)


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    scored = calibrated(400, seed=3)
    for found in (measure(scored, LABELS), estimate(scored, LABELS)):
        precision, recall = found["precision"].value, found["recall"].value
        assert found["f1"].value == pytest.approx(2 * precision * recall / (precision + recall))


def test_multiclass_counts_every_class_in_brier() -> None:
    found = measure(
        [Scored((0.7, 0.2, 0.1), "setosa", "setosa"), Scored((0.2, 0.5, 0.3), "versicolor", "virginica")], IRIS
    )
    assert found["accuracy"].value == 0.5
    assert found["brier"].value == pytest.approx((0.09 + 0.04 + 0.01 + 0.04 + 0.25 + 0.49) / 2)


SPREAD = {"setosa": (0.6, 0.3, 0.1), "versicolor": (0.2, 0.5, 0.3), "virginica": (0.2, 0.3, 0.5)}


def irises(rows: int, seed: int) -> list[Scored]:
    """Calibrated: an outcome is drawn with the probabilities of its row."""
    chance = random.Random(seed)
    found = []
    for _ in range(rows):
        label = chance.choice(IRIS)
        (outcome,) = chance.choices(IRIS, SPREAD[label])
        found.append(Scored(SPREAD[label], label, outcome))
    return found


@pytest.mark.parametrize("rows", [1, 3, 300])
def test_multiclass_precision_recall_and_f1_are_scikit_learns_macro_averages(rows: int) -> None:
    scored = irises(rows, seed=rows)
    truth, said = [str(row.outcome) for row in scored], [str(row.label) for row in scored]
    wanted = precision_recall_fscore_support(truth, said, average="macro", zero_division=0.0)
    found = measure(scored, IRIS)
    assert [found[name].value for name in ("precision", "recall", "f1")] == pytest.approx(list(wanted[:3]))


def test_intervals_of_macro_averages_cover_what_they_promise() -> None:
    """95% of 300 samples, give or take; F1's interval is meant to be wide."""
    truth = measure(irises(30_000, seed=1), IRIS)
    samples = [measure(irises(120, seed=seed), IRIS) for seed in range(100, 400)]
    for metric, most in (("precision", 0.985), ("recall", 0.985), ("f1", 1.0)):
        covered = sum(each[metric].low <= truth[metric].value <= each[metric].high for each in samples) / len(samples)
        assert 0.92 <= covered <= most, (metric, covered)


def test_macro_averages_of_calibrated_predictions_are_estimated_without_outcomes() -> None:
    scored = irises(20_000, seed=5)
    estimated, known = estimate(scored, IRIS), measure(scored, IRIS)
    for metric in ("accuracy", "precision", "recall", "f1"):
        assert estimated[metric].value == pytest.approx(known[metric].value, abs=0.012), metric


def test_regression_has_errors() -> None:
    found = measure([Scored((1.0,), None, 2.0), Scored((5.0,), None, 2.0)], ())
    assert found["mae"].value == 2.0
    assert found["rmse"].value == pytest.approx(sqrt(5))
    assert found["mae"].low <= 2.0 <= found["mae"].high


@pytest.mark.parametrize("labels", [LABELS, ()])
def test_nothing_is_known_about_nothing(labels: tuple[str, ...]) -> None:
    assert measure([], labels) == {}
    assert estimate([], labels) == {}


def test_outcomes_of_another_vocabulary_do_not_count() -> None:
    """A version may have named its classes otherwise."""
    assert measure([binary(0.9, "1"), binary(0.9, "disease")], LABELS)["accuracy"].rows == 1


def test_a_model_that_never_says_disease_has_a_recall_and_no_precision() -> None:
    found = measure([binary(0.1, "disease"), binary(0.1, "healthy")], LABELS)
    assert found["recall"].value == 0
    assert found["f1"].value == 0
    assert "precision" not in found


def calibrated(rows: int, seed: int) -> list[Scored]:
    rng = random.Random(seed)
    chances = [rng.betavariate(0.7, 0.9) for _ in range(rows)]
    return [binary(chance, LABELS[rng.random() < chance]) for chance in chances]


def test_intervals_of_a_calibrated_model_cover_what_is_promised() -> None:
    """In 95 of 100 samples: the measured figure's interval the truth, the estimate's interval the measured figure."""
    truth = measure(calibrated(50_000, seed=1), LABELS)
    samples = [calibrated(150, seed) for seed in range(2, 302)]
    for name in ("accuracy", "precision", "recall", "f1", "brier"):
        measured, expected = zip(*((measure(s, LABELS)[name], estimate(s, LABELS)[name]) for s in samples), strict=True)
        covered = sum(figure.low <= truth[name].value <= figure.high for figure in measured) / len(samples)
        foretold = sum(e.low <= m.value <= e.high for m, e in zip(measured, expected, strict=True)) / len(samples)
        assert 0.91 <= covered <= 0.99, name
        assert 0.91 <= foretold <= 0.99, name


def test_an_estimate_asks_for_no_outcome() -> None:
    with_outcomes = calibrated(500, seed=5)
    without = [Scored(row.outputs, row.label) for row in with_outcomes]
    assert estimate(without, LABELS) == estimate(with_outcomes, LABELS)
    assert estimate([Scored((0.5, 0.3, 0.2), "setosa")], IRIS)["accuracy"].value == 0.5
    assert set(estimate([Scored((0.5, 0.3, 0.2), "setosa")], IRIS)) == {"accuracy", "precision", "recall", "f1"}


def test_figures_stay_within_their_bounds() -> None:
    extremes: list[Figures] = [estimate([binary(chance)], LABELS) for chance in (0.0, 1.0, 0.5)] + [
        measure([binary(1.0, "healthy")], LABELS)
    ]
    for figures in extremes:
        for figure in figures.values():
            assert 0 <= figure.low <= figure.value <= figure.high <= 1
