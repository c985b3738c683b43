"""Calibration mends what is crooked, and leaves alone what is straight."""

import numpy as np
import pytest
from numpy.typing import NDArray

from heart_trainer.fit import calibrate
from heart_trainer.fit.calibrate import choose, learn, log_odds, methods


def judged(rows: int, exaggeration: float, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities whose log-odds are `exaggeration` times the truth, and the outcomes."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 1.5, rows)
    y = (rng.random(rows) < 1 / (1 + np.exp(-truth))).astype(np.int64)
    p = 1 / (1 + np.exp(-exaggeration * truth))
    return np.column_stack([1 - p, p]), y


@pytest.mark.parametrize("exaggeration", [0.4, 3.0])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_crooked_probabilities_are_mended(method: calibrate.Method, exaggeration: float) -> None:
    p, y = judged(3000, exaggeration)
    fresh, outcome = judged(3000, exaggeration, seed=1)
    calibrator = learn(method, p, y)
    assert calibrator
    before = np.mean((fresh[:, 1] - outcome) ** 2)
    straight = judged(3000, 1.0, seed=1)[0]
    best = np.mean((straight[:, 1] - outcome) ** 2)
    after = np.mean((calibrator(fresh)[:, 1] - outcome) ** 2)
    assert after < best + 0.15 * (before - best), "most of the way to the true probabilities"


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_several_classes_are_mended_and_sum_to_one(method: calibrate.Method) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1, (4000, 3))
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = np.array([rng.choice(3, p=row) for row in truth])
    sharp = truth**3 / (truth**3).sum(axis=1, keepdims=True)
    calibrator = learn(method, sharp[:3000], y[:3000])
    assert calibrator
    mended = calibrator(sharp[3000:])
    np.testing.assert_allclose(mended.sum(axis=1), 1)
    assert np.abs(mended - truth[3000:]).mean() < 0.4 * np.abs(sharp[3000:] - truth[3000:]).mean()


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_order_is_kept(method: calibrate.Method) -> None:
    p, y = judged(2000, 2.0)
    calibrator = learn(method, p, y)
    assert calibrator
    ranked = calibrator(p[np.argsort(p[:, 1])])[:, 1]
    assert (np.diff(ranked) >= -1e-12).all()


@pytest.mark.parametrize(("exaggeration", "mends"), [(1.0, False), (3.0, True)])
def test_a_method_is_chosen_only_where_it_clearly_helps(exaggeration: float, mends: bool) -> None:
    chosen = []
    for seed in range(10):
        p, y = judged(400, exaggeration, seed)
        chosen.append(choose(("none", "sigmoid"), p, y, np.arange(400) % 3) == "sigmoid")
    assert sum(chosen) == 10 if mends else sum(chosen) <= 1


def test_isotonic_needs_a_thousand_rows() -> None:
    assert methods("auto", 999) == ("none", "sigmoid")
    assert methods("auto", 1000) == ("none", "sigmoid", "isotonic")
    assert methods("isotonic", 999) == ("sigmoid",)
    assert methods("isotonic", 1000) == ("isotonic",)
    assert methods("none", 5000) == ("none",)


def test_certainty_has_finite_log_odds() -> None:
    assert np.isfinite(log_odds(np.array([[0.0, 1.0]]))).all()
