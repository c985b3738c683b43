"""Run the test stages in order and say what each took against its budget.

`python3 -m hack.stages lint unit tools api images e2e`; standard library only.
Budgets are minutes on two cores; a stage that builds has a larger one while the cache is empty.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
CLUSTER = (sys.executable, "-m", "hack.cluster")
NAME = "test"

Command = tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """A stage, and how long it may take (minutes) with a warm and with an empty cache."""

    run: Callable[[], bool]
    warm: float
    cold: float


def tool(name: str) -> str:
    return str(BIN / name)


def succeeds(*commands: Command, env: dict[str, str] | None = None) -> bool:
    """Run commands until one fails; their output is the user's to read."""
    for command in commands:
        print(f"  $ {' '.join(Path(command[0]).name if i == 0 else c for i, c in enumerate(command))}", flush=True)
        if subprocess.run(command, cwd=ROOT, env={**os.environ, **(env or {})}, check=False).returncode != 0:
            return False
    return True


def lint() -> bool:
    return succeeds(
        (tool("ruff"), "check", "."),
        (tool("ruff"), "format", "--check", "."),
        (tool("lint-imports"),),
        (tool("mypy"),),
        (tool("python"), "-m", "heart_operator.crdgen", "--check"),
        (tool("python"), "-m", "hack.dashboards", "--check"),
        (tool("python"), "-m", "hack.olm", "--check"),
        (tool("zizmor"), "--offline", "--no-progress", "--quiet", ".github"),
    )


def pytest(*arguments: str, env: dict[str, str] | None = None) -> bool:
    return succeeds((tool("python"), "-m", "pytest", *arguments), env=env)


def unit() -> bool:
    """One worker more than cores, as some tests wait; one thread in each, or they wait for each other."""
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return pytest("tests/unit", "-n", "3", "--dist", "worksteal", "-q", env=one_thread)


def tools() -> bool:
    return succeeds((*CLUSTER, "build"))


def api_tools() -> bool:
    return succeeds((*CLUSTER, "build", "--api"))


def with_tools() -> dict[str, str]:
    """The cluster's own binaries (kubectl, helm, promtool) first on the PATH."""
    folder = subprocess.run((*CLUSTER, "tools"), cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def api() -> bool:
    """Each worker has an API server of its own; most of the time is spent waiting for an operator."""
    beside = ("-n", "4", "--dist", "loadfile", "--no-loadscope-reorder")
    return pytest("tests/api", *beside, "-q", env=with_tools())


def images() -> bool:
    return succeeds((sys.executable, "-m", "hack.images", "build")) and pytest("tests/images", "-q")


def e2e() -> bool:
    """On the cluster of KUBECONFIG when the user names one, else on a node of its own, removed afterwards.

    Its add-ons start while the product is installed; who needs them waits for them.
    """
    if os.environ.get("KUBECONFIG"):
        return on_the_node({})
    try:
        return succeeds((*CLUSTER, "up", "--name", NAME, "--no-wait")) and on_the_node(
            {**with_tools(), "KUBECONFIG": kubeconfig(), "HEARTOPS_CLUSTER": NAME}
        )
    finally:
        succeeds((*CLUSTER, "down", "--name", NAME))


def on_the_node(env: dict[str, str]) -> bool:
    """File beside file, as most of the time is spent waiting; what would disturb the others waits for them."""
    beside = ("-n", "4", "--dist", "loadfile", "--no-loadscope-reorder")
    return pytest("tests/e2e", "tests/tools", *beside, "-q", env=env)


def kubeconfig() -> str:
    command = (*CLUSTER, "kubeconfig", "--name", NAME)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


STAGES = {
    "lint": Stage(lint, warm=0.5, cold=1),
    "unit": Stage(unit, warm=9, cold=11),
    "api-tools": Stage(api_tools, warm=0.2, cold=14),
    "tools": Stage(tools, warm=0.2, cold=18),
    "api": Stage(api, warm=10, cold=10),
    "images": Stage(images, warm=0.7, cold=11),
    "e2e": Stage(e2e, warm=14, cold=14),
}


DEFAULT = ("lint", "unit", "tools", "api", "images", "e2e")


def main(names: list[str]) -> int:
    """Run the named stages; stop at the first that fails."""
    took: dict[str, float] = {}
    failed = ""
    for name in names:
        print(f"\n=== {name} ===", flush=True)
        start = time.monotonic()
        passed = STAGES[name].run()
        took[name] = (time.monotonic() - start) / 60
        if not passed:
            failed = name
            break
    print("\nstage     minutes   budget warm/cold")
    for name, minutes in took.items():
        stage = STAGES[name]
        note = "FAILED" if name == failed else "over its budget" if minutes > stage.cold else ""
        print(f"{name:9} {minutes:7.1f}   {stage.warm:g} / {stage.cold:g}  {note}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(DEFAULT)))
