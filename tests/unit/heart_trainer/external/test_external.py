"""A training from sums over chunks, from the HeartModel file to the registered version."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from heart_api.evaluation import OutOfFold, ServingReference
from heart_trainer.data.sources.cohort import heart_cohort
from heart_trainer.evaluation.compare import ServingModel, compare
from heart_trainer.external import memory
from heart_trainer.values import OutOfFoldResult
from tests.support.trainer.evaluation_tables import FEATURES as TABLE_FEATURES
from tests.support.trainer.evaluation_tables import make_table
from tests.support.trainer.large_files import ROWS, change, evaluation, train


def test_external_and_in_memory_agree_on_the_same_file(
    manifest: Path, tracking_uri: str, tmp_path: Path, cohort: pd.DataFrame
) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(ROWS), 3)):
        cohort.iloc[part].to_parquet(folder / f"part-{number}.parquet", row_group_size=400)
    change(manifest, dataset={"format": "parquet"}, training={"scale": {"mode": "External"}, "calibration": "auto"})
    assert train(manifest, tracking_uri, folder, tmp_path / "external") == 0
    change(manifest, training={"scale": {"mode": "Single"}})
    assert train(manifest, tracking_uri, folder, tmp_path / "single") == 0
    found, expected = evaluation(tmp_path / "external"), evaluation(tmp_path / "single")
    assert (found.rows, found.algorithm, found.dataset_sha256) == (ROWS, expected.algorithm, expected.dataset_sha256)
    # The folds differ: by hash here, stratified there.
    for name in ("roc_auc", "brier", "accuracy"):
        assert found.metrics[name].estimate == pytest.approx(expected.metrics[name].estimate, abs=0.01)
        assert found.metrics[name].low == pytest.approx(expected.metrics[name].low, abs=0.02)
    assert {one.feature for one in found.slices} == {"sex"}
    (scale,) = [finding for finding in found.findings if finding.name == "scale"]
    assert "External by spec.training.scale.mode" in scale.message
    assert "only logistic-regression is trained, other" in scale.message
    card = (tmp_path / "external/model_card.html").read_text()
    assert "3,000 rows" in card
    oof = OutOfFold.model_validate_json((tmp_path / "external/evaluation/out_of_fold.json").read_bytes())
    assert not oof.complete


def test_equal_runs_make_equal_files(manifest: Path, tracking_uri: str, tmp_path: Path, cohort: pd.DataFrame) -> None:
    cohort.to_csv(tmp_path / "rows.csv", index=False)
    change(manifest, training={"scale": {"mode": "External"}})
    for out in ("one", "two"):
        assert train(manifest, tracking_uri, tmp_path / "rows.csv", tmp_path / out) == 0
    for name in ("model.onnx", "evaluation/evaluation.json", "evaluation/reference_profile.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_number_is_trained_by_ridge(manifest: Path, tracking_uri: str, tmp_path: Path, cohort: pd.DataFrame) -> None:
    cohort.dropna().to_csv(tmp_path / "rows.csv", index=False)
    document = yaml.safe_load(manifest.read_text())
    document["spec"]["target"] = {"name": "thalach"}
    document["spec"]["features"] = [f for f in document["spec"]["features"] if f["name"] != "thalach"]
    document["spec"]["training"] = {"task": "regression", "scale": {"mode": "External"}, "tuning": {"trials": 3}}
    manifest.write_text(yaml.safe_dump(document))
    assert train(manifest, tracking_uri, tmp_path / "rows.csv", tmp_path / "out") == 0
    found = evaluation(tmp_path / "out")
    assert (found.algorithm, found.task) == ("ridge", "regression")
    assert found.metrics["r2"].low > 0.1
    profile = json.loads((tmp_path / "out/evaluation/reference_profile.json").read_text())
    assert len(profile["outputs"]["value"]) == 101


def test_auto_goes_external_only_where_memory_does_not_suffice(
    manifest: Path, tracking_uri: str, tmp_path: Path, cohort: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort.to_csv(tmp_path / "rows.csv", index=False)
    assert train(manifest, tracking_uri, tmp_path / "rows.csv", tmp_path / "fits") == 0
    assert "scale" not in {finding.name for finding in evaluation(tmp_path / "fits").findings}
    monkeypatch.setattr("heart_trainer.external.decide.memory_limit", lambda: memory.BASE)
    assert train(manifest, tracking_uri, tmp_path / "rows.csv", tmp_path / "not") == 0
    (scale,) = [finding for finding in evaluation(tmp_path / "not").findings if finding.name == "scale"]
    assert "Auto" in scale.message
    assert "the pod has 300 MiB" in scale.message


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_auto_reads_a_packed_file_in_chunks(
    suffix: str,
    manifest: Path,
    tracking_uri: str,
    tmp_path: Path,
    cohort: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed = tmp_path / f"rows.csv.{suffix}"
    with pa.output_stream(packed, compression={"gz": "gzip", "zst": "zstd"}[suffix]) as stream:
        stream.write(cohort.to_csv(index=False).encode())
    monkeypatch.setattr("heart_trainer.external.decide.memory_limit", lambda: memory.BASE)
    assert train(manifest, tracking_uri, packed, tmp_path / "out") == 0
    assert "scale" in {finding.name for finding in evaluation(tmp_path / "out").findings}


def test_a_rare_event_is_searched_on_more_than_its_share(
    manifest: Path, tracking_uri: str, tmp_path: Path, cohort: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten times as many rows as the search looks at, of which one in fifty is a case."""
    frame = heart_cohort(20_000, 6)[["age", "sex", "thalach", "oldpeak", "num"]]
    rare = pd.concat([frame[frame["num"] == 0][:8000], frame[frame["num"] > 0][:160]])
    rare.to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.setattr("heart_trainer.external.train.SEARCH_ROWS", 300)
    monkeypatch.setattr("heart_trainer.external.train.SEARCH_EVENTS", 100)
    change(manifest, training={"scale": {"mode": "External"}, "calibration": "auto", "tuning": {"trials": 2}})
    assert train(manifest, tracking_uri, tmp_path / "rows.csv", tmp_path / "out") == 0
    assert evaluation(tmp_path / "out").metrics["roc_auc"].low > 0.6


