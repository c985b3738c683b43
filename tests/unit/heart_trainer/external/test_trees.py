"""XGBoost on rows that stay on disk, from the HeartModel file to the registered version."""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import yaml

from heart_trainer.external import boosting, memory, trees
from heart_trainer.fit.onnx_export import run_onnx
from tests.support.trainer.large_files import ROWS, change, evaluation, train

TREES = {"scale": {"mode": "External"}, "algorithms": ["xgboost"], "tuning": {"trials": 0}}


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "PAGE", 700)


@pytest.fixture
def rows(tmp_path: Path, cohort: pd.DataFrame) -> Path:
    path = tmp_path / "rows.csv"
    cohort.to_csv(path, index=False)
    return path


def test_it_is_as_good_as_in_memory(manifest: Path, tracking_uri: str, tmp_path: Path, rows: Path) -> None:
    change(manifest, training=TREES)
    assert train(manifest, tracking_uri, rows, tmp_path / "external") == 0
    change(manifest, training={"scale": {"mode": "Single"}, "holdout": 0.2})
    assert train(manifest, tracking_uri, rows, tmp_path / "single") == 0
    found, expected = evaluation(tmp_path / "external"), evaluation(tmp_path / "single")
    assert found.algorithm == expected.algorithm == "xgboost"
    for name in ("roc_auc", "brier", "accuracy"):
        assert found.metrics[name].estimate == pytest.approx(expected.metrics[name].estimate, abs=0.04)
    assert found.metrics["roc_auc"].low > 0.7
    assert 0.15 < found.metrics["roc_auc"].n / ROWS < 0.25, "a fifth is held out unless the spec says another share"
    assert {one.feature for one in found.slices} == {"sex"}
    (scale,) = [finding for finding in found.findings if finding.name == "scale"]
    assert "only xgboost is trained" in scale.message
    assert (tmp_path / "external/model_card.html").exists()


