"""What is slow, once and no more of it than is needed; kept under a key of the pins and sources."""

import platform
import shutil
from collections.abc import Callable
from pathlib import Path

from hack.cluster import gobuild, ownimages, packages
from hack.cluster.archive import tar_layer, write_archive
from hack.cluster.lock import locked
from hack.cluster.paths import (
    alertmanager_dir,
    base_dir,
    build_dir,
    extras_dir,
    gateway_dir,
    images_dir,
    object_store_dir,
    policies_dir,
    queueing_dir,
    versions,
)
from hack.cluster.report import Problem


def check_machine() -> None:
    """Refuse at once where the binaries could not run."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise Problem("The local cluster needs Linux on x86_64: run the e2e suite on kind (hack/cluster/kind.yaml).")


def build_control_plane() -> None:
    """Make what a cluster without a node needs. No Debian package and no image: nobody needs to be root."""
    check_machine()
    with locked("cluster-build"):
        _kubernetes()
        _step("crds", build_dir(), gobuild.build_crds)


def build_basic() -> None:
    """Make what a cluster needs to run the product: no monitoring, which only end-to-end tests use."""
    check_machine()
    with locked("cluster-build"):
        _kubernetes()
        _step("node", build_dir(), gobuild.build_node)
        packages.ensure(versions()["debian"]["node"])
        _step("basic-images", images_dir(), ownimages.make_basic_images)
        gobuild.drop_caches()


def build_full() -> None:
    """Make what a cluster needs to run the end-to-end tests."""
    check_machine()
    with locked("cluster-build"):
        _kubernetes()
        _step("node", build_dir(), gobuild.build_node)
        _step("crds", build_dir(), gobuild.build_crds)
        _step("monitoring", build_dir(), gobuild.build_monitoring)
        _step("prometheus", build_dir(), gobuild.build_prometheus)
        _step("extras", extras_dir(), gobuild.build_extras)
        packages.ensure([*versions()["debian"]["node"], *versions()["debian"]["test_servers"]])
        _step("basic-images", images_dir(), ownimages.make_basic_images)
        _step("monitoring-images", images_dir(), ownimages.make_monitoring_images)
        gobuild.drop_caches()


def build_for_api() -> None:
    """Make what the api tests start. No Debian package and no image: nobody needs to be root."""
    build_control_plane()
    with locked("cluster-build"):
        _step("node", build_dir(), gobuild.build_node)
        _step("prometheus", build_dir(), gobuild.build_prometheus)
        _step("extras", extras_dir(), gobuild.build_extras)


def build_bases() -> None:
    """Make the base images of the product's images."""
    with locked("base-images"):
        _step("images", base_dir(), ownimages.make_base_images)


def is_built() -> bool:
    """Whether a cluster can start without compiling anything."""
    return all((build_dir() / f".{name}-done").exists() for name in ("kubernetes", "node"))


def build_gateway() -> None:
    """Make the gateway controller that the tests of HTTPRoutes start; no cluster has it."""
    check_machine()
    with locked("cluster-build"):
        _step("gateway", gateway_dir(), gobuild.build_gateway)
        gobuild.drop_caches()


def build_alertmanager() -> None:
    """Make the server that the tests of alert routing ask; no cluster has it."""
    check_machine()
    with locked("cluster-build"):
        _step("alertmanager", alertmanager_dir(), gobuild.build_alertmanager)
        gobuild.drop_caches()


def build_policies() -> None:
    """Make what enforces NetworkPolicies, and its image."""
    check_machine()
    with locked("cluster-build"):
        _step("network-policies", policies_dir(), _make_policies)
        gobuild.drop_caches()


def build_queueing() -> None:
    """Make the controllers that start and carry out queued trainings; no cluster has them."""
    check_machine()
    with locked("cluster-build"):
        _step("queueing", queueing_dir(), gobuild.build_queueing)
        gobuild.drop_caches()


def build_object_store() -> None:
    """Make the server of buckets that tests of `s3://` start; no cluster has it."""
    check_machine()
    with locked("cluster-build"):
        _step("object-store", object_store_dir(), gobuild.build_object_store)
        gobuild.drop_caches()


def _make_policies(target: Path) -> None:
    gobuild.build_policies(target)
    layer = target / "layer.tar"
    tar_layer(layer, {"bin/netpol": target / "bin" / "cmd"})
    archive = target / "kube-network-policies.tar"
    write_archive(archive, f"heartops/kube-network-policies:{target.name}", [layer], {"Entrypoint": ["/bin/netpol"]})
    layer.unlink()


def build_extras() -> None:
    """Make prometheus-adapter and the checks that tests run."""
    check_machine()
    with locked("cluster-build"):
        _step("extras", extras_dir(), gobuild.build_extras)


def _kubernetes() -> None:
    _step("kubernetes", build_dir(), gobuild.build_kubernetes)


def _step(name: str, target: Path, make: Callable[[Path], None]) -> None:
    """Run a step unless its mark says that it ended well before."""
    mark = target / f".{name}-done"
    if mark.exists():
        return
    target.mkdir(parents=True, exist_ok=True)
    make(target)
    mark.touch()
    _drop_old(target)


def _drop_old(current: Path) -> None:
    """Delete what was made for other pins, except the newest (a branch switch should not rebuild)."""
    others = sorted(
        (path for path in current.parent.iterdir() if path != current),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    for path in others[1:]:
        shutil.rmtree(path)
