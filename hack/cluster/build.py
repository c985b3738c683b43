"""`build`: everything slow, once; kept under a key of the pins and sources."""

import platform
import shutil
from collections.abc import Callable
from pathlib import Path

from hack.cluster import gobuild, ownimages, packages
from hack.cluster.lock import locked
from hack.cluster.paths import base_dir, build_dir, gateway_dir, images_dir, versions
from hack.cluster.report import Problem


def check_machine() -> None:
    """Refuse at once where the binaries could not run."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise Problem("The local cluster needs Linux on x86_64: run the e2e suite on kind (hack/cluster/kind.yaml).")


def build(control_plane_only: bool = False) -> None:
    """Make what is missing for a cluster; with control_plane_only no Debian package and no image."""
    check_machine()
    with locked("cluster-build"):
        _step("binaries", build_dir(), gobuild.build_binaries)
        if control_plane_only:
            return
        packages.ensure([*versions()["debian"]["node"], *versions()["debian"]["test_servers"]])
        _step("prometheus", build_dir(), gobuild.build_prometheus)
        _step("images", images_dir(), ownimages.make_cluster_images)
        gobuild.drop_caches()
    build_bases()


def build_for_api() -> None:
    """Make what the api tests start. No Debian package and no image: nobody needs to be root."""
    check_machine()
    with locked("cluster-build"):
        _step("binaries", build_dir(), gobuild.build_binaries)
        _step("prometheus", build_dir(), gobuild.build_prometheus)


def build_bases() -> None:
    """Make the base images of the product's images."""
    with locked("base-images"):
        _step("images", base_dir(), ownimages.make_base_images)


def build_gateway() -> None:
    """Make the gateway controller that the tests of HTTPRoutes start; no cluster has it."""
    check_machine()
    with locked("cluster-build"):
        _step("gateway", gateway_dir(), gobuild.build_gateway)
        gobuild.drop_caches()


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
