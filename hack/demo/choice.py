"""Which cluster the demo uses: the one of KUBECONFIG, else kind, else one of its own."""

import os
import platform
import shutil
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from hack.cluster.build import is_built
from hack.cluster.paths import cache_dir
from hack.cluster.report import Problem
from hack.images import docker_answers

SPACE_TO_BUILD = 18
"""GiB that an empty cache needs while Kubernetes and the images are built."""
SPACE_TO_RUN = 8


class Kind(Enum):
    USER = "the cluster of KUBECONFIG"
    KIND = "a kind cluster"
    OWN = "a one-node cluster of its own"


@dataclass(frozen=True)
class Machine:
    """What of this machine decides."""

    kubeconfig: Path | None
    """The file that KUBECONFIG names."""
    kubeconfig_exists: bool
    docker: bool
    """A Docker engine answers; the client alone is not enough."""
    kind: bool
    linux: bool
    root: bool
    go: bool
    built: bool
    """The cluster's binaries are in the cache."""
    free_gib: float


def look_around() -> Machine:
    """Read the machine."""
    named = os.environ.get("KUBECONFIG")
    kubeconfig = Path(named.split(os.pathsep)[0]) if named else None
    return Machine(
        kubeconfig=kubeconfig,
        kubeconfig_exists=bool(kubeconfig and kubeconfig.exists()),
        docker=docker_answers(),
        kind=shutil.which("kind") is not None,
        linux=platform.system() == "Linux" and platform.machine() == "x86_64",
        root=os.geteuid() == 0,
        go=shutil.which("go") is not None,
        built=is_built(),
        free_gib=shutil.disk_usage(_existing(cache_dir())).free / 2**30,
    )


def choose(machine: Machine, *, to_remove: bool = False) -> Kind:
    """The cluster to use; Problem with what to do when none can be had.

    `to_remove`: nothing is built, so only what removing needs is asked for.
    """
    if machine.kubeconfig:
        if not machine.kubeconfig_exists:
            raise Problem(f"KUBECONFIG names {machine.kubeconfig}, which does not exist: correct it, or unset it.")
        return Kind.USER
    if machine.docker:
        if not machine.kind:
            raise Problem(
                "A Docker engine is running, but kind is missing: install it (https://kind.sigs.k8s.io), "
                "or name a cluster in KUBECONFIG."
            )
        return Kind.KIND
    _check_own(machine, to_remove)
    return Kind.OWN


def _check_own(machine: Machine, to_remove: bool) -> None:
    """A cluster of local processes needs Linux, root and, the first time, Go and space."""
    elsewhere = "start Docker with kind installed, or name a cluster in KUBECONFIG"
    if not machine.linux:
        raise Problem(f"No cluster can be started here (that needs Linux on x86_64): {elsewhere}.")
    if not machine.root:
        raise Problem(f"Starting a cluster needs root: run `sudo make demo`; or {elsewhere}.")
    if to_remove:
        return
    if not machine.built and not machine.go:
        raise Problem(f"Go is missing, which builds Kubernetes here: install Go 1.26 or newer; or {elsewhere}.")
    needed = SPACE_TO_RUN if machine.built else SPACE_TO_BUILD
    if machine.free_gib < needed:
        raise Problem(
            f"{cache_dir()} has {machine.free_gib:.1f} GiB free and the demo needs {needed}: "
            "free some, or set XDG_CACHE_HOME to a larger disk."
        )


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
