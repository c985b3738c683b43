"""`down` and `verify-clean`: nothing of a cluster stays behind."""

import json
import os
import shutil
from pathlib import Path

from hack.cluster import cgroups, net, store
from hack.cluster.node import MOUNT_POINTS
from hack.cluster.paths import Cluster, cache_dir
from hack.cluster.processes import running, stop_all
from hack.cluster.shell import run, succeeds

CONTAINERD = "containerd"


def take_down(cluster: Cluster) -> None:
    """End the processes, then remove network, cgroup and folders; harmless when there is nothing."""
    if containerd := running(cluster).get(CONTAINERD):
        stop_all(cluster, spare=CONTAINERD)
        cgroups.kill(cluster.cgroup, spare=containerd)
        store.keep(cluster)
    stop_all(cluster)
    if os.geteuid() == 0:
        cgroups.kill(cluster.cgroup)
        net.remove(cluster)
        cgroups.remove(cluster.cgroup)
        unmount_below(cluster.state, cluster.data)
    for folder in (cluster.state, cluster.data):
        shutil.rmtree(folder, ignore_errors=False) if folder.exists() else None
    _remove_empty(cluster)


def remove_cache() -> None:
    """Delete all that is slow to make; the next `build` starts from nothing."""
    cache = cache_dir()
    unmount_below(cache)
    if cache.exists():
        run("rm", "-rf", cache)


def leftovers(cluster: Cluster) -> list[str]:
    """What a `down` should have removed, one line each."""
    found = [f"process {pid}: {text}" for pid, text in processes(cluster)]
    found += [f"mount {mount}" for mount in mounts_below(cluster.state, cluster.data)]
    found += [f"folder {folder}" for folder in (cluster.state, cluster.data) if folder.exists()]
    found += [f"cgroup {base / cluster.cgroup}" for base in cgroups.hierarchies() if (base / cluster.cgroup).exists()]
    if shutil.which("ip"):
        found += _network_leftovers(cluster)
    return found


def unmount_below(*folders: Path) -> None:
    """Undo every mount below some folders."""
    for mount in mounts_below(*folders):
        run("umount", "--lazy", mount)


def mounts_below(*folders: Path) -> list[str]:
    """Mount points below some folders, deepest first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    prefixes = tuple(f"{folder}/" for folder in folders)
    return sorted((point for point in points if point.startswith(prefixes)), key=len, reverse=True)


def processes(cluster: Cluster) -> list[tuple[int, str]]:
    """Processes in the cluster's cgroup or that name its folders on their command line."""
    grouped, found = cgroups.members(cluster.cgroup), []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # ended while we were looking
        pid = int(path.parent.name)
        if pid != os.getpid() and (pid in grouped or f"{cluster.state}/" in text or f"{cluster.data}/" in text):
            found.append((pid, text[:100]))
    return found


def _network_leftovers(cluster: Cluster) -> list[str]:
    link = net.interface(cluster)
    found = [f"interface {link}"] if succeeds("ip", "link", "show", link) else []
    routes = json.loads(run("ip", "-j", "-4", "route", "show", "table", "all"))
    return found + [f"route {route['dst']}" for route in routes if route.get("dev") == link]


def _remove_empty(cluster: Cluster) -> None:
    """The folders that all clusters share, once the last one has been removed.

    Not earlier: removing a folder that is a mount point in another cluster's namespace unmounts it there.
    """
    for parent in (cluster.state.parent, cluster.data.parent):
        if parent.exists() and not any(parent.iterdir()):
            parent.rmdir()
    if os.geteuid() == 0 and not cluster.state.parent.exists():
        for path in map(Path, MOUNT_POINTS):
            if path.exists() and not any(path.iterdir()):
                path.rmdir()
