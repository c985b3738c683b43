"""Building Kubernetes and its add-ons from Go modules, offline from any image or release registry."""

import json
import os
import re
import resource
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import adaptersource
from hack.cluster.paths import HERE, cache_dir, versions
from hack.cluster.report import Problem, say
from hack.cluster.shell import require, run

DAEMONS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet")
OPERATOR = "github.com/prometheus-operator/prometheus-operator"
PROMETHEUS = "github.com/prometheus/prometheus"
TRAEFIK = "github.com/traefik/traefik/v3"
ALERTMANAGER = "github.com/prometheus/alertmanager"
DNS_CLIENTS = "github.com/go-acme/lego/v4/providers/dns"
ADAPTER = "sigs.k8s.io/prometheus-adapter"


@dataclass(frozen=True)
class Product:
    """A controller that is compiled from its module, whose CRDs and webhooks it takes along."""

    module: str
    command: str
    """Package of the program, below the module."""
    crds: str
    webhooks: str
    pins: str = "queueing"
    """Folder of our go.mod that pins it."""


COMPONENTS = "config/components"
QUEUEING = {
    "kueue": Product("sigs.k8s.io/kueue", "/cmd/kueue", f"{COMPONENTS}/crd/bases", f"{COMPONENTS}/webhook"),
    "trainer": Product(
        "github.com/kubeflow/trainer/v2",
        "/cmd/trainer-controller-manager",
        "manifests/base/crds",
        "manifests/base/webhook",
    ),
    # Of another release of controller-runtime than the other two.
    "jobset": Product(
        "sigs.k8s.io/jobset", "", f"{COMPONENTS}/crd/bases", f"{COMPONENTS}/webhook", pins="queueing/jobset"
    ),
}
DROPPED = "go-build.dropped."
"""What caches are renamed to before they are deleted, so that a build may start anew meanwhile."""


@dataclass(frozen=True)
class Group:
    """Commands that one `go build` makes, so that what they share is compiled once."""

    title: str
    module: str
    """Folder of its go.mod, below go/."""
    packages: tuple[str, ...]
    compiled: int
    """Packages that an empty cache has to compile for it, after the groups before it."""
    seconds: float
    """Time that this takes on two cores that also build the images."""


KUBERNETES = Group(
    "kubernetes and etcd",
    "cluster",
    (*(f"k8s.io/kubernetes/cmd/{name}" for name in (*DAEMONS, "kubectl")), "go.etcd.io/etcd/server/v3"),
    compiled=2750,
    seconds=480,
)
NODE = Group("helm and coredns", "cluster", ("helm.sh/helm/v3/cmd/helm", "./coredns", "./pause"), 450, 60)
MONITORING = (
    Group(
        "prometheus-operator",
        "cluster",
        (f"{OPERATOR}/cmd/operator", f"{OPERATOR}/cmd/prometheus-config-reloader"),
        compiled=200,
        seconds=40,
    ),
    Group("metrics-server", "metrics-server", ("sigs.k8s.io/metrics-server/cmd/metrics-server",), 1100, 110),
)
RENAMED = {"server": "etcd", "operator": "prometheus-operator"}
CRDS = (
    ("cluster", OPERATOR, "example/prometheus-operator-crd"),
    ("gateway-api", "sigs.k8s.io/gateway-api", "config/crd/standard"),
)


def build_kubernetes(target: Path) -> None:
    """Compile the control plane, the node's daemons, kubectl and etcd into target/bin."""
    _build(KUBERNETES, target)


def build_node(target: Path) -> None:
    """Compile what a cluster with a node needs besides: DNS, the pause container, and Helm to install into it."""
    _build(NODE, target)


def build_monitoring(target: Path) -> None:
    """Compile what only end-to-end tests use: the Prometheus Operator and metrics-server."""
    for group in MONITORING:
        _build(group, target)


def build_crds(target: Path) -> None:
    """Copy the CRDs of the Prometheus Operator and the Gateway API into target/crds."""
    for module, path, folder in CRDS:
        _copy_crds(module, path, folder, target / "crds" / path.rsplit("/", 1)[-1])


def _build(group: Group, target: Path) -> None:
    require("go", "install a Go toolchain (version 1.26 or later)")
    check_pins("go")
    binaries = target / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    _compile(group.title, HERE / "go" / group.module, group.packages, binaries, _linker_flags(), group)
    for old, new in RENAMED.items():
        if (binaries / old).exists():
            (binaries / old).rename(binaries / new)


def check_pins(part: str) -> None:
    """Fail when a go.mod of this folder names another version than the same part of versions.toml."""
    text = "\n".join(path.read_text() for path in sorted((HERE / part).rglob("go.mod")))
    for module, version in versions()[part].items():
        if not re.search(rf"^(require|\t)\s*{re.escape(module)} {re.escape(version)}\b", text, re.M):
            raise Problem(
                f"versions.toml pins {module} at {version}, but no go.mod requires it: "
                f"run `go get {module}@{version}` and `go mod tidy` in its folder of hack/cluster/{part}."
            )


