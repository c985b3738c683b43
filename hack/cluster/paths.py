"""Where things are: the cache of what is slow, and the folders of one cluster."""

import hashlib
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.report import Problem

HERE = Path(__file__).parent
REPO = HERE.parent.parent
DEFAULT_NAME = "demo"
NAME = re.compile(r"[a-z][a-z0-9]{0,8}")


def cache_dir() -> Path:
    """The project's cache; every key in it names the pins and sources it was made from."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "heartops"


def versions() -> dict:
    """The pins of versions.toml."""
    return tomllib.loads((HERE / "versions.toml").read_text())


def digest(*parts: bytes) -> str:
    """Twelve hex digits that change with any of the parts."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:12]


def source_files(folder: Path) -> list[Path]:
    """All files below a folder, in a fixed order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def build_key() -> str:
    """The key of what is compiled: it changes with the pins and the Go sources."""
    files = source_files(HERE / "go")
    sources = (str(f.relative_to(HERE)).encode() + b"\0" + f.read_bytes() for f in files)
    return digest(repr(versions()["go"]).encode(), *sources)


def build_dir() -> Path:
    """What is compiled: bin/ and crds/."""
    return cache_dir() / "cluster" / build_key()


def gateway_dir() -> Path:
    """The gateway controller (bin/traefik): apart, as it is built only when a test asks for it."""
    sources = (f.read_bytes() for f in source_files(HERE / "gateway"))
    return cache_dir() / "gateway" / digest(repr(versions()["gateway"]).encode(), *sources)


def alertmanager_dir() -> Path:
    """bin/alertmanager and bin/amtool: apart, as one test asks for them."""
    sources = (f.read_bytes() for f in source_files(HERE / "alertmanager"))
    return cache_dir() / "alertmanager" / digest(repr(versions()["alertmanager"]).encode(), *sources)


def policies_dir() -> Path:
    """The enforcement of NetworkPolicies, a binary and its image: apart like the gateway."""
    sources = (f.read_bytes() for f in source_files(HERE / "netpol"))
    return cache_dir() / "network-policies" / digest(repr(versions()["netpol"]).encode(), *sources, *_wrapping_code())


def queueing_dir() -> Path:
    """bin/, crds/ and webhooks/ of Kueue, JobSet and Kubeflow Trainer: apart, as one test asks for them."""
    sources = (f.read_bytes() for f in source_files(HERE / "queueing"))
    return cache_dir() / "queueing" / digest(repr(versions()["queueing"]).encode(), *sources)


def object_store_dir() -> Path:
    """bin/versitygw, a server of buckets: apart, as one test asks for it."""
    sources = (f.read_bytes() for f in source_files(HERE / "objectstore"))
    return cache_dir() / "object-store" / digest(repr(versions()["objectstore"]).encode(), *sources)


def extras_dir() -> Path:
    """bin/ with prometheus-adapter and the checks that tests run: apart, as few tests ask for them."""
    files = [*source_files(HERE / "extras"), HERE / "adaptersource.py"]
    sources = (file.read_bytes() for file in files)
    return cache_dir() / "extras" / digest(repr(versions()["extras"]).encode(), *sources)


def images_dir() -> Path:
    """The cluster's own images: they also change with the code that wraps the binaries."""
    return cache_dir() / "cluster-images" / digest(build_key().encode(), *_wrapping_code())


def base_dir() -> Path:
    """The base images: they change with Debian's pins and that code, not with Kubernetes."""
    pins = versions()
    made_of = (pins["debian"]["image_suite"], pins["debian"]["image_tools"], pins["images"])
    return cache_dir() / "base-images" / digest(repr(made_of).encode(), *_wrapping_code())


def _wrapping_code() -> list[bytes]:
    return [(HERE / name).read_bytes() for name in ("ownimages.py", "archive.py")]


def bin_dir() -> Path:
    """kubectl, helm, promtool, etcd and the Kubernetes binaries."""
    return build_dir() / "bin"


@dataclass(frozen=True)
class Cluster:
    """One cluster: its name and its folders.

    `state` holds what a user reads (state.json, kubeconfig, keys, logs, audit log, sockets), `data`
    what the processes store. `down` removes both.
    """

    name: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise Problem(f"Cluster name {self.name!r} must be 1-9 lower-case letters or digits, a letter first.")

    @property
    def state(self) -> Path:
        return _state_base() / self.name

    @property
    def data(self) -> Path:
        base = Path("/var/lib/heartops") if os.geteuid() == 0 else cache_dir() / "data"
        return base / self.name

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def state_file(self) -> Path:
        return self.state / "state.json"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        return self.state / "containerd.sock"

    @property
    def netns(self) -> Path:
        return self.state / "netns"

    @property
    def node_name(self) -> str:
        return f"heartops-{self.name}"

    @property
    def cgroup(self) -> str:
        return f"heartops-{self.name}"


def _state_base() -> Path:
    if os.geteuid() == 0:
        return Path("/run/heartops")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "heartops" if runtime else cache_dir() / "run"
