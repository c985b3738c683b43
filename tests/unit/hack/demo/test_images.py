"""The product's images are built while the cluster of our own is compiled and started."""

import sys
from pathlib import Path

import pytest

from hack.cluster.report import Problem
from hack.demo import clusters
from hack.demo.choice import Kind


def test_the_build_runs_beside_the_block_and_has_ended_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "built"
    monkeypatch.delenv("HEARTOPS_IMAGES", raising=False)
    monkeypatch.setattr(clusters, "BUILD_IMAGES", (sys.executable, "-c", f"open({str(mark)!r}, 'w')"))
    with clusters.building_images(Kind.OWN):
        pass
    assert mark.exists()


def test_a_cluster_that_cannot_start_stops_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEARTOPS_IMAGES", raising=False)
    monkeypatch.setattr(clusters, "BUILD_IMAGES", (sys.executable, "-c", "import signal; signal.pause()"))
    with pytest.raises(Problem, match="no cluster"), clusters.building_images(Kind.OWN):
        raise Problem("no cluster")


@pytest.mark.parametrize(("kind", "given"), [(Kind.KIND, None), (Kind.USER, None), (Kind.OWN, "{}")])
def test_elsewhere_nothing_is_built_beside(kind: Kind, given: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEARTOPS_IMAGES", raising=False)
    if given:
        monkeypatch.setenv("HEARTOPS_IMAGES", given)
    monkeypatch.setattr(clusters, "BUILD_IMAGES", ("/no/such/command",))
    with clusters.building_images(kind):
        pass