def test_rows_held_out_are_the_ones_that_are_judged(
    manifest: Path, tracking_uri: str, tmp_path: Path, cohort: pd.DataFrame
) -> None:
    cohort.to_csv(tmp_path / "rows.csv", index=False)
    change(manifest, training={"scale": {"mode": "External"}, "holdout": 0.3, "calibration": "sigmoid"})
    assert train(manifest, tracking_uri, tmp_path / "rows.csv", tmp_path / "out") == 0
    found = evaluation(tmp_path / "out")
    assert 0.25 < found.metrics["roc_auc"].n / found.rows < 0.35
    oof = OutOfFold.model_validate_json((tmp_path / "out/evaluation/out_of_fold.json").read_bytes())
    judged = sum(1 for prediction in oof.predictions.values() if prediction)
    assert 0.25 < judged / len(oof.predictions) < 0.35


def test_the_next_version_is_compared_on_rows_that_the_serving_one_did_not_learn() -> None:
    """A sample of out-of-fold predictions says nothing of rows that it does not hold: they may have been learnt."""
    table = make_table(np.arange(60) % 2)
    output = np.column_stack([np.full(60, 0.4), np.full(60, 0.6)])
    oof = OutOfFoldResult(output, np.zeros(60, np.int64), ())
    sampled = dict.fromkeys(table.keys[:20], (0.5, 0.5))
    package = SimpleNamespace(task="binary", classes=table.classes, features=TABLE_FEATURES)
    serving = ServingModel(
        ServingReference(version="1", digest="sha256:0"),
        b"",
        package,  # type: ignore[arg-type]
        OutOfFold(task="binary", predictions=sampled, complete=False),
    )
    found = compare(table, TABLE_FEATURES, oof, serving, never, seed=0)
    assert found.rows_unseen_by_serving == 0
    assert found.metrics["accuracy"].n == 20


def never(model: bytes, rows: object) -> None:
    raise AssertionError("the serving version was asked for rows that it may have learnt")


