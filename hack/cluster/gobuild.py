"""Building Kubernetes and its add-ons from Go modules, offline from any image or release registry."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from hack.cluster.paths import HERE, cache_dir, versions
from hack.cluster.report import Problem, say
from hack.cluster.shell import require, run

KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl")
OPERATOR = "github.com/prometheus-operator/prometheus-operator"
PROMETHEUS = "github.com/prometheus/prometheus"
TRAEFIK = "github.com/traefik/traefik/v3"
DNS_CLIENTS = "github.com/go-acme/lego/v4/providers/dns"
GROUPS = (
    (
        "kubernetes and etcd",
        "cluster",
        [f"k8s.io/kubernetes/cmd/{name}" for name in KUBERNETES] + ["go.etcd.io/etcd/server/v3"],
    ),
    (
        "helm, coredns, prometheus-operator",
        "cluster",
        [
            "helm.sh/helm/v3/cmd/helm",
            "./coredns",
            "./pause",
            f"{OPERATOR}/cmd/operator",
            f"{OPERATOR}/cmd/prometheus-config-reloader",
        ],
    ),
    ("metrics-server", "metrics-server", ["sigs.k8s.io/metrics-server/cmd/metrics-server"]),
)
RENAMED = {"server": "etcd", "operator": "prometheus-operator"}
CRDS = (
    ("cluster", OPERATOR, "example/prometheus-operator-crd"),
    ("gateway-api", "sigs.k8s.io/gateway-api", "config/crd/standard"),
)


def build_binaries(target: Path) -> None:
    """Compile every group into target/bin, and take the custom resource definitions into target/crds."""
    require("go", "install a Go toolchain (version 1.26 or later)")
    check_pins("go")
    binaries = target / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    for title, module, packages in GROUPS:
        _compile(title, HERE / "go" / module, packages, binaries, _linker_flags())
    for old, new in RENAMED.items():
        (binaries / old).rename(binaries / new)
    for module, path, folder in CRDS:
        _copy_crds(module, path, folder, target / "crds" / path.rsplit("/", 1)[-1])


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


def drop_caches() -> None:
    """Delete Go's module and build caches: the binaries are what is kept."""
    if _go_cache().exists():
        say("deleting Go's caches …")
        run("chmod", "-R", "u+w", _go_cache())
        shutil.rmtree(_go_cache())


def _go_cache() -> Path:
    return cache_dir() / "go-build"


def _environment() -> dict[str, str]:
    """The caller's Go settings (GOPROXY, GOFLAGS …) with our own caches and static binaries."""
    cache = _go_cache()
    cache.mkdir(parents=True, exist_ok=True)
    return {**os.environ, "CGO_ENABLED": "0", "GOMODCACHE": str(cache / "mod"), "GOCACHE": str(cache / "build")}


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


def _compile(title: str, folder: Path, packages: list[str], binaries: Path, flags: str) -> None:
    start = time.monotonic()
    say(f"compiling {title} …")
    command = ["go", "build", "-v", "-trimpath", "-ldflags", flags, "-o", f"{binaries}/", *packages]
    errors, count, last = [], 0, start
    with subprocess.Popen(command, cwd=folder, env=_environment(), stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            errors.append(line)
            count += " " not in line.strip()
            if time.monotonic() - last > 20:
                last = time.monotonic()
                say(f"compiling {title}: {count} packages so far")
    if process.returncode:
        raise Problem(f"go build of {title} failed: {' '.join(''.join(errors[-12:]).split())}")
    say(f"compiled {title} in {time.monotonic() - start:.0f} s")


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
