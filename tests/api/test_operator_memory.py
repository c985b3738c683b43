"""Large objects under the operator's labels, which any tenant can make: the process stays within its pod's limit."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heart_api.names import FIELD_MANAGER, Label
from tests.support.apiserver.client import poll
from tests.support.apiserver.world import OPERATOR_NAMESPACE, World, kind_named
from tests.support.soak import SOAK

pytestmark = pytest.mark.api
COUNT = 500 if SOAK else 100
MEBIBYTE = 1024 * 1024
LIMIT = 512 * MEBIBYTE
"""Of the chart's pod (operator.resources)."""


def test_megabytes_under_our_label_do_not_end_the_operator(world: World, api_server: Path, tmp_path: Path) -> None:
    make_large_objects(world)
    with process(world, api_server, tmp_path / "log") as running:
        poll("every object was seen", lambda: len(seen(world)) == COUNT, 120)
        peak = most_memory(running)
        print(f"{COUNT} ConfigMaps of 1 MB: the operator's process had at most {peak / MEBIBYTE:.0f} MiB")
        assert running.poll() is None
        assert peak < LIMIT
    for number in range(COUNT):
        world.api.delete(kind_named("ConfigMap"), world.namespace, f"large-{number}")


def make_large_objects(world: World) -> None:
    """As somebody who may edit the namespace."""
    for number in range(COUNT):
        labels = {Label.MANAGED_BY: FIELD_MANAGER, Label.MODEL: f"m-{number}"}
        metadata = {"namespace": world.namespace, "name": f"large-{number}", "labels": labels}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"padding": "x" * 1_000_000}}
        world.api.create(kind_named("ConfigMap"), body)


def seen(world: World) -> set[str]:
    """Models that the operator asked for because an object names them."""
    return {name for verb, resource, name in world.audit.reads(world.namespace) if (verb, resource) == READ}


READ = ("get", "heartmodels")


@contextmanager
def process(world: World, kubeconfig: Path, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The operator as the image starts it, with the account of the kubeconfig."""
    settings = {
        "HEARTOPS_PROFILES": str(world.profiles),
        "HEARTOPS_LEASE_NAMESPACE": OPERATOR_NAMESPACE,
        "HEARTOPS_POD_NAME": "memory",
        "HEARTOPS_HTTP_HOST": "127.0.0.1",
        "HEARTOPS_HTTP_PORT": "0",
        "HEARTOPS_METRICS_PORT": "0",
    }
    command = (sys.executable, "-m", "heart_operator")
    with log.open("w") as file:
        running = subprocess.Popen(command, env={**os.environ, **settings, "KUBECONFIG": str(kubeconfig)}, stderr=file)
    try:
        yield running
    finally:
        running.terminate()
        code = running.wait(30)
    assert code == 0, log.read_text()


def most_memory(running: "subprocess.Popen[bytes]") -> int:
    """The most resident memory that the process has had, in bytes."""
    status = Path(f"/proc/{running.pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)
    assert found
    return int(found[1]) * 1024
