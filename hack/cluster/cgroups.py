"""The cgroup below which everything of a cluster runs: found there, measured there, ended there."""

import os
import signal
import time
from pathlib import Path

from hack.cluster.report import Problem

ROOT = Path("/sys/fs/cgroup")
TRACKED = ("pids", "memory")  # the v1 hierarchies that the daemons join


def hierarchies() -> list[Path]:
    """The mounted hierarchies: one for cgroup v2, one per controller for v1."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return sorted(path for path in ROOT.iterdir() if (path / "cgroup.procs").exists() and not path.is_symlink())


def create(group: str) -> None:
    """Make the group with a child for the daemons; the kubelet makes the pods' child itself."""
    for base in hierarchies():
        _enable_controllers(base)
        for folder in (base / group, base / group / "daemons"):
            folder.mkdir(exist_ok=True)
            for setting in ("cpuset.cpus", "cpuset.mems"):
                if base.name == "cpuset":
                    (folder / setting).write_text((base / setting).read_text())
        _enable_controllers(base / group)


def join(group: str) -> None:
    """Move the calling process below the group (runs in a child between fork and exec)."""
    for base in hierarchies():
        if base == ROOT or base.name in TRACKED:
            (base / group / "daemons" / "cgroup.procs").write_text(str(os.getpid()))


def members(group: str) -> set[int]:
    """The process ids in the group and everything below it."""
    found: set[int] = set()
    for base in hierarchies():
        for folder, _dirs, _files in os.walk(base / group):
            try:
                found.update(map(int, (Path(folder) / "cgroup.procs").read_text().split()))
            except OSError:
                continue  # removed, or a threaded group, while we were looking
    return found


def memory_bytes(group: str) -> int:
    """What the group's processes use now, page cache included."""
    v1, v2 = ROOT / "memory" / group / "memory.usage_in_bytes", ROOT / group / "memory.current"
    return int((v1 if v1.exists() else v2).read_text())


def kill(group: str, seconds: float = 20, spare: int = 0) -> None:
    """End every member, also those that are being started meanwhile; one may be spared."""
    deadline = time.monotonic() + seconds
    while alive := members(group) - {spare}:
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            raise Problem(f"processes {sorted(alive)} of cgroup {group} do not exit: inspect them with ps.")
        time.sleep(0.02)


def remove(group: str) -> None:
    """Delete the emptied group, deepest folders first."""
    for base in hierarchies():
        folders = [Path(folder) for folder, _dirs, _files in os.walk(base / group)]
        for folder in reversed(folders):
            folder.rmdir()


def _enable_controllers(folder: Path) -> None:
    control = folder / "cgroup.subtree_control"
    if not (folder / "cgroup.controllers").exists() or folder.is_relative_to(ROOT / "unified"):
        return
    for controller in (folder / "cgroup.controllers").read_text().split():
        try:
            control.write_text(f"+{controller}")
        except OSError:
            continue  # a controller that cannot be delegated here; the kubelet names it if it needs it
