"""The notebooks of examples/, executed cell by cell in a kernel of their own."""

import os
from pathlib import Path

import nbformat
import pytest
from mlflow import MlflowClient
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[3] / "examples/notebooks"


@pytest.mark.timeout(180)
def test_the_notebook_explores_and_registers_a_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MANIFEST", str(FOLDER / "patients.yaml"))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    notebook = nbformat.read(FOLDER / "explore-and-register.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path), env=dict(os.environ))
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output.output_type == "error"]
    assert "registered version 1 of clinic.heart-notebook" in outputs[-1].text
    (version,) = MlflowClient(store, store).search_model_versions("name='clinic.heart-notebook'")
    assert str(version.version) == "1"


def test_notebooks_are_stored_without_outputs() -> None:
    for path in FOLDER.glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        assert all(not cell.get("outputs") and not cell.get("execution_count") for cell in cells), path
