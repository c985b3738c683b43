"""containerd's images: imported once, and kept unpacked from one cluster to the next.

Unpacking the product's images costs a minute and a half of processor time. So a cluster that goes leaves its store,
without containers, and the next one takes it. Of two clusters side by side the second starts empty.
"""

import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hack.cluster.archive import references
from hack.cluster.ownimages import cluster_archives
from hack.cluster.paths import HERE, Cluster, cache_dir, digest, versions
from hack.cluster.processes import running
from hack.cluster.report import Problem, say
from hack.cluster.shell import run, wait_for

STALE = 8
"""Images without an archive, above which the store is not worth its space."""


def take(cluster: Cluster) -> None:
    """Move the kept store into the new cluster, if there is one that no other cluster uses."""
    try:
        os.rename(kept(), folder(cluster))
    except OSError:
        return  # none, or on another disk: the images are imported
    say("reusing the image store of an earlier cluster")


def keep(cluster: Cluster) -> None:
    """Keep the store for the next cluster; every daemon but containerd, and every container's process, has ended.

    A store that cannot be kept is removed with the cluster; the next one only starts slower.
    """
    try:
        _remove_containers(cluster.containerd_socket)
        worth = len(present_images(cluster.containerd_socket) - _loadable()) <= STALE
        _stop_containerd(cluster)
        if worth and not kept().exists():
            shutil.rmtree(kept().parent, ignore_errors=True)  # what another release of containerd made
            kept().parent.mkdir(parents=True)
            os.rename(folder(cluster), kept())
    except (Problem, OSError) as problem:
        say(f"the image store is not kept: {problem}")


def load(socket: Path, archives: list[Path]) -> None:
    """Import image archives, those that containerd lacks.

    Two at a time: an import hashes, writes and unpacks, each in turn.
    """
    present = present_images(socket)

    def give(archive: Path) -> str:
        if _names(archive) <= present:
            return "already loaded"
        _ctr(socket, "images", "import", archive)
        return "loaded"

    with ThreadPoolExecutor(2) as pool:
        for archive, outcome in zip(archives, pool.map(give, archives), strict=True):
            say(f"{archive.name} {outcome}")


def present_images(socket: Path) -> set[str]:
    """The names of the images that containerd holds for the kubelet."""
    found = _ctr(socket, "images", "ls", "-q").split()
    return {_short(name) for name in found if not name.startswith("sha256:")}


def kept() -> Path:
    """Where the store waits for the next cluster; another release of containerd starts anew."""
    made_by = (versions()["debian"]["suite"], (HERE / "config" / "containerd.toml").read_text())
    return cache_dir() / "node-store" / digest(repr(made_by).encode())


def folder(cluster: Cluster) -> Path:
    """containerd's root."""
    return cluster.data / "containerd"


def _names(archive: Path) -> set[str]:
    return {_short(name) for name in references(archive)}


def _short(name: str) -> str:
    """Without the registry, which some tools write where none was named."""
    return name.removeprefix("docker.io/").removeprefix("localhost/")


def _loadable() -> set[str]:
    own = [archive for archive in cluster_archives(monitoring=True) if archive.exists()]
    archives = [*own, *(cache_dir() / "images").glob("*.tar")]
    return {name for archive in archives for name in _names(archive)}


def _remove_containers(socket: Path) -> None:
    """containerd needs a moment to notice that a container's process has exited."""

    def none_left() -> bool:
        left = _ctr(socket, "containers", "ls", "-q").split()
        for one in left:
            _try(socket, "containers", "rm", one)
        return not left

    wait_for("no container in containerd's store", none_left, 20)


def _stop_containerd(cluster: Cluster) -> None:
    """With SIGTERM, so that everything is flushed to disk."""
    os.kill(running(cluster)["containerd"], signal.SIGTERM)
    wait_for("containerd's end", lambda: "containerd" not in running(cluster), 15)


def _ctr(socket: Path, *words: object) -> str:
    return run("ctr", "--address", socket, "--namespace", "k8s.io", *words)


def _try(socket: Path, *words: object) -> None:
    try:
        _ctr(socket, *words)
    except Problem:
        return  # its task is still being removed: the caller checks again