def test_equal_runs_make_equal_files(manifest: Path, tracking_uri: str, tmp_path: Path, rows: Path) -> None:
    change(manifest, training={**TREES, "calibration": "sigmoid", "tuning": {"trials": 2}})
    for out in ("one", "two"):
        assert train(manifest, tracking_uri, rows, tmp_path / out) == 0
    for name in ("model.onnx", "evaluation/evaluation.json", "evaluation/reference_profile.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_size_of_chunks_and_pages_changes_nothing(
    manifest: Path, tracking_uri: str, tmp_path: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bins are of all rows that are learnt, whatever the number of pages that they came in."""
    change(manifest, training=TREES)
    assert train(manifest, tracking_uri, rows, tmp_path / "many") == 0
    monkeypatch.setattr(trees, "PAGE", 1 << 19)
    assert train(manifest, tracking_uri, rows, tmp_path / "one") == 0
    x = np.array([[60, 1, 120, 2.5], [40, 0, 180, 0.0], [np.nan, 1, np.nan, 1.0]], np.float32)
    many, one = (run_onnx((tmp_path / out / "model.onnx").read_bytes(), x) for out in ("many", "one"))
    np.testing.assert_allclose(many, one, atol=0.03)


def test_trees_of_parts_in_turn_are_as_good(
    manifest: Path, tracking_uri: str, tmp_path: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(manifest, training=TREES)
    assert train(manifest, tracking_uri, rows, tmp_path / "at_once") == 0
    monkeypatch.setattr(boosting, "MOST_ROWS", 700)
    for out in ("in_turn", "again"):
        assert train(manifest, tracking_uri, rows, tmp_path / out) == 0
    at_once, in_turn = (evaluation(tmp_path / out).metrics["roc_auc"] for out in ("at_once", "in_turn"))
    assert in_turn.estimate == pytest.approx(at_once.estimate, abs=0.02)
    models = [(tmp_path / out / "model.onnx").read_bytes() for out in ("at_once", "in_turn", "again")]
    assert models[0] != models[1] == models[2]


def test_a_number_is_trained(manifest: Path, tracking_uri: str, tmp_path: Path, cohort: pd.DataFrame) -> None:
    cohort.dropna().to_csv(tmp_path / "rows.csv", index=False)
    document = yaml.safe_load(manifest.read_text())
    document["spec"]["target"] = {"name": "thalach"}
    document["spec"]["features"] = [f for f in document["spec"]["features"] if f["name"] != "thalach"]
    document["spec"]["training"] = {"task": "regression", **TREES}
    manifest.write_text(yaml.safe_dump(document))
    assert train(manifest, tracking_uri, tmp_path / "rows.csv", tmp_path / "out") == 0
    found = evaluation(tmp_path / "out")
    assert (found.algorithm, found.task) == ("xgboost", "regression")
    assert found.metrics["r2"].low > 0


def test_what_is_held_out_never_reaches_the_model(
    manifest: Path, tracking_uri: str, tmp_path: Path, cohort: pd.DataFrame
) -> None:
    """Folds are chosen by features: other outcomes of the rows that are held out must leave the trees as they are."""
    change(manifest, training={**TREES, "calibration": "sigmoid", "tuning": {"trials": 1}})
    cohort.to_parquet(tmp_path / "rows.parquet", row_group_size=500)
    change(manifest, dataset={"format": "parquet"})
    assert train(manifest, tracking_uri, tmp_path / "rows.parquet", tmp_path / "before") == 0
    import json

    predictions = json.loads((tmp_path / "before/evaluation/out_of_fold.json").read_text())["predictions"]
    judged = np.array([bool(value) for value in predictions.values()])
    assert len(judged) <= ROWS
    assert 0.1 < judged.mean() < 0.3
    held = held_out_rows(cohort)
    assert 0.1 < held.mean() < 0.3
    changed = cohort.copy()
    changed.loc[held, "num"] = (changed.loc[held, "num"] == 0).astype(int)
    changed.to_parquet(tmp_path / "rows.parquet", row_group_size=500)
    assert train(manifest, tracking_uri, tmp_path / "rows.parquet", tmp_path / "after") == 0
    x = np.random.default_rng(3).normal([55, 0.5, 150, 1], [9, 0.4, 20, 1], (200, 4)).astype(np.float32)
    before, after = (run_onnx((tmp_path / out / "model.onnx").read_bytes(), x) for out in ("before", "after"))
    np.testing.assert_array_equal(before, after)
    found = evaluation(tmp_path / "after").metrics["roc_auc"].estimate
    assert found < 0.35, "the figures are of those very rows"


def held_out_rows(cohort: pd.DataFrame) -> np.ndarray:
    from heart_trainer.data.load import LAPTOP_KEY
    from heart_trainer.sums.rows import draws, shares

    x = cohort[["age", "sex", "thalach", "oldpeak"]].to_numpy(np.float32)
    return shares(draws(x, LAPTOP_KEY)) < trees.HOLD_OUT


def test_auto_trains_xgboost_where_it_alone_is_named(
    manifest: Path, tracking_uri: str, tmp_path: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(manifest, training={"algorithms": ["random-forest", "xgboost"], "tuning": {"trials": 0}})
    monkeypatch.setattr("heart_trainer.external.decide.memory_limit", lambda: memory.BASE)
    assert train(manifest, tracking_uri, rows, tmp_path / "out") == 0
    found = evaluation(tmp_path / "out")
    assert found.algorithm == "xgboost"
    (scale,) = [finding for finding in found.findings if finding.name == "scale"]
    assert "Auto" in scale.message
    assert "other families were not tried" in scale.message


def test_a_disk_too_small_for_the_bins_is_named(
    manifest: Path,
    tracking_uri: str,
    tmp_path: Path,
    rows: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(manifest, training=TREES)
    monkeypatch.setattr(trees, "free_bytes", lambda folder: 80_000)
    assert train(manifest, tracking_uri, rows, tmp_path / "out") == 2
    message = "The scratch space has 0 MiB left, and the bins of 3000 rows may take 0 MiB"
    assert message in capsys.readouterr().err


def test_the_stored_pipeline_is_the_model(manifest: Path, tracking_uri: str, tmp_path: Path, rows: Path) -> None:
    change(manifest, training={**TREES, "calibration": "none"})
    assert train(manifest, tracking_uri, rows, tmp_path / "out") == 0
    (stored,) = tmp_path.rglob("pipeline.joblib")
    x = np.array([[60, 1, 120, 2.5], [np.nan, 1, np.nan, 1.0]], np.float32)
    answers = run_onnx((tmp_path / "out/model.onnx").read_bytes(), x)
    np.testing.assert_allclose(joblib.load(stored).predict_proba(x), answers, atol=1e-6)
