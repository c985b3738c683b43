"""A file that is not exactly the approved, self-contained, well-behaved model never serves."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from heart_api.package import ONNX_INPUT, ONNX_OUTPUT, PACKAGE_KEY, ReferenceRows
from heart_model import model as model_module
from heart_model.errors import ModelRejected
from heart_model.model import load_model
from tests.support.serving.app import environment, start
from tests.support.serving.tiny_model import HEART, TinyModel, tiny_model

ROWS = [[50.0, 1.0, 0.0, 1.0, 0.0], [60.0, 0.0, 2.0, None, 1.0]]


def load(folder: Path, data: bytes) -> Any:
    file = folder / "model.onnx"
    file.write_bytes(data)
    return load_model(file, hashlib.sha256(data).hexdigest())


def changed(change: Any) -> bytes:
    """A good model with one thing wrong."""
    proto = ModelProto.FromString(tiny_model().data)
    change(proto)
    return proto.SerializeToString()


def reference(**fields: Any) -> TinyModel:
    good = tiny_model().package.reference.model_dump()
    return tiny_model(reference=ReferenceRows(**good | fields))


def test_a_good_file_loads(tmp_path: Path) -> None:
    assert load(tmp_path, tiny_model().data).package.features == HEART


def test_another_digest(tmp_path: Path) -> None:
    model = tiny_model()
    file = model.write(tmp_path)
    flipped = bytearray(model.data)
    flipped[len(flipped) // 2] ^= 1
    file.write_bytes(flipped)
    with pytest.raises(ModelRejected, match=f"sha256:{model.sha256} was approved: it is not served"):
        load_model(file, model.sha256)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelRejected, match="cannot be read: No such file"):
        load_model(tmp_path / "model.onnx", "0" * 64)


def test_an_absurdly_large_file_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_module, "MAX_MODEL_BYTES", 100)
    with pytest.raises(ModelRejected, match="at most 100 are served"):
        load(tmp_path, tiny_model().data)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80\x04\x95pickle", b"PK\x03\x04zip", b"\xff" * 1000, tiny_model().data[:-200], b"<html>"],
    ids=["empty", "pickle", "zip", "noise", "truncated", "html"],
)
def test_what_is_not_onnx(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelRejected):
        load(tmp_path, data)


def external(tensor: TensorProto) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def external_inside_a_branch(proto: ModelProto) -> None:
    tensor = numpy_helper.from_array(np.zeros(1, np.float32), "c")
    external(tensor)
    node = helper.make_node("Constant", [], ["c"], value=tensor)
    branch = helper.make_graph([node], "b", [], [helper.make_tensor_value_info("c", TensorProto.FLOAT, [1])])
    proto.graph.node.append(helper.make_node("If", ["absent"], ["c"], then_branch=branch, else_branch=branch))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda proto: external(proto.graph.initializer[0]), "data outside its file"),
        (external_inside_a_branch, "data outside its file"),
        (lambda proto: proto.opset_import.add(domain="com.example", version=1), "outside the ONNX standard"),
        (lambda proto: setattr(proto.graph.node[0], "domain", "com.microsoft"), "outside the ONNX standard"),
        (lambda proto: proto.functions.add(name="f", domain="x"), "outside the ONNX standard"),
        (lambda proto: setattr(proto.graph.node[0], "op_type", "NoSuch"), "runtime cannot open"),
        (lambda proto: proto.ClearField("metadata_props"), f"carries no {PACKAGE_KEY}"),
        (lambda proto: setattr(proto.metadata_props[0], "value", "{}"), "not readable at .*features"),
        (lambda proto: setattr(proto.metadata_props[0], "value", "{"), "not readable at its start"),
        (
            lambda proto: setattr(proto.graph.input[0].type.tensor_type.shape.dim[1], "dim_value", 6),
            "runtime cannot open|input is not one float tensor",
        ),
    ],
)
def test_what_is_not_self_contained_and_whole(tmp_path: Path, change: Any, says: str) -> None:
    with pytest.raises(ModelRejected, match=says):
        load(tmp_path, changed(change))


def test_a_package_of_a_newer_release(tmp_path: Path) -> None:
    with pytest.raises(ModelRejected, match="newer HeartOps"):
        load(tmp_path, tiny_model(schema_version=2).data)


def test_outputs_that_do_not_fit_the_task(tmp_path: Path) -> None:
    with pytest.raises(ModelRejected, match="one column per class"):
        load(tmp_path, tiny_model(classes=(0, 1), task="regression").data.replace(b'"regression"', b'"binary"    '))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"outputs": [[0.1, 0.9]] * 8}, "differ from those stored at training"),
        ({"outputs": [[0.5, 0.5]]}, "not one stored output for each"),
        ({"outputs": [[0.5]] * 8}, "outputs"),
        ({"inputs": [[1.0, 2.0]] * 8}, "the contract's 5 features"),
        ({"outputs": [[float("nan"), 0.5]] * 8}, "NaN|not readable"),
    ],
)
def test_self_check_rejects_other_answers_than_at_training(tmp_path: Path, fields: Any, says: str) -> None:
    with pytest.raises(ModelRejected, match=says):
        load(tmp_path, reference(**fields).data)


def constant_model(value: float) -> bytes:
    """Answers the same to everything, as its stored outputs say."""

    def replace(proto: ModelProto) -> None:
        del proto.graph.node[:]
        weights = np.zeros((5, 2), np.float32)
        bias = np.full(2, value, np.float32)
        proto.graph.initializer.extend([numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")])
        proto.graph.node.append(helper.make_node("Gemm", [ONNX_INPUT, "w", "b"], [ONNX_OUTPUT]))

    stored = 0.5 if np.isnan(value) else value
    model = tiny_model(reference=ReferenceRows(inputs=[[1.0] * 5, [2.0] * 5], outputs=[[stored] * 2] * 2))
    proto = ModelProto.FromString(model.data)
    replace(proto)
    return proto.SerializeToString()


@pytest.mark.parametrize(("value", "says"), [(0.5, "same answer to every"), (float("nan"), "NaN or infinity")])
def test_self_check_rejects_a_broken_model(tmp_path: Path, value: float, says: str) -> None:
    with pytest.raises(ModelRejected, match=says):
        load(tmp_path, constant_model(value))


def test_the_process_ends_with_one_clear_sentence_and_never_listens(tmp_path: Path) -> None:
    model = reference(outputs=[[0.1, 0.9]] * 8)
    log = tmp_path / "log"
    assert start(environment(model.write(tmp_path), model.sha256, 1), log).wait(30) == 2
    output = log.read_text()
    assert len(output.splitlines()) == 1
    assert "self-check: outputs differ from those stored at training" in output


def test_a_missing_environment_is_named_completely(tmp_path: Path) -> None:
    variables = environment(tmp_path / "model.onnx", "0" * 64, 1)
    del variables["HEARTOPS_MODEL_NAME"], variables["HEARTOPS_MODEL_VERSION"]
    log = tmp_path / "log"
    assert start(variables, log).wait(30) == 2
    assert "set HEARTOPS_MODEL_NAME, HEARTOPS_MODEL_VERSION" in log.read_text()
