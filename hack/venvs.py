"""Virtual environments beside the project's own, made by uv when first needed, and kept in the user's cache."""

import os
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from hack.cluster.lock import locked

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "heartops" / "venvs"
UV = Path(sys.executable).with_name("uv")


class NotInstalled(Exception):
    """Packages that cannot be had here; the message is for people."""


@dataclass(frozen=True)
class Environment:
    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def tool(self, name: str) -> str:
        return str(self.folder / "bin" / name)

    def size(self) -> float:
        """MB of everything that was installed."""
        files = (path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink())
        return sum(path.stat().st_size for path in files) / 1e6


def make(name: str, packages: list[str], key: str = "", *, compiled: bool = False) -> Environment:
    """An environment with these packages (arguments of `uv pip install`). Made anew when they or `key` have changed.

    `compiled`: byte code is written at once rather than at the first import. Raises NotInstalled.
    """
    with locked(f"venv-{name}"):  # workers of one test run want it at the same time
        return _make(name, packages, key, compiled)


def _make(name: str, packages: list[str], key: str, compiled: bool) -> Environment:
    folder = CACHE / name
    mark = folder / "made-of"
    digest = sha256("\0".join([*packages, key, sys.version]).encode()).hexdigest()
    if not mark.exists() or mark.read_text() != digest:
        print(f"==> installing {name} into {folder}", flush=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        run([str(UV), "venv", "-q", "--clear", "--python", sys.executable, str(folder)])
        options = ["--compile-bytecode"] if compiled else []
        run([str(UV), "pip", "install", "-q", *options, "--python", str(folder), *packages])
        mark.write_text(digest)
    return Environment(folder)


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise NotInstalled(lines[-1][:200])
