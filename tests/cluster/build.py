"""`build`: everything slow, once; kept under a key of the pins and sources."""

import platform
import shutil
from collections.abc import Callable
from pathlib import Path

from . import gobuild, ownimages, packages
from .lock import locked
from .paths import build_dir, cache_dir, versions
from .report import Problem, say


def check_machine() -> None:
    """Refuse at once where the binaries could not run."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise Problem("The local cluster needs Linux on x86_64: run the e2e suite on kind (tests/cluster/kind.yaml).")


def build(control_plane_only: bool = False) -> None:
    """Make what is missing for a cluster; with control_plane_only no Debian package and no image."""
    check_machine()
    target = build_dir()
    with locked("cluster-build"):
        _step("binaries", gobuild.build_binaries)
        if control_plane_only:
            return
        packages.ensure(versions()["debian"]["node"])
        _step("prometheus", gobuild.unpack_prometheus)
        _step("cluster-images", ownimages.make_cluster_images)
        _step("base-images", ownimages.make_base_images)
        if (cache_dir() / "go-build").exists():
            gobuild.drop_caches()
    _drop_old_builds(target)


def _step(name: str, make: Callable[[Path], None]) -> None:
    """Run a step unless its mark says that it ended well before."""
    mark = build_dir() / "done" / name
    if mark.exists():
        return
    make(build_dir())
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    say(f"step {name} done")


def _drop_old_builds(current: Path) -> None:
    """Delete the builds of other pins, except the newest of them (a branch switch should not rebuild)."""
    others = sorted((path for path in current.parent.iterdir() if path != current),
                    key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[1:]:
        shutil.rmtree(path)
