"""Virtual environments: ours from the serving image's lock, each peer's from peers.toml, all made by uv and kept."""

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "heartops" / "bench"
UV = Path(sys.executable).with_name("uv")
PEERS: dict[str, dict[str, str | list[str]]] = tomllib.loads((Path(__file__).parent / "peers.toml").read_text())


class NotInstalled(Exception):
    """A peer that cannot be had here; the message is for the page."""


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


def ours() -> Environment:
    """What the serving image holds."""
    lock = ROOT / "requirements" / "serving.txt"
    return make("heartops", ["--require-hashes", "-r", str(lock)], lock.read_text())


def peer(name: str) -> Environment:
    """Raises NotInstalled."""
    packages = PEERS[name]["packages"]
    assert isinstance(packages, list)
    return make(name, packages, " ".join(packages))


def make(name: str, packages: list[str], key: str) -> Environment:
    folder = CACHE / name
    mark = folder / "made-of"
    digest = sha256((key + sys.version).encode()).hexdigest()
    if not mark.exists() or mark.read_text() != digest:
        print(f"==> installing {name} into {folder}", flush=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        run([str(UV), "venv", "-q", "--clear", "--python", sys.executable, str(folder)])
        run([str(UV), "pip", "install", "-q", "--compile-bytecode", "--python", str(folder), *packages])
        mark.write_text(digest)
    return Environment(folder)


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise NotInstalled(lines[-1][:200])
