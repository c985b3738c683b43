"""Starting the chosen cluster, giving it the product's images, and removing it again."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hack.cluster.paths import bin_dir, cache_dir
from hack.cluster.report import Problem, say
from hack.demo.choice import Kind
from hack.demo.install import uninstall
from hack.demo.place import ROOT, Place

NAME = "demo"
KIND_NAME = "heartops-demo"
KIND_CONFIG = ROOT / "hack" / "cluster" / "kind.yaml"
TOOL = (sys.executable, "-m", "hack.cluster")
BUILD_IMAGES = (sys.executable, "-m", "hack.images", "build", "--demo")


def start(kind: Kind) -> Place:
    """The cluster, running."""
    say(f"using {kind.value}")
    if kind is not Kind.OWN:
        _check_tools()
    if kind is Kind.OWN:
        _show(*TOOL, "up", "--no-monitoring", "--name", NAME)
    elif kind is Kind.KIND and not _kind_is_up():
        _show(
            "kind",
            "create",
            "cluster",
            "--name",
            KIND_NAME,
            "--config",
            KIND_CONFIG,
            "--wait",
            "120s",
            "--kubeconfig",
            _kind_kubeconfig(),
        )
    place = _place(kind)
    _check_answer(place)
    return place


@contextmanager
def building_images(kind: Kind) -> Iterator[None]:
    """Build the product's images while the block compiles Kubernetes, starts the cluster and loads them.

    Only for a cluster of our own. The build has ended when the block has; where the block fails, it is stopped.
    """
    if kind is not Kind.OWN or "HEARTOPS_IMAGES" in os.environ:
        yield
        return
    process = subprocess.Popen(BUILD_IMAGES, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield
        process.wait()
    finally:
        process.terminate()
        process.wait()


def load_images(place: Place) -> dict[str, str]:
    """References of the product's images by name, once they are built and the cluster has them.

    What a build in the background has failed to make is built again here, and reported.
    """
    if given := os.environ.get("HEARTOPS_IMAGES"):
        return _given(given)
    say("building the product's images (cached by content) and loading them into the cluster")
    output = _show(*BUILD_IMAGES, *_loading(place), keep=True)
    return json.loads(output.strip().splitlines()[-1])


def remove(kind: Kind) -> None:
    """Take away what `up` made: a cluster of ours as a whole, from the user's one our release and example."""
    if kind is Kind.OWN:
        _show(*TOOL, "down", "--name", NAME)
    elif kind is Kind.KIND:
        _show("kind", "delete", "cluster", "--name", KIND_NAME)
    else:
        place = _place(kind)
        _check_answer(place)
        uninstall(place)


def _loading(place: Place) -> list[str]:
    """How the images come into the cluster."""
    if place.kind is Kind.OWN:
        return ["--into", NAME]
    if place.kind is Kind.KIND:
        return ["--kind", KIND_NAME]
    if ours := _name_of_our_cluster(place.kubeconfig):
        return ["--into", ours]
    context = place.kubectl("config", "current-context").strip()
    if context.startswith("kind-"):
        return ["--kind", context.removeprefix("kind-")]
    raise Problem(
        "Images cannot be loaded into the cluster of KUBECONFIG from here: push them to a registry, and "
        "set HEARTOPS_IMAGES to a JSON object with operator, trainer, serving, mlflow and postgres."
    )


def _given(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    expected = {"operator", "trainer", "serving", "mlflow", "postgres"}
    if not isinstance(found, dict) or set(found) != expected:
        raise Problem(f"HEARTOPS_IMAGES must be a JSON object with exactly {', '.join(sorted(expected))}.")
    return found


def _place(kind: Kind) -> Place:
    if kind is Kind.OWN:
        kubeconfig = Path(_output(*TOOL, "kubeconfig", "--name", NAME))
    elif kind is Kind.KIND:
        kubeconfig = _kind_kubeconfig()
        _show("kind", "export", "kubeconfig", "--name", KIND_NAME, "--kubeconfig", kubeconfig)
    else:
        kubeconfig = Path(os.environ["KUBECONFIG"])
    return Place(kind, kubeconfig, _tool("kubectl"), _tool("helm"))


def _tool(name: str) -> str:
    """The cluster tool's own build, which fits its cluster; else what is installed."""
    built = bin_dir() / name
    found = str(built) if built.exists() else shutil.which(name)
    if not found:
        raise Problem(f"`{name}` was not found: install it, or build it with `make cluster-build`.")
    return found


def _check_tools() -> None:
    """Check before a cluster is created; a cluster of our own brings its tools."""
    for name in ("kubectl", "helm"):
        _tool(name)


def _check_answer(place: Place) -> None:
    try:
        place.kubectl("version", "--request-timeout=10s")
    except Problem as problem:
        raise Problem(f"The cluster of {place.kubeconfig} does not respond: {problem}") from None


def _name_of_our_cluster(kubeconfig: Path) -> str | None:
    """The cluster tool writes its state beside the kubeconfig."""
    state = kubeconfig.resolve().with_name("state.json")
    return json.loads(state.read_text()).get("name") if state.exists() else None


def _kind_is_up() -> bool:
    return KIND_NAME in _output("kind", "get", "clusters").split()


def _kind_kubeconfig() -> Path:
    folder = cache_dir() / "kind"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "kubeconfig"


def _output(*words: object) -> str:
    command = [str(word) for word in words]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Problem(f"`{' '.join(command)}` failed: see the lines above.")
    return done.stdout.strip()


def _show(*words: object, keep: bool = False) -> str:
    """Run with progress visible; returns stdout when it is kept."""
    command = [str(word) for word in words]
    out = subprocess.PIPE if keep else sys.stderr
    done = subprocess.run(command, cwd=ROOT, stdout=out, text=True, check=False)
    if done.returncode:
        shown = " ".join(Path(command[0]).name if n == 0 else word for n, word in enumerate(command))
        raise Problem(f"`{shown}` failed: see the lines above.")
    return done.stdout or ""
