"""The dashboards follow Grafana's schema: its own types decode them strictly."""

import json
import subprocess
from pathlib import Path

import pytest

from hack.cluster.paths import extras_dir
from tests.support.apiserver.dashboard import DASHBOARDS

pytestmark = pytest.mark.api


@pytest.fixture(scope="module")
def decoder() -> Path:
    binary = extras_dir() / "bin" / "dashboards"
    assert binary.exists(), "the decoder is not built yet: run `python3 -m hack.cluster build --extras`"
    return binary


def decode(decoder: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(decoder), *map(str, files)], capture_output=True, text=True, check=False)


def test_grafanas_types_accept_them(decoder: Path) -> None:
    done = decode(decoder, *DASHBOARDS)
    assert done.returncode == 0, done.stderr


def test_a_field_that_grafana_does_not_know_is_found(decoder: Path, tmp_path: Path) -> None:
    """The check checks something: a panel's options are decoded by the type of the panel."""
    board = json.loads(DASHBOARDS[0].read_text())
    panel = next(panel for panel in board["panels"] if panel["type"] == "stat")
    panel["options"]["textmode"] = panel["options"].pop("textMode")
    (tmp_path / "wrong.json").write_text(json.dumps(board))
    done = decode(decoder, tmp_path / "wrong.json")
    assert done.returncode == 1
    assert "unexpected field 'textmode'" in done.stderr
