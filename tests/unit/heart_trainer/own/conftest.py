"""A HeartModel with a trainer of one's own, and programs for it."""

import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[4]
SDK = ROOT / "trainer" / "sdk"

FAIR = """
import numpy as np
from heartops_trainer import Trainer
from tests.support.trainer.own_trainers import answers, linear_onnx

class Linear(Trainer):
    def fit(self, rows, task):
        x = np.column_stack([np.nan_to_num(rows.x.astype(float)), np.ones(len(rows.y))])
        return task.parameters["scale"] * np.linalg.lstsq(x, 4 * rows.y - 2, rcond=None)[0]

    def predict(self, model, x):
        p = answers(model, np.nan_to_num(x.astype(float)))
        return np.column_stack([1 - p, p])

    def to_onnx(self, model, task):
        return linear_onnx(model)

Linear().run()
"""


@pytest.fixture
def own_manifest(manifest: Path) -> Path:
    document = yaml.safe_load(manifest.read_text())
    training = {"trainer": "ours", "parameters": {"scale": 1}, "holdout": 0.3, "timeoutSeconds": 600}
    document["spec"]["training"] = training
    manifest.write_text(yaml.safe_dump(document))
    return manifest


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{':'.join(sys.path)}:{SDK}:{ROOT}")


def program(folder: Path, text: str) -> str:
    """The command of a program with this text."""
    (folder / "program.py").write_text(text)
    return f"{sys.executable} {folder}/program.py"
