"""Debian's packages: installed when missing, their services never started."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hack.cluster.lock import locked
from hack.cluster.report import Problem, say
from hack.cluster.shell import run, succeeds

POLICY = Path("/usr/sbin/policy-rc.d")


def missing(names: list[str]) -> list[str]:
    """Those of the packages that are not installed."""

    def installed(name: str) -> bool:
        return succeeds("sh", "-c", f"dpkg-query -W -f '${{Status}}' {name} | grep -q 'ok installed'")

    return [name for name in names if not installed(name)]


def ensure(names: list[str]) -> None:
    """Install the missing packages, or say in one sentence why that cannot be done."""
    if not shutil.which("dpkg-query"):
        raise Problem(
            "This is not a Debian system: install the equivalents of versions.toml's [debian] "
            "packages, or run the e2e suite on kind (hack/cluster/kind.yaml)."
        )
    absent = missing(names)
    if not absent:
        return
    if os.geteuid() != 0:
        raise Problem(f"Debian packages are missing: run `apt-get install {' '.join(absent)}` as root.")
    with locked("packages"), _no_services():
        say(f"installing Debian packages: {' '.join(absent)}")
        refresh_lists(absent)
        run("apt-get", "install", "-y", "-q", "--no-install-recommends", *absent, env=_environment())


def refresh_lists(names: list[str]) -> None:
    """`apt-get update`, when apt does not know the packages or its lists are old."""
    known = all("Candidate: (none)" not in (text := run("apt-cache", "policy", name)) and text for name in names)
    if not known or not succeeds("apt-get", "install", "-s", "-q", *names):
        run("apt-get", "update", "-q", env=_environment())


def sources(suite: str) -> list[str]:
    """apt lines for a suite of Debian's main archive and its security updates, from the machine's own mirror."""
    lines = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)")
    known = {tuple(line.split()) for line in lines.splitlines()}
    archives = {(uri, codename) for uri, codename, component in known if component == "main"}
    mine = {(uri, name) for uri, name in archives if name in (suite, f"{suite}-security")}
    # Every suite of Debian lies in the same archive.
    other = {
        (uri, _like(codename, suite)) for uri, codename in archives if re.fullmatch(r"[a-z]+(-security)?", codename)
    }
    found = [f"deb {uri} {name} main" for uri, name in mine or other]
    if not found:
        raise Problem(f"apt knows no archive of Debian {suite}: add one to /etc/apt/sources.list and try again.")
    return sorted(found)


def _like(codename: str, suite: str) -> str:
    return f"{suite}-security" if codename.endswith("-security") else suite


def _environment() -> dict[str, str]:
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}


@contextmanager
def _no_services() -> Iterator[None]:
    """Forbid package scripts to start services; a policy that is there already is left alone."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
