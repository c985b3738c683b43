"""The demo's namespace is made ready by `kubectl heart`, as anybody's is."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hack.cluster.report import Problem
from hack.demo import model
from hack.demo.choice import Kind
from hack.demo.data import SYNTHETIC, Source
from hack.demo.place import NAMESPACE, SYSTEM, Place, check_plugin
from heart_cli.cli import cli

SOURCE = Source(SYNTHETIC, None, True, "nobody's data")
TOOL = """#!{python}
import json, sys
words = sys.argv[1:]
given = json.load(sys.stdin) if words[-1] == "-" else {{}}
open({calls!r}, "a").write(json.dumps([{name!r}, words, given]) + "\\n")
print({says!r})
sys.exit({problem!r})
"""


@dataclass(frozen=True)
class Tools:
    """Stand-ins for kubectl and its plugin that note what they are asked, in a cluster that has nothing yet."""

    folder: Path

    def place(self, **plugin: str) -> Place:
        kubectl = self._make("kubectl", says="{}")
        return Place(Kind.USER, self.folder / "kubeconfig", str(kubectl), "", self._make("kubectl-heart", **plugin))

    def _make(self, name: str, says: str = "", problem: str = "") -> Path:
        path, calls = self.folder / name, str(self.folder / "calls")
        path.write_text(TOOL.format(python=sys.executable, calls=calls, name=name, says=says, problem=problem or None))
        path.chmod(0o755)
        return path

    def calls(self) -> list[tuple[str, list[str], dict[str, Any]]]:
        return [tuple(json.loads(line)) for line in (self.folder / "calls").read_text().splitlines()]

    def changes(self) -> list[str]:
        """What was applied, in order, the plugin's work among it."""
        made = [(name, given) for name, words, given in self.calls() if name == "kubectl-heart" or "apply" in words]
        return [given.get("kind", name) for name, given in made]


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    return Tools(tmp_path)


def test_the_namespace_is_ready_before_the_model_is_declared(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    model.declare(tools.place(says="Added HEARTOPS_DATABASE_URL to the Secret"), SOURCE)
    namespace, ready, *_ = tools.changes()
    assert (namespace, ready) == ("Namespace", "kubectl-heart")
    assert "Added HEARTOPS_DATABASE_URL to the Secret" in capsys.readouterr().err


def test_no_other_hand_writes_a_secret(tools: Tools) -> None:
    model.declare(tools.place(), SOURCE)
    assert "Secret" not in tools.changes()


def test_what_the_plugin_is_asked_gives_the_model_a_part_of_the_log(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the plugin's own reading of the words."""
    model.declare(tools.place(), SOURCE)
    [words] = [words for name, words, _ in tools.calls() if name == "kubectl-heart"]
    asked: list[tuple[str, str | None]] = []

    @dataclass(frozen=True)
    class Somewhere:
        namespace: str = ""

        def elsewhere(self, namespace: str) -> "Somewhere":
            return Somewhere(namespace)

        def rehearsing(self, dry: str) -> "Somewhere":
            return self

    def init(client: Somewhere, system: Somewhere | None) -> list[str]:
        asked.append((client.namespace, system.namespace if system else None))
        return []

    monkeypatch.setattr("heart_cli.options.connect", lambda *_: Somewhere())
    monkeypatch.setattr("heart_cli.cli.init", init)
    assert CliRunner().invoke(cli, words).exit_code == 0
    assert asked == [(NAMESPACE, SYSTEM)]


def test_a_rejection_ends_the_demo_in_the_plugins_words(tools: Tools) -> None:
    with pytest.raises(Problem, match="secrets is forbidden"):
        model.declare(tools.place(problem="Error: secrets is forbidden"), SOURCE)
    assert tools.changes() == ["Namespace", "kubectl-heart"]


def test_a_missing_plugin_is_said_at_the_start(tools: Tools) -> None:
    with pytest.raises(Problem, match=r"make \.venv/ready"):
        check_plugin(tools.folder / "nothing")
    check_plugin(tools.place().plugin)
