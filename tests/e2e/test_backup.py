"""The commands of docs/backup.md, as they stand there: the registry is backed up, destroyed and restored."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.flowers import Flowers
from tests.e2e.kit import RELEASE, ROOT, SYSTEM, kubectl
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.outage,
    pytest.mark.skipif(not SOAK, reason="a minute, and nothing else may run; in make test-soak"),
]
DATABASE, SERVER = f"statefulset/{RELEASE}-postgresql", f"deployment/{RELEASE}-mlflow"
SQL = 'PGPASSWORD="$POSTGRES_PASSWORD" psql -h /run/postgresql -U mlflow -qt --command="{}"'


def test_a_restored_registry_has_every_digest(flowers: Flowers, tmp_path: Path) -> None:
    back_up, restore = commands()
    files, versions = digests(), registered()
    assert any(line.endswith("model.onnx") for line in files), files
    assert flowers.model.status["serving"]["digest"].removeprefix("sha256:") in versions
    run(back_up, tmp_path)
    destroy()
    flowers.model.wait("Ready", "False", 60, reason="RegistryLost")
    flowers.predict()
    run(restore, tmp_path)
    assert (digests(), registered()) == (files, versions)
    flowers.model.wait("Ready", "True", 120)


def commands() -> tuple[str, str]:
    """The page's first two blocks: back up MLflow, restore it."""
    back_up, restore, *_ = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs" / "backup.md").read_text(), re.M | re.S)
    return back_up, restore


def run(script: str, folder: Path) -> None:
    done = subprocess.run(
        ["sh", "-eux", "-c", script], cwd=folder, env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def destroy() -> None:
    """All tables and all files; MLflow makes empty tables when it starts again."""
    inside(SERVER, "rm -rf /mlartifacts/*")
    inside(DATABASE, SQL.format("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
    kubectl("rollout", "restart", SERVER, "-n", SYSTEM)
    kubectl("rollout", "status", SERVER, "-n", SYSTEM, "--timeout=180s")


def digests() -> list[str]:
    return sorted(inside(SERVER, "cd /mlartifacts && find . -type f -exec sha256sum {} +").splitlines())


def registered() -> str:
    """Every version with its tags."""
    tags = "SELECT name, version, key, value FROM model_version_tags ORDER BY 1, 2, 3"
    return inside(DATABASE, SQL.format(tags))


def inside(workload: str, script: str) -> str:
    return kubectl("exec", "-n", SYSTEM, workload, "--", "sh", "-c", script)
