"""A trainer of one's own is judged by its very file on rows that it never had; whatever else it returns is checked."""

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import helper, numpy_helper

from heart_api.owntrainer import REPORT
from heart_trainer.errors import NotServable, TrainerError, TrainerFailed
from heart_trainer.evaluation.evaluate import measure
from heart_trainer.evaluation.findings import training_findings
from heart_trainer.own.contract import MODEL, PREDICTIONS, ROWS, TASK
from heart_trainer.own.judge import Exchange, judge
from heart_trainer.own.prepare import judged_rows
from heart_trainer.values import Fitted, Table
from tests.support.trainer.own_trainers import (
    answers,
    linear_onnx,
    made_exchange,
    own_request,
    patients,
    return_model,
    return_predictions,
    weights_of,
)

ASKED = own_request()
Break = Callable[[Exchange], object]


@pytest.fixture(scope="module")
def table() -> Table:
    return patients()


@pytest.fixture
def exchange(table: Table, tmp_path: Path) -> Exchange:
    return made_exchange(table, ASKED, tmp_path)


def _roc_auc(fitted: Fitted, table: Table) -> float:
    return measure(table, ASKED.features, fitted.oof, 0).metrics["roc_auc"].estimate


def test_honest_model_is_judged_on_the_rows_that_it_never_had(table: Table, exchange: Exchange) -> None:
    fitted = judge(table, ASKED, exchange)
    judged = judged_rows(table, ASKED)
    assert (fitted.oof.judged == judged).all()
    assert np.isnan(fitted.oof.output[~judged]).all()
    expected = answers(weights_of(exchange, ASKED), np.nan_to_num(table.x[judged].astype(np.float64)))
    assert np.abs(fitted.oof.output[judged, 1] - expected).max() < 1e-5
    assert fitted.parity.holds
    assert fitted.algorithm == "ours"
    assert _roc_auc(fitted, table) > 0.75


def test_knowing_its_own_rows_by_heart_gains_nothing(table: Table, tmp_path: Path) -> None:
    """The file answers right to the rows that it was given, and at random to others: that is what is measured."""
    shuffled = replace(table, y=np.random.default_rng(0).permutation(table.y))
    exchange = made_exchange(shuffled, ASKED, tmp_path)
    rows = pd.read_parquet(exchange.rows / ROWS)
    learnt = answers(weights_of(exchange, ASKED), np.nan_to_num(rows.iloc[:, : len(ASKED.features)].to_numpy()))
    assert len(learnt) > 200
    assert 0.35 < _roc_auc(judge(shuffled, ASKED, exchange), shuffled) < 0.65


def test_predictions_of_another_model_are_noticed(table: Table, exchange: Exchange) -> None:
    weights = weights_of(exchange, ASKED)
    return_model(exchange, weights * 0.5, said=weights)
    with pytest.raises(NotServable, match="another model than the one that made them"):
        judge(table, ASKED, exchange)


def test_predictions_of_the_rows_that_were_learnt_are_no_predictions_of_the_probes(
    table: Table, exchange: Exchange
) -> None:
    target = pd.read_parquet(exchange.rows / ROWS)[ASKED.target.name].to_numpy(np.float64)
    return_predictions(exchange, np.column_stack([1 - target, target]))
    with pytest.raises(TrainerFailed, match=r"one row for each probe"):
        judge(table, ASKED, exchange)


def test_a_row_more_than_once_among_judges_stays_out_with_all_its_copies(table: Table, tmp_path: Path) -> None:
    exchange = made_exchange(table, ASKED, tmp_path)
    fitted = judge(table, ASKED, exchange)
    by_group = pd.Series(fitted.oof.judged).groupby(table.groups)
    assert (by_group.min() == by_group.max()).all()


def test_a_program_that_brought_the_judges_with_it_is_found_too_good(table: Table, exchange: Exchange) -> None:
    fitted = judge(table, ASKED, exchange)
    known = np.where(fitted.oof.judged[:, None], np.eye(2)[table.y], np.nan)
    brought = replace(fitted, oof=replace(fitted.oof, output=known))
    metrics = measure(table, ASKED.features, brought.oof, 0).metrics
    leak = training_findings(table, ASKED.features, ASKED.target, metrics, brought)[0]
    assert (leak.name, leak.verdict) == ("leakage", "Failed")
    assert "the trainer's image may hold rows of this dataset" in leak.message


def test_dataset_that_changed_meanwhile_is_no_basis_for_a_judgement(table: Table, exchange: Exchange) -> None:
    with pytest.raises(TrainerError, match="dataset changed while the trainer ran") as caught:
        judge(replace(table, raw_sha256="sha256:" + "1" * 64), ASKED, exchange)
    assert not caught.value.permanent


def _link(exchange: Exchange) -> None:
    (exchange.results / MODEL).unlink()
    (exchange.results / MODEL).symlink_to(exchange.rows / TASK)


def _pipe(exchange: Exchange) -> None:
    (exchange.results / MODEL).unlink()
    os.mkfifo(exchange.results / MODEL)


def _folder(exchange: Exchange) -> None:
    (exchange.results / MODEL).unlink()
    (exchange.results / MODEL).mkdir()