def build_prometheus(target: Path) -> None:
    """Compile prometheus and promtool with Kubernetes' service discovery as the only extra plugin.

    Upstream lets builders choose plugins by editing this file; all thirty would take as long as Kubernetes.
    They are built in a copy of their own module, whose go.sum fixes what goes in.
    """
    source = _copy_module("prometheus", _module_folder("go/cluster", PROMETHEUS, versions()["go"][PROMETHEUS]))
    (source / "plugins" / "plugins.go").write_text(f'package plugins\n\nimport _ "{PROMETHEUS}/discovery/kubernetes"\n')
    version = (source / "VERSION").read_text().strip()
    flags = f"-s -w -X github.com/prometheus/common/version.Version={version}"
    _compile("prometheus", source, ["./cmd/prometheus", "./cmd/promtool"], target / "bin", flags)


def build_gateway(target: Path) -> None:
    """Compile traefik without the clients of every DNS provider, which only certificates would need.

    As with prometheus it is built in a copy of its own module, whose go.sum fixes what goes in.
    """
    require("go", "install a Go toolchain (version 1.26 or later)")
    check_pins("gateway")
    source = _copy_module("traefik", _module_folder("gateway", TRAEFIK, versions()["gateway"][TRAEFIK]))
    shutil.copytree(HERE / "gateway" / "nodns", source / "pkg" / "nodns", dirs_exist_ok=True)
    user = source / "pkg" / "provider" / "acme" / "provider.go"
    user.write_text(user.read_text().replace(f'"{DNS_CLIENTS}"', f'"{TRAEFIK}/pkg/nodns"'))
    (target / "bin").mkdir(parents=True, exist_ok=True)
    _compile("traefik", source, ["./cmd/traefik"], target / "bin", "-s -w")


def build_alertmanager(target: Path) -> None:
    """Compile alertmanager and amtool in a copy of their module, with empty pages: npm makes those of releases."""
    require("go", "install a Go toolchain (version 1.26 or later)")
    check_pins("alertmanager")
    source = _copy_module(
        "alertmanager", _module_folder("alertmanager", ALERTMANAGER, versions()["alertmanager"][ALERTMANAGER])
    )
    pages = source / "ui" / "app" / "dist"
    pages.mkdir(parents=True, exist_ok=True)
    (pages / "index.html").touch()
    (target / "bin").mkdir(parents=True, exist_ok=True)
    _compile("alertmanager", source, ["./cmd/alertmanager", "./cmd/amtool"], target / "bin", "-s -w")


def build_policies(target: Path) -> None:
    """Compile kube-network-policies from its own module's pins (two minutes of processor time)."""
    _build_pinned("kube-network-policies", "netpol", "sigs.k8s.io/kube-network-policies/cmd", target)


def build_object_store(target: Path) -> None:
    """Compile versitygw, which keeps the objects of buckets as files of a folder."""
    _build_pinned("versitygw", "objectstore", "github.com/versity/versitygw/cmd/versitygw", target)


def _build_pinned(name: str, folder: str, package: str, target: Path) -> None:
    """Compile a program of another module, whose versions the go.mod in our `folder` pins."""
    require("go", "install a Go toolchain (version 1.26 or later)")
    check_pins(folder)
    (target / "bin").mkdir(parents=True, exist_ok=True)
    _compile(name, HERE / folder, [package], target / "bin", "-s -w")


def build_queueing(target: Path) -> None:
    """Compile Kueue, Kubeflow Trainer and JobSet.

    Beside the binaries: their CRDs and the configurations of their webhooks, by product.
    """
    require("go", "install a Go toolchain (version 1.26 or later)")
    check_pins("queueing")
    (target / "bin").mkdir(parents=True, exist_ok=True)
    for pins in dict.fromkeys(product.pins for product in QUEUEING.values()):
        packages = [f"{each.module}{each.command}" for each in QUEUEING.values() if each.pins == pins]
        _compile(f"what is pinned in {pins}", HERE / pins, packages, target / "bin", "-s -w")
    for name, product in QUEUEING.items():
        _copy_manifests(name, product, target)


def _copy_manifests(name: str, product: Product, target: Path) -> None:
    source = _module_folder(product.pins, product.module, versions()["queueing"][product.module])
    crds = [path for path in (source / product.crds).glob("*.yaml") if path.name != "kustomization.yaml"]
    for part, files in (("crds", crds), ("webhooks", [source / product.webhooks / "manifests.yaml"])):
        (target / part / name).mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, target / part / name / file.name)