def test_families_that_were_named_are_never_swapped(
    manifest: Path, tmp_path: Path, tracking_uri: str, cohort: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort.to_csv(tmp_path / "rows.csv", index=False)
    change(manifest, training={"scale": {"mode": "External"}, "algorithms": ["random-forest"]})
    assert train(manifest, tracking_uri, tmp_path / "rows.csv", tmp_path / "out") == 2
    assert "External and Distributed train logistic-regression, ridge or xgboost" in capsys.readouterr().err


def test_a_damaged_row_group_in_the_middle_is_named(
    manifest: Path, tracking_uri: str, tmp_path: Path, cohort: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pandas(cohort), path, row_group_size=500, compression="snappy")
    column = pq.ParquetFile(path).metadata.row_group(3).column(0)
    content = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + 60] = b"\xff" * 60
    path.write_bytes(content)
    change(manifest, dataset={"format": "parquet"}, training={"scale": {"mode": "External"}})
    assert train(manifest, tracking_uri, path, tmp_path / "out") == 2
    message = capsys.readouterr().err
    assert "rows.parquet, row group 4 of 6 is damaged or incomplete" in message


def test_a_row_group_that_breaks_the_contract_is_named_with_its_rows(
    manifest: Path, tracking_uri: str, tmp_path: Path, cohort: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort.loc[1700, "sex"] = 7
    path = tmp_path / "rows.parquet"
    cohort.to_parquet(path, row_group_size=500)
    change(manifest, dataset={"format": "parquet"}, training={"scale": {"mode": "External"}})
    assert train(manifest, tracking_uri, path, tmp_path / "out") == 2
    message = capsys.readouterr().err
    assert "rows.parquet, row group 4 of 6: 1 cells in 1 rows break the data contract" in message
    assert "row 1701: sex is none of 0, 1" in message


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("54,1,150\n", "row 2001, at line 2002 or below, has 3 cells instead of 5"),
        ("54,1,150,1.2,1,9\n", "row 2001, at line 2002 or below, has 6 cells instead of 5"),
        ("54,1,many,1.2,1\n", "row 2001: thalach is not a number"),
    ],
)
def test_a_broken_line_in_the_middle_of_a_csv_is_named(
    manifest: Path,
    tracking_uri: str,
    tmp_path: Path,
    cohort: pd.DataFrame,
    broken: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = cohort.to_csv(index=False).splitlines(keepends=True)
    lines.insert(2001, broken)
    (tmp_path / "rows.csv").write_text("".join(lines))
    change(manifest, training={"scale": {"mode": "External"}})
    assert train(manifest, tracking_uri, tmp_path / "rows.csv", tmp_path / "out") == 2
    assert message in capsys.readouterr().err


def test_a_full_disk_is_named(
    manifest: Path,
    tracking_uri: str,
    tmp_path: Path,
    cohort: pd.DataFrame,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cohort.to_csv(tmp_path / "rows.csv", index=False)
    change(manifest, training={"scale": {"mode": "External"}})
    monkeypatch.setattr("heart_trainer.external.train.scratch", lambda folder: Path("/dev/full"))
    assert train(manifest, tracking_uri, tmp_path / "rows.csv", tmp_path / "out") == 2
    assert "The scratch space is full" in capsys.readouterr().err


def test_more_classes_than_two_are_named_before_the_rest_is_read(
    manifest: Path, tracking_uri: str, tmp_path: Path, cohort: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort.loc[len(cohort) - 1, "sex"] = 7  # breaks the contract in the last chunk
    cohort.to_csv(tmp_path / "rows.csv", index=False)
    document = yaml.safe_load(manifest.read_text())
    document["spec"]["target"] = {"name": "num"}
    document["spec"]["training"]["scale"] = {"mode": "External"}
    manifest.write_text(yaml.safe_dump(document))
    assert train(manifest, tracking_uri, tmp_path / "rows.csv", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "The target num has 5 classes or more; External and Distributed train two classes or a number" in said
    assert "set spec.training.scale.mode: Single; or make two classes of numbers with spec.target.positiveAbove" in said


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"target": {"positiveAbove": None, "labels": ["none", "mild", "severe"]}},
            "target.labels: External trains two classes or a number; set training.scale.mode to Single",
        ),
        ({"dataset": {"includeFeedback": True}}, "dataset.includeFeedback: feedback is not read in mode External"),
    ],
)
def test_what_is_not_trained_in_chunks_is_said_before_anything_is_read(
    spec: dict[str, Any], message: str, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(manifest, training={"scale": {"mode": "External"}}, **spec)
    document = yaml.safe_load(manifest.read_text())
    document["spec"]["target"] = {
        name: value for name, value in document["spec"]["target"].items() if value is not None
    }
    manifest.write_text(yaml.safe_dump(document))
    assert train(manifest, "sqlite://", tmp_path / "none.csv", tmp_path / "out") == 2
    assert message in capsys.readouterr().err
