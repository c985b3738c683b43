"""The launcher for another image: a copy of this image's own interpreter with the few modules that `launch.py` needs.

The program's image may hold no Python at all, or one that cannot be trusted to start the launcher first.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from heart_api.owntrainer import LIBRARIES, LOADER, NOTHING, PROGRAM, SCRIPT
from heart_trainer.own import launch

SHORT_NAME = re.compile(r"(.+\.so\.[0-9]+)\.[0-9.]+")
"""`libffi.so.8.1.2` is asked for as `libffi.so.8`."""
FOLDER = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"


def own_command() -> list[str]:
    """What starts the launcher with this process' own interpreter."""
    return [sys.executable, "-I", "-S", "-B", str(Path(launch.__file__))]


def copy_launcher(folder: Path) -> None:
    """Everything that `owntrainer.launcher_command` names."""
    done = subprocess.run([*own_command(), "--files-in-use"], capture_output=True, check=True)  # noqa: S603
    found = json.loads(done.stdout)
    _copy(Path(found["program"]), folder / PROGRAM)
    for library in map(Path, found["libraries"]):
        for name in _names(library):
            _copy(library, folder / name)
    standard = Path(found["standard"])
    for module in map(Path, found["modules"]):
        if module.is_relative_to(standard):
            _copy(module, folder / FOLDER / module.relative_to(standard))
    (folder / FOLDER / "lib-dynload").mkdir(exist_ok=True)  # by which an interpreter finds its folder
    _copy(Path(launch.__file__), folder / SCRIPT)
    (folder / NOTHING).touch()


def _names(library: Path) -> list[str]:
    if library.name.startswith("ld-"):
        return [LOADER]
    short = SHORT_NAME.fullmatch(library.name)
    return [f"{LIBRARIES}/{name}" for name in (library.name, *(short.groups() if short else ()))]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
