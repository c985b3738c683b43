"""Starting daemons with a log file each, and ending exactly those that were started."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from hack.cluster import cgroups
from hack.cluster.paths import Cluster, bin_dir
from hack.cluster.report import Problem

SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def start(cluster: Cluster, name: str, command: list[object], enter: tuple[object, ...] = ()) -> int:
    """Start a daemon in a session of its own and record its pid; `enter` is an nsenter/unshare prefix.

    nsenter and unshare replace themselves by the command, so that the pid stays the same.
    """
    words = [str(word) for word in (*enter, *command)]
    cluster.logs.mkdir(parents=True, exist_ok=True)
    grouped = os.geteuid() == 0 and cgroups_in_use(cluster)
    with (cluster.logs / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            words,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={"PATH": f"{bin_dir()}:{SEARCH}", "HOME": str(cluster.data), "GOGC": "400"},
            preexec_fn=(lambda: cgroups.join(cluster.cgroup)) if grouped else None,
        )
    folder = cluster.state / "pids"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"pid": process.pid, "started": _started(process.pid)}))
    return process.pid


def cgroups_in_use(cluster: Cluster) -> bool:
    """Whether the cluster has a cgroup (a control plane alone has none)."""
    return any((base / cluster.cgroup).exists() for base in cgroups.hierarchies())


def running(cluster: Cluster) -> dict[str, int]:
    """The recorded daemons that still run, by name."""
    found = {}
    for path in sorted((cluster.state / "pids").glob("*.json")):
        record = json.loads(path.read_text())
        if record["started"] is not None and _started(record["pid"]) == record["started"]:
            found[path.stem] = record["pid"]
    return found


def recorded(cluster: Cluster) -> set[str]:
    """The names of all daemons ever started for the cluster."""
    return {path.stem for path in (cluster.state / "pids").glob("*.json")}


def check_alive(cluster: Cluster) -> None:
    """Fail early, with the log's end, when a daemon has ended by itself."""
    for name in sorted(recorded(cluster) - set(running(cluster))):
        lines = (cluster.logs / f"{name}.log").read_text(errors="replace").strip().splitlines()
        raise Problem(f"{name} has exited: {' | '.join(lines[-3:])} (all of it: {cluster.logs / name}.log).")


def stop_all(cluster: Cluster, seconds: float = 20, spare: str = "") -> None:
    """End the recorded daemons; their data is thrown away, so that nothing has to be flushed."""
    deadline = time.monotonic() + seconds
    while alive := {name: pid for name, pid in running(cluster).items() if name != spare}:
        for pid in alive.values():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            raise Problem(f"these processes do not exit: {alive}.")
        time.sleep(0.02)


def freeze(cluster: Cluster, names: list[str], seconds: float) -> None:
    """Stop recorded daemons for a while: connections to them hang. They go on in any case."""
    alive = running(cluster)
    if missing := sorted(set(names) - alive.keys()):
        raise Problem(f"{', '.join(missing)} is not among the running daemons: {', '.join(sorted(alive))}.")
    try:
        for name in names:
            os.kill(alive[name], signal.SIGSTOP)
        time.sleep(seconds)
    finally:
        for name in names:
            os.kill(alive[name], signal.SIGCONT)


def _started(pid: int) -> str | None:
    """A process's start time: with the pid it names one process for ever. None when gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]