def build_extras(target: Path) -> None:
    """Compile prometheus-adapter, `dashboards` (a strict decoder), `bundle` (the checks of operator-sdk), `kstatus` (by
    which Flux waits) and `compose` (docker compose's loader).

    With the libraries of metrics-server, so that most of them are compiled once.
    """
    require("go", "install a Go toolchain (version 1.26 or later)")
    check_pins("extras")
    source = _go_cache() / "extras"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(HERE / "extras", source)
    adapter = _copy_module("adapter", _module_folder("extras", ADAPTER, versions()["extras"][ADAPTER]))
    run("go", "mod", "edit", f"-replace={ADAPTER}={adapter}", cwd=source, env=_environment())
    adaptersource.adapt(adapter, source / "adapter")
    (target / "bin").mkdir(parents=True, exist_ok=True)
    packages = ["./adapter", "./dashboards", "./bundle", "./kstatus", "./compose"]
    _compile("prometheus-adapter", source, packages, target / "bin", "-s -w")
    (target / "bin" / "adapter").rename(target / "bin" / "prometheus-adapter")


def drop_caches() -> None:
    """Delete Go's module and build caches, without waiting for it: the binaries are what is kept."""
    if _go_cache().exists():
        say("deleting Go's caches in the background")
        _go_cache().rename(_go_cache().with_name(f"{DROPPED}{os.getpid()}"))
    for dropped in cache_dir().glob(f"{DROPPED}*"):
        delete = ["sh", "-c", 'chmod -R u+w "$1"; rm -rf "$1"', "sh", str(dropped)]
        subprocess.Popen(delete, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _go_cache() -> Path:
    return cache_dir() / "go-build"


def _environment() -> dict[str, str]:
    """The caller's Go settings (GOPROXY, GOFLAGS …) with our own caches and static binaries."""
    cache = _go_cache()
    cache.mkdir(parents=True, exist_ok=True)
    quick = {"GOGC": "400"}  # the compiler collects its garbage less often: a seventh of the processor time
    return {
        **quick,
        **os.environ,
        "CGO_ENABLED": "0",
        "GOMODCACHE": str(cache / "mod"),
        "GOCACHE": str(cache / "build"),
    }


def _linker_flags() -> str:
    version = versions()["go"]["k8s.io/kubernetes"]
    major, minor = version.lstrip("v").split(".")[:2]
    facts = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    return " ".join(["-s -w", *(f"-X k8s.io/component-base/version.{key}={value}" for key, value in facts.items())])


def _compile(
    title: str, folder: Path, packages: Sequence[str], binaries: Path, flags: str, expected: Group | None = None
) -> None:
    """Run `go build`, with a line of progress every 20 s.

    Debug information is not made, as the linker drops it (-w); that saves an eighth of the processor time.
    """
    start, before = time.monotonic(), _child_seconds()
    say(f"compiling {title} …")
    quick = ("-trimpath", "-gcflags=all=-dwarf=false", "-ldflags", flags)
    command = ["go", "build", "-v", *quick, "-o", f"{binaries}/", *packages]
    errors, count, last = [], 0, start
    with subprocess.Popen(command, cwd=folder, env=_environment(), stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            errors.append(line)
            count += " " not in line.strip()
            if time.monotonic() - last > 20:
                last = time.monotonic()
                say(f"compiling {title}: {progress(count, last - start, expected)}")
    if process.returncode:
        raise Problem(f"go build of {title} failed: {' '.join(''.join(errors[-12:]).split())}")
    took, processor = time.monotonic() - start, _child_seconds() - before
    say(f"compiled {title} in {took:.0f} s ({count} packages, {processor:.0f} s of processor time)")


def progress(count: int, elapsed: float, expected: Group | None) -> str:
    """`1200 of 2750 packages, about 6 min left`, by the speed so far; at first by that of two idle cores."""
    if expected is None:
        return f"{count} packages"
    done = min(count / expected.compiled, 0.97)  # linking comes last
    total = elapsed / done if done > 0.05 else max(expected.seconds, elapsed)
    return f"{min(count, expected.compiled)} of {expected.compiled} packages, {about((1 - done) * total)} left"


def about(seconds: float) -> str:
    """`about 6 min`, `less than a minute`."""
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes else "less than a minute"


def _child_seconds() -> float:
    """Processor time of the processes that have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _copy_crds(module: str, path: str, folder: str, target: Path) -> None:
    """Copy a Go module's published CRDs; they belong to the pinned version, so the repo holds no copy."""
    target.mkdir(parents=True, exist_ok=True)
    for source in sorted((_module_folder(f"go/{module}", path, versions()["go"][path]) / folder).glob("*.yaml")):
        shutil.copyfile(source, target / source.name)


def _module_folder(ours: str, path: str, version: str) -> Path:
    """Where Go keeps a dependency; the go.sum of our module in the folder `ours` says which bytes it has."""
    command = ("go", "mod", "download", "-json", f"{path}@{version}")
    return Path(json.loads(run(*command, cwd=HERE / ours, env=_environment()))["Dir"])


def _copy_module(name: str, folder: Path) -> Path:
    """A copy of a module that may be edited."""
    source = _go_cache() / name
    if not source.exists():
        run("cp", "-r", "--no-preserve=mode", folder, source)
    return source