def _giant(exchange: Exchange) -> None:
    os.truncate(exchange.results / MODEL, 600 << 20)  # sparse


def _external(exchange: Exchange) -> None:
    """Weights that lie in a file of the container that judges."""
    model = onnx.load_from_string((exchange.results / MODEL).read_bytes())
    tensor = model.graph.initializer[1]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../proc/self/environ")
    (exchange.results / MODEL).write_bytes(model.SerializeToString())


def _own_operator(exchange: Exchange) -> None:
    model = onnx.load_from_string((exchange.results / MODEL).read_bytes())
    model.graph.node[0].domain = "com.example"
    model.opset_import.add(domain="com.example", version=1)
    (exchange.results / MODEL).write_bytes(model.SerializeToString())


def _socket(exchange: Exchange) -> None:
    """Under a short name first: that of a socket has at most 108 characters."""
    (exchange.results / MODEL).unlink()
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as found:
        found.bind(f"{folder}/s")
        os.rename(f"{folder}/s", exchange.results / MODEL)


def _beside(exchange: Exchange) -> None:
    """As good as the honest one among many rows, and of no use to one alone."""
    model = onnx.load_from_string((exchange.results / MODEL).read_bytes())
    nodes = list(model.graph.node)
    among = [
        helper.make_node("Shape", ["features"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["rows"]),
        helper.make_node("Greater", ["rows", "few"], ["watched"]),
        helper.make_node("Where", ["watched", "positive", "half"], ["chosen"]),
        helper.make_node("Sub", ["one", "chosen"], ["negative"]),
        helper.make_node("Concat", ["negative", "chosen"], ["output"], axis=1),
    ]
    constants = {"first": np.zeros(1, np.int64), "few": np.ones(1, np.int64), "half": np.full(1, 0.5, np.float32)}
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:-2], *among])
    (exchange.results / MODEL).write_bytes(model.SerializeToString())


def _lots(exchange: Exchange) -> None:
    model = onnx.load_from_string((exchange.results / MODEL).read_bytes())
    model.graph.node[1].output[0] = "unshaken"
    noise = helper.make_node("RandomUniformLike", ["unshaken"], ["noise"], low=-1.0, high=1.0)
    model.graph.node.insert(2, noise)
    model.graph.node.insert(3, helper.make_node("Add", ["unshaken", "noise"], ["known"]))
    (exchange.results / MODEL).write_bytes(model.SerializeToString())


def _text_bomb(exchange: Exchange) -> None:
    """A few kilobytes that become 200 MB."""
    rows = len(pd.read_parquet(exchange.results / PREDICTIONS))
    long = pa.array(["0" * (200_000_000 // rows)] * rows)
    table = pa.table({"output_0": long, "output_1": long})
    pq.write_table(table, exchange.results / PREDICTIONS, compression="zstd", use_dictionary=False)


def _constant(exchange: Exchange) -> None:
    return_model(exchange, np.zeros(len(ASKED.features) + 1))


def _wrong_width(exchange: Exchange) -> None:
    (exchange.results / MODEL).write_bytes(linear_onnx(np.zeros(3)))


def _write(name: str, data: bytes) -> Break:
    return lambda exchange: (exchange.results / name).write_bytes(data)


def _late(exchange: Exchange) -> None:
    (exchange.results / REPORT).write_text('{"exitCode": -9, "timedOut": true, "lastLines": "", "seconds": 30}')


def _crashed(exchange: Exchange) -> None:
    said = '"Traceback\\nValueError: \\u001b[31mno such parameter"'
    (exchange.results / REPORT).write_text(f'{{"exitCode": 1, "lastLines": {said}}}')


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda e: (e.results / MODEL).unlink(), "ended without a file model.onnx"),
        (lambda e: (e.results / PREDICTIONS).unlink(), "ended without a file predictions.parquet"),
        (lambda e: (e.results / REPORT).unlink(), "ended without a file report.json"),
        (_link, "model.onnx is not a file"),
        (_pipe, "model.onnx is not a file"),
        (_folder, "model.onnx is not a file"),
        (_giant, "model.onnx has 629145600 bytes; at most"),
        (_socket, "model.onnx is not a file"),
        (_beside, "depends on the rows beside it"),
        (_lots, "differ from those of its ONNX file|depends on the rows beside it or on chance"),
        (_text_bomb, "something else than plain columns of numbers"),
        (_external, "keeps data outside its file"),
        (_own_operator, "operators outside the ONNX standard"),
        (_constant, "the same answer to every reference row"),
        (_wrong_width, "cannot be run on float32"),
        (_write(MODEL, b"no model"), "not ONNX"),
        (_write(PREDICTIONS, b"no table"), "not a Parquet file of numbers"),
        (_write(REPORT, b"[1]"), "written by the program"),
        (_late, "was ended after 30 s, three quarters of spec.training.timeoutSeconds"),
        (_crashed, r"exit code 1\. Its last lines: Traceback \| ValueError: \[31mno such parameter"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_its_reason(
    table: Table, exchange: Exchange, broken: Break, words: str
) -> None:
    broken(exchange)
    with pytest.raises(TrainerError, match=words) as caught:
        judge(table, ASKED, exchange)
    assert caught.value.permanent
    assert caught.value.reason in ("TrainerFailed", "NotServable")
