"""Servers that tests start beside each other get different ports."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hack.cluster import ports
from hack.cluster.ports import free_port

# No other process asks for these.
THREE, OTHERS = range(11_000, 11_003), range(11_003, 11_006)
ROOT = Path(__file__).resolve().parents[4]
ANOTHER = """
from hack.cluster import ports
ports.PORTS = range(11_000, 11_003)
print(ports.free_port(), flush=True)
input()
"""


def test_no_port_is_given_twice_before_its_server_listens() -> None:
    given = [free_port() for _ in range(100)]
    assert len(set(given)) == 100
    assert set(given) <= set(ports.PORTS)


def test_two_processes_are_never_given_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "PORTS", THREE)
    mine = {free_port(), free_port()}
    with subprocess.Popen([sys.executable, "-c", ANOTHER], cwd=ROOT, stdin=-1, stdout=-1, text=True) as another:
        assert another.stdout
        given = int(another.stdout.readline())
        assert {given} | mine == set(THREE)
        with pytest.raises(OSError, match=r"All ports from 11000 to 11002 are taken at 127\.0\.0\.1\."):
            free_port()
        another.communicate("\n")
    assert free_port() == given, "what a process was given is free when it ends"


def test_a_port_on_which_a_server_listens_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "PORTS", OTHERS)
    with socket.create_server(("127.0.0.1", 11_004)):
        assert {free_port(), free_port()} == {11_003, 11_005}
