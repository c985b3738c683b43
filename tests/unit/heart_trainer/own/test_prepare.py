"""What a trainer of one's own is given: rows to learn from, and nothing by which it could know its judges."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from heart_api.package import ONNX_INPUT
from heart_trainer.own.contract import FOLD, FOLDS, PROBES, ROWS, TASK
from heart_trainer.own.prepare import judged_rows, learnt_rows, prepare
from tests.support.trainer.own_trainers import own_request, patients

assert ONNX_INPUT == "features"  # the SDK's examples write it


def _content(frame: pd.DataFrame) -> set[tuple[float, ...]]:
    return set(map(tuple, np.nan_to_num(frame.to_numpy(np.float32), nan=-1).tolist()))


def test_rows_that_judge_are_in_no_file(tmp_path: Path) -> None:
    table, asked = patients(), own_request()
    prepare(table, asked, tmp_path)
    judged = judged_rows(table, asked)
    assert 0.15 < judged.mean() < 0.35
    names = [feature.name for feature in asked.features]
    kept_out = _content(pd.DataFrame(table.x[judged]))
    for file in (ROWS, PROBES):
        assert not kept_out & _content(pd.read_parquet(tmp_path / file)[names])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([ROWS, PROBES, TASK])


def test_no_key_and_no_hash_of_a_row_is_in_a_file(tmp_path: Path) -> None:
    table = patients()
    prepare(table, own_request(), tmp_path)
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(key[:16].encode() in written for key in table.keys)
    assert b"HEARTOPS_ROW_KEY" not in written


def test_every_row_is_either_learnt_or_judged() -> None:
    table, asked = patients(), own_request()
    judged, learnt = judged_rows(table, asked), learnt_rows(table, asked)
    assert not judged[learnt].any()
    assert set(table.groups[learnt]) | set(table.groups[judged]) == set(table.groups)
    assert not set(table.groups[learnt]) & set(table.groups[judged])


def test_task_says_what_is_asked_for(tmp_path: Path) -> None:
    asked = own_request(parameters={"n_estimators": 7, "nested": {"a": [1, 2]}}, timeoutSeconds=100, seed=5)
    prepare(patients(), asked, tmp_path)
    task = json.loads((tmp_path / TASK).read_text())
    assert task["contract"] == 1
    assert task["task"] == "binary"
    assert task["parameters"] == {"n_estimators": 7, "nested": {"a": [1, 2]}}
    assert (task["seconds"], task["seed"]) == (75, 5)
    assert [feature["name"] for feature in task["features"]] == [feature.name for feature in asked.features]
    assert task["rows"] == len(pd.read_parquet(tmp_path / ROWS))


def test_equal_rows_share_an_inner_fold_and_the_same_dataset_gives_the_same_files(tmp_path: Path) -> None:
    asked = own_request()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        prepare(patients(), asked, tmp_path / name)
    for file in (ROWS, PROBES, TASK):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    rows = pd.read_parquet(tmp_path / "one" / ROWS)
    assert set(rows[FOLD]) == set(range(FOLDS))
    names = [feature.name for feature in asked.features]
    assert (rows.groupby(names, dropna=False)[FOLD].nunique() == 1).all()
