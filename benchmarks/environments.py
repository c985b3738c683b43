"""Virtual environments of the servers that are measured: ours from the serving image's lock, peers' from peers.toml."""

import tomllib
from pathlib import Path

from hack.venvs import Environment, NotInstalled, make

__all__ = ["PEERS", "ROOT", "Environment", "NotInstalled", "ours", "peer"]

ROOT = Path(__file__).parents[1]
PEERS: dict[str, dict[str, str | list[str]]] = tomllib.loads((Path(__file__).parent / "peers.toml").read_text())


def ours() -> Environment:
    """What the serving image holds."""
    lock = ROOT / "requirements" / "serving.txt"
    return make("bench-heartops", ["--require-hashes", "-r", str(lock)], lock.read_text(), compiled=True)


def peer(name: str) -> Environment:
    """Raises NotInstalled."""
    packages = PEERS[name]["packages"]
    assert isinstance(packages, list)
    return make(f"bench-{name}", packages, compiled=True)
