"""Trainings by several processes on the loopback interface, as the pods of an Indexed Job run them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from hack.cluster.ports import free_port
from heart_api.handover import EXIT_PERMANENT, Env, TrainingOutcome
from heart_trainer.data.load import contract_of
from heart_trainer.data.rowgroups import Share
from heart_trainer.data.sources.stored import stored_files
from heart_trainer.data.stream import read_chunks
from heart_trainer.errors import DataInvalid
from heart_trainer.external.decide import decide
from heart_trainer.external.distributed import check_workers, follow, lead
from heart_trainer.external.place import Place
from heart_trainer.external.train import ExternalResult, train_external
from heart_trainer.manifest import read_manifest
from heart_trainer.values import Whole
from tests.support.trainer.large_files import change, evaluation

SECONDS = 240


@pytest.fixture
def rows(manifest: Path, tmp_path: Path, cohort: pd.DataFrame) -> Path:
    """Six row groups in two files; the HeartModel trains xgboost on two workers."""
    folder = tmp_path / "rows"
    folder.mkdir()
    cohort[:1500].to_parquet(folder / "part-0.parquet", row_group_size=500)
    cohort[1500:].to_parquet(folder / "part-1.parquet", row_group_size=500)
    training = {"scale": {"mode": "Distributed", "workers": 2}, "algorithms": ["xgboost"], "tuning": {"trials": 1}}
    change(manifest, dataset={"uri": "pvc://data/rows/", "format": "parquet"}, training=training)
    return folder


class Pods:
    """The workers of one training, each a process with what a pod would have."""

    def __init__(self, manifest: Path, tracking_uri: str, rows: Path, out: Path, workers: int = 2) -> None:
        request = read_manifest(manifest, "t-1").model_dump_json(by_alias=True, exclude_none=True)
        out.mkdir()
        self.out, self.logs = out, [out / f"log-{rank}" for rank in range(workers)]
        port = free_port()
        self.processes = [self._start(rank, workers, port, request, tracking_uri, rows) for rank in range(workers)]

    def _start(self, rank: int, workers: int, port: int, request: str, tracking_uri: str, rows: Path) -> Any:
        environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            Env.TRAINING_REQUEST: request,
            Env.TRACKING_URI: tracking_uri,
            Env.ROW_KEY: "a key",
            Env.TERMINATION_LOG: str(self.out / f"termination-{rank}"),
            "DMLC_TRACKER_URI": "127.0.0.1",
            "DMLC_TRACKER_PORT": str(port),
            "DMLC_NUM_WORKER": str(workers),
            "JOB_COMPLETION_INDEX": str(rank),
        }
        command = [sys.executable, "-m", "heart_trainer", "--data", str(rows)]
        command += ["--out", str(self.out / "made")] if rank == 0 else []
        with self.logs[rank].open("wb") as log:
            return subprocess.Popen(command, env=environ, stdout=log, stderr=subprocess.STDOUT, cwd=self.out)

    def wait(self) -> list[int]:
        return [process.wait(SECONDS) for process in self.processes]

    def outcome(self, rank: int) -> TrainingOutcome:
        return TrainingOutcome.model_validate_json((self.out / f"termination-{rank}").read_bytes())

    def wait_for(self, rank: int, words: str) -> None:
        deadline = time.monotonic() + SECONDS
        while words not in self.logs[rank].read_text():
            assert time.monotonic() < deadline, self.said()
            assert self.processes[rank].poll() is None, self.said()
            time.sleep(0.02)

    def said(self) -> str:
        return "\n".join(f"--- {log.name}\n{log.read_text()}" for log in self.logs)


@contextmanager
def pods(*arguments: Any, **more: Any) -> Iterator[Pods]:
    started = Pods(*arguments, **more)
    try:
        yield started
    finally:
        for process in started.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


def test_two_workers_make_one_version_and_equal_runs_equal_bytes(
    manifest: Path, tracking_uri: str, tmp_path: Path, rows: Path
) -> None:
    """A third run finds what the first one registered, and all its workers end at once."""
    stores = [f"sqlite:///{tmp_path / name}.db" for name in ("one", "two", "one")]
    for name in ("one", "two"):
        (tmp_path / f"{name}.db").write_bytes((tmp_path / "mlflow.db").read_bytes())
    runs = []
    for out, store in zip(("one", "two", "again"), stores, strict=True):
        with pods(manifest, store, rows, tmp_path / out) as training:
            assert training.wait() == [0, 0], training.said()
        runs.append(training)
    result = runs[0].outcome(0).result
    assert result is not None
    assert result.version == "1"
    assert runs[0].outcome(1) == TrainingOutcome(), "the first worker alone has something to tell"
    for name in ("model.onnx", "evaluation/evaluation.json", "evaluation/reference_profile.json"):
        assert (tmp_path / "one/made" / name).read_bytes() == (tmp_path / "two/made" / name).read_bytes()
    found = evaluation(tmp_path / "one/made")
    assert (found.algorithm, found.rows) == ("xgboost", 3000)
    assert found.metrics["roc_auc"].low > 0.7
    assert runs[2].outcome(0).result == result
    assert "nothing to train" in runs[2].logs[1].read_text()


def test_a_killed_worker_ends_the_training_and_nothing_is_registered(
    manifest: Path, tracking_uri: str, tmp_path: Path, rows: Path
) -> None:
    """Kubernetes stops the others, which the Job has no use for: they must not wait for their search."""
    change(manifest, training={"tuning": {"trials": 1000}})
    with pods(manifest, tracking_uri, rows, tmp_path / "out") as training:
        training.wait_for(0, "searching settings")
        training.processes[1].send_signal(signal.SIGKILL)
        training.processes[1].wait()
        training.processes[0].send_signal(signal.SIGTERM)
        assert training.wait() == [1, -signal.SIGKILL]
    failure = training.outcome(0).failure
    assert failure is not None
    assert failure.reason == "TrainingInterrupted"
    assert not (tmp_path / "out/made").exists()


def test_a_bad_row_group_of_the_second_worker_is_named_and_the_first_notices(
    manifest: Path, tracking_uri: str, tmp_path: Path, rows: Path, cohort: pd.DataFrame
) -> None:
    cohort.loc[2700, "sex"] = 7
    cohort[1500:].to_parquet(rows / "part-1.parquet", row_group_size=500)
    with pods(manifest, tracking_uri, rows, tmp_path / "out") as training:
        codes = training.wait()
    # Row group 6 of all, the third of the second file, is the second worker's.
    failure, other = training.outcome(1).failure, training.outcome(0).failure
    assert codes == [1, EXIT_PERMANENT], training.said()
    assert failure is not None
    assert failure.reason == "DataInvalid"
    assert "part-1.parquet, row group 3 of 3: 1 cells in 1 rows break the data contract" in failure.message
    assert other is not None
    assert other.reason == "TrainingInterrupted"
    assert "the other pod's log says why" in other.message


def in_threads(manifest: Path, rows: Path, workers: int = 2) -> ExternalResult:
    """What the first of several workers finds; each is a thread, which is a worker of its own to XGBoost."""
    request, port, environ = read_manifest(manifest, "t-1"), free_port(), {Env.ROW_KEY: "a key"}
    places = [Place("127.0.0.1", port, workers, rank) for rank in range(workers)]
    with ThreadPoolExecutor(workers) as threads:
        others = [threads.submit(follow, request, place, environ, rows, quiet) for place in places[1:]]
        scale = decide(request, rows)
        first = threads.submit(lead, request, places[0], scale, environ, rows, quiet)
        for other in others:
            other.result(SECONDS)
        return first.result(SECONDS)


def quiet(_: str) -> None:
    return None


@pytest.mark.parametrize("workers", [2, 3])
def test_linear_models_are_those_of_one_worker(manifest: Path, rows: Path, workers: int) -> None:
    """Sums over workers are sums over rows: figures agree to the rounding of their order."""
    change(manifest, training={"algorithms": ["logistic-regression"], "tuning": {"trials": 3}})
    change(manifest, training={"scale": {"mode": "Distributed", "workers": workers}})
    several = in_threads(manifest, rows, workers)
    request = read_manifest(manifest, "t-1")
    scale, contract = decide(request, rows), contract_of(request, rows)
    one = train_external(request, contract, scale, {Env.ROW_KEY: "a key"}, quiet)
    assert several.table.raw_sha256 == one.table.raw_sha256
    assert several.table.whole == one.table.whole
    assert sorted(several.table.keys) == sorted(one.table.keys), "the sample does not depend on who read a row"
    for name, figure in one.measured.metrics.items():
        assert several.measured.metrics[name].estimate == pytest.approx(figure.estimate, abs=1e-9)


def test_a_class_that_only_one_worker_has_seen_is_the_same_class_for_all(
    manifest: Path, rows: Path, cohort: pd.DataFrame
) -> None:
    """Each worker numbers texts as they come; the first has ill patients alone."""
    cohort = cohort.assign(num=(cohort["num"] > 0).map({False: "healthy", True: "ill"}))
    ill, healthy = (cohort[cohort["num"] == name] for name in ("ill", "healthy"))
    ill.to_parquet(rows / "part-0.parquet", row_group_size=len(ill))
    healthy.to_parquet(rows / "part-1.parquet", row_group_size=len(healthy))
    document = yaml.safe_load(manifest.read_text())
    document["spec"]["target"] = {"name": "num", "positive": "ill"}
    document["spec"]["training"] |= {"tuning": {"trials": 0}}
    manifest.write_text(yaml.safe_dump(document))
    found = in_threads(manifest, rows)
    assert found.table.classes == ("healthy", "ill")
    assert found.table.whole == Whole(3000, (len(healthy), len(ill)))
    assert found.measured.metrics["roc_auc"].low > 0.7


def test_fewer_row_groups_than_workers_are_named(manifest: Path, rows: Path) -> None:
    change(manifest, training={"scale": {"mode": "Distributed", "workers": 9}})
    request = read_manifest(manifest, "t-1")
    files = stored_files(request.dataset, request.access, rows)
    with pytest.raises(DataInvalid, match="6 row groups for 9 workers"):
        next(read_chunks(files, contract_of(request, rows), Share(8, 9)))


def test_workers_read_every_row_group_once(manifest: Path, rows: Path) -> None:
    request = read_manifest(manifest, "t-1")
    files, contract = stored_files(request.dataset, request.access, rows), contract_of(request, rows)
    found = [[chunk.where for chunk in read_chunks(files, contract, Share(rank, 4))] for rank in range(4)]
    assert sorted(chain.from_iterable(found)) == sorted(chunk.where for chunk in read_chunks(files, contract))
    assert all(found)


def test_another_number_of_workers_than_declared_is_no_training(manifest: Path) -> None:
    change(manifest, dataset={"uri": "pvc://data/rows/", "format": "parquet"})
    change(manifest, training={"scale": {"mode": "Distributed", "workers": 2}})
    with pytest.raises(DataInvalid, match=r"3 workers run, and spec\.training\.scale\.workers says 2"):
        check_workers(read_manifest(manifest, "t-1"), 3)
