"""The cluster in use: its kubeconfig, and kubectl, helm and `kubectl heart` running against it."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hack.cluster.report import Problem
from hack.demo.choice import Kind

ROOT = Path(__file__).resolve().parents[2]
SYSTEM, RELEASE = "heartops-system", "heartops"
NAMESPACE, MODEL = "clinic", "heart-disease"
WHERE = f"{MODEL} -n {NAMESPACE}"
"""The model, as arguments of `kubectl heart`."""
EXAMPLE = ROOT / "examples" / MODEL
CHART = ROOT / "charts" / "heartops"
LONGEST = 10 * 60
"""Seconds that one command may take."""
PLUGIN = ROOT / ".venv" / "bin" / "kubectl-heart"


@dataclass(frozen=True)
class Place:
    """Where the demo happens."""

    kind: Kind
    kubeconfig: Path
    kubectl_path: str
    helm_path: str
    plugin: Path = PLUGIN

    def kubectl(self, *words: object, stdin: str | None = None) -> str:
        """Stdout of kubectl; Problem with the end of its output when it fails."""
        return self._run(self.kubectl_path, *words, stdin=stdin)

    def helm(self, *words: object) -> str:
        return self._run(self.helm_path, *words)

    def heart(self, *words: object) -> str:
        """`kubectl heart`; Problem with the end of its output when it fails."""
        return self._run(self.plugin, *words)

    def get(self, *words: object) -> dict[str, Any]:
        """An object, or a list of them, as JSON; empty when there is none of that name (or not even of that kind)."""
        done = self._start(self.kubectl_path, "get", *words, "-o", "json", "--ignore-not-found")
        if done.returncode and "the server doesn't have a resource type" not in done.stderr:
            raise Problem(_failure(["kubectl", "get", *map(str, words)], done))
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def open(self, *words: object) -> subprocess.Popen[str]:
        """kubectl in the background; its output comes line by line."""
        return self._open(self.kubectl_path, *words)

    def open_heart(self, *words: object) -> subprocess.Popen[str]:
        """`kubectl heart` in the background."""
        return self._open(self.plugin, *words)

    def start_helm(self, *words: object) -> subprocess.Popen[str]:
        return self._open(self.helm_path, *words)

    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def _open(self, *words: object) -> subprocess.Popen[str]:
        command = [str(word) for word in words]
        pipe, nothing, same = subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT
        return subprocess.Popen(command, env=self.environment(), text=True, stdin=nothing, stdout=pipe, stderr=same)

    def _run(self, *words: object, stdin: str | None = None) -> str:
        done = self._start(*words, stdin=stdin)
        if done.returncode:
            raise Problem(_failure([Path(str(words[0])).name, *map(str, words[1:])], done))
        return done.stdout

    def _start(self, *words: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(word) for word in words]
        options: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        options |= {"capture_output": True, "text": True, "check": False, "env": self.environment()}
        try:
            return subprocess.run(command, timeout=LONGEST, **options)
        except subprocess.TimeoutExpired:
            shown = " ".join([Path(command[0]).name, *command[1:6]])
            raise Problem(
                f"`{shown} …` did not end within {LONGEST // 60} minutes: see whether the cluster of "
                f"{self.kubeconfig} answers, then run `make demo` again."
            ) from None


def check_plugin(plugin: Path = PLUGIN) -> None:
    """Problem where `kubectl heart` is not installed yet: at the start, not after the cluster has been built."""
    if not plugin.exists():
        raise Problem(f"{plugin} is missing, which makes the example's namespace ready: run `make .venv/ready`.")


def _failure(command: list[str], done: subprocess.CompletedProcess[str]) -> str:
    tail = " ".join((done.stderr or done.stdout).strip().splitlines()[-4:])
    return f"`{' '.join(command[:6])} …` failed: {tail}"
