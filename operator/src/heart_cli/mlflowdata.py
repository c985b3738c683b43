"""What the chart's MLflow keeps of a namespace: counted, and deleted for good, by a script in MLflow's own pod.

MLflow's API cannot delete for good, and knows no workspace of a namespace that is gone.
"""

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from heart_api.kube.kinds import DEPLOYMENT
from heart_cli.client import Client
from heart_cli.errors import Failure
from heart_cli.mlflowproxy import MLFLOW

SCRIPT = "/usr/local/share/heartops/delete_workspace.py"
DESTINATION, WORKSPACES = "--artifacts-destination=", "--enable-workspaces"
SHOWN = {
    "registered_models": "registered models",
    "model_versions": "versions",
    "experiments": "experiments",
    "runs": "runs",
}
Exec = Callable[[str, str, Sequence[str]], str]
"""Namespace, Deployment and command; returns what the command printed. Raises Failure."""


@dataclass(frozen=True, slots=True)
class MlflowData:
    """The Deployment of the chart's MLflow, and how to reach what it stores."""

    namespace: str
    deployment: str
    options: tuple[str, ...]
    execute: Exec

    def count(self, target: str) -> str:
        """What there is of the namespace, for people. Raises Failure."""
        return self._run(target, "--dry-run")

    def delete(self, target: str) -> str:
        """Delete it, with its files; what was deleted, for people. Raises Failure."""
        return self._run(target)

    def _run(self, target: str, *more: str) -> str:
        command = ("python3", SCRIPT, target, *self.options, *more)
        printed = self.execute(self.namespace, self.deployment, command)
        try:
            rows: dict[str, int] = json.loads(printed.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise Failure(f"MLflow's pod gave no count of what it keeps of {target}: {printed[-200:]!r}") from None
        return described(rows)


def described(rows: dict[str, int]) -> str:
    """`3 registered models, 5 versions, 2 experiments, 9 runs`."""
    parts = [f"{rows[table]} {name}" for table, name in SHOWN.items() if rows.get(table)]
    others = sum(count for table, count in rows.items() if table not in SHOWN)
    return ", ".join([*parts, *([f"{others} other entries"] if others else [])]) or "nothing"


def find_mlflow(system: Client, execute: Exec) -> MlflowData | None:
    """None: the release has no MLflow of its own."""
    found = system.list(DEPLOYMENT, labelSelector=MLFLOW)
    if not found:
        return None
    arguments = found[0]["spec"]["template"]["spec"]["containers"][0]["args"]
    destination = next(word for word in arguments if word.startswith(DESTINATION))
    options = (destination, *(["--workspaces"] if WORKSPACES in arguments else []))
    return MlflowData(system.namespace, found[0]["metadata"]["name"], options, execute)


def kubectl_exec(options: Sequence[str]) -> Exec:
    """By kubectl, with the options that name the cluster."""

    def execute(namespace: str, deployment: str, command: Sequence[str]) -> str:
        words = ("kubectl", *options, "exec", "-n", namespace, f"deployment/{deployment}", "--", *command)
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603  names of objects
        except OSError as error:
            raise Failure(f"kubectl could not be run: {error.strerror}") from None
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise Failure(f"deployment/{deployment} in namespace {namespace}: {reason}")
        return done.stdout

    return execute
