"""What Linux says of a server: its processes, their processor time and memory; and which core is whose."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


CORES = sorted(os.sched_getaffinity(0))
"""Read once: the load pins itself later, and would then take its own core for the only one."""
LOAD_CORE, SERVER_CORE = CORES[0], CORES[-1]
"""The same where there is only one."""


def describe() -> str:
    """Processor, cores and memory, for the page."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 2**20  # type: ignore[index]
    return f"{model[1] if model else os.uname().machine}, {os.cpu_count()} cores, {memory:.0f} GiB"


def busy_share(seconds: float = 1.0) -> float:
    """Share of all cores that something else uses now."""

    def spent() -> tuple[int, int]:
        fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
        return sum(fields), fields[3] + fields[4]

    before = spent()
    time.sleep(seconds)
    after = spent()
    return 1 - (after[1] - before[1]) / max(after[0] - before[0], 1)


def start(
    command: Sequence[str], environment: Mapping[str, str], core: int, log: Path, cwd: Path
) -> "subprocess.Popen[bytes]":
    """Pinned to the core, with everything that it starts; a session of its own, so that all of it can be ended."""
    taskset = shutil.which("taskset")
    assert taskset, "install util-linux: servers are pinned to a core with taskset"
    with log.open("wb") as output:
        return subprocess.Popen(
            [taskset, "-c", str(core), *command],
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            start_new_session=True,
        )


def stop(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def tree(pid: int) -> Iterator[int]:
    """The process and all that it has started."""
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    """User and system time so far (fields 14 and 15 of /proc/…/stat), of the process and all that it has started."""
    total = 0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def resident(pid: int) -> float:
    """Resident memory in MB, of the process and all that it has started."""
    total = 0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{each}/status").read_text())
            total += int(found[1]) if found else 0
    return total / 1024
