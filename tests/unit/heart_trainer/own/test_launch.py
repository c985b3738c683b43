"""The launcher takes the network from a program, bounds it, and tells how it ended."""

import json
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from heart_api.owntrainer import launcher_command
from heart_trainer.own.launch import MACHINES, MOST_PROCESSES
from heart_trainer.own.launcher import copy_launcher, own_command

pytestmark = pytest.mark.skipif(platform.machine() not in MACHINES, reason="seccomp filter for x86_64 and aarch64")
PYTHON = sys.executable
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("launcher")
    copy_launcher(folder)
    return folder


@pytest.fixture(params=["own", "copied"])
def launcher(request: pytest.FixtureRequest, copied: Path) -> list[str]:
    """The launcher by this interpreter, and by the copy that another image gets."""
    return own_command() if request.param == "own" else list(launcher_command(str(copied)))


def _launch(
    launcher: list[str], folder: Path, *command: str, seconds: float = 60, environ: dict[str, str] | None = None
) -> tuple[dict[str, object], str]:
    """(the report, what was printed)"""
    report = folder / "report.json"
    limits = [str(seconds), str(MEGABYTE), str(report)]
    done = subprocess.run([*launcher, *limits, *command], capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(report.read_text()), done.stdout


def test_exit_code_and_last_lines_are_reported_and_output_is_passed_on(launcher: list[str], tmp_path: Path) -> None:
    report, printed = _launch(launcher, tmp_path, "/bin/sh", "-c", "seq 100; echo it broke >&2; exit 3")
    assert (report["exitCode"], report["timedOut"]) == (3, False)
    assert str(report["lastLines"]).splitlines()[-2:] == ["100", "it broke"]
    assert len(str(report["lastLines"]).splitlines()) == 12
    assert "1\n2\n3\n" in printed


CONNECT = """
import socket, sys
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_PACKET, socket.AF_NETLINK, socket.AF_VSOCK):
    try:
        socket.socket(family, socket.SOCK_STREAM if family in (2, 10, 40) else socket.SOCK_RAW)
    except PermissionError:
        continue
    except OSError as error:
        print(family, error)
    sys.exit(f"family {family} can be opened")
socket.socketpair()
"""


def test_no_socket_leads_out_of_the_container(launcher: list[str], tmp_path: Path) -> None:
    report, _ = _launch(launcher, tmp_path, PYTHON, "-c", CONNECT)
    assert report["exitCode"] == 0, report


def test_a_server_that_listens_is_not_reached_by_any_descendant(launcher: list[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        connect = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}))"
        report, _ = _launch(launcher, tmp_path, "/bin/sh", "-c", f'setsid {PYTHON} -c "{connect}"')
        with pytest.raises(BlockingIOError):
            server.accept()
    assert report["exitCode"] != 0
    assert "Permission denied" in str(report["lastLines"])


URING = "import ctypes; print(ctypes.CDLL(None, use_errno=True).syscall(425, 8, bytes(120)), ctypes.get_errno())"


def test_no_ring_opens_sockets_in_place_of_the_call(launcher: list[str], tmp_path: Path) -> None:
    _, printed = _launch(launcher, tmp_path, PYTHON, "-c", URING)
    assert printed.split()[0] == "-1"


def test_program_that_never_ends_is_ended_with_its_children(launcher: list[str], tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/pid; trap '' TERM; sleep 600 & echo waiting; wait"
    report, _ = _launch(launcher, tmp_path, "/bin/sh", "-c", script, seconds=1)
    assert report["timedOut"] is True
    assert report["lastLines"] == "waiting"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_giant_file_cannot_be_written(launcher: list[str], tmp_path: Path) -> None:
    big = tmp_path / "big"
    report, _ = _launch(launcher, tmp_path, "/bin/sh", "-c", f"head -c {4 * MEGABYTE} /dev/zero > {big}")
    assert report["exitCode"] != 0
    assert big.stat().st_size <= MEGABYTE


def test_sparse_giant_file_cannot_be_made(launcher: list[str], tmp_path: Path) -> None:
    report, _ = _launch(launcher, tmp_path, "/usr/bin/truncate", "-s", str(4 * MEGABYTE), str(tmp_path / "big"))
    assert report["exitCode"] != 0
    assert (tmp_path / "big").stat().st_size <= MEGABYTE


def test_no_more_than_a_bound_of_processes(launcher: list[str], tmp_path: Path) -> None:
    """Of its user on the whole machine: a fork bomb ends there. Root, who may run this test, is not bounded."""
    report, _ = _launch(launcher, tmp_path, "/bin/bash", "-c", "ulimit -u; ulimit -Hu")
    soft, hard = map(int, str(report["lastLines"]).split())
    assert soft == hard
    assert MOST_PROCESSES < soft < MOST_PROCESSES + 100_000


def test_no_more_than_a_bound_of_its_output_is_passed_on(launcher: list[str], tmp_path: Path) -> None:
    report, printed = _launch(launcher, tmp_path, "/bin/sh", "-c", "yes | head -c 5000000; echo last")
    assert len(printed) < 2 * MEGABYTE
    assert "no more of its output is shown" in printed
    assert str(report["lastLines"]).endswith("last")


def test_report_of_the_program_itself_is_replaced(launcher: list[str], tmp_path: Path) -> None:
    forged, victim = tmp_path / "report.json", tmp_path / "victim"
    victim.write_text("untouched")
    report, _ = _launch(launcher, tmp_path, "/bin/sh", "-c", f"ln -s {victim} {forged}; exit 4")
    assert report["exitCode"] == 4
    assert victim.read_text() == "untouched"


def test_program_that_is_not_there_is_named(launcher: list[str], tmp_path: Path) -> None:
    report, _ = _launch(launcher, tmp_path, "/no/such/program")
    assert report["lastLines"] == "/no/such/program cannot be started: No such file or directory"


def test_copied_launcher_loads_nothing_of_the_image_that_it_runs_in(copied: Path) -> None:
    """Neither libraries nor modules; PYTHONPATH and PYTHONHOME of the image say nothing to it."""
    hostile = {"PYTHONPATH": "/nonexistent", "PYTHONHOME": "/nonexistent", "LD_LIBRARY_PATH": "/nonexistent"}
    done = subprocess.run(
        [*launcher_command(str(copied)), "--files-in-use"], capture_output=True, text=True, env=hostile, check=True
    )
    found = json.loads(done.stdout)
    used = [*found["libraries"], *found["modules"]]
    assert used
    assert [path for path in used if not path.startswith(str(copied))] == []


def test_copied_launcher_is_small(copied: Path) -> None:
    size = sum(path.stat().st_size for path in copied.rglob("*") if path.is_file())
    assert size < 64 * MEGABYTE
