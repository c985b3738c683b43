"""What the pages tell one to type is there: resources that the types accept, commands, options, targets and files."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Command, Group

from hack.demo.choice import Kind
from hack.demo.place import ROOT, Place
from hack.demo.summary import next_steps
from heart_api.federationsite import FederationSiteSpec
from heart_api.heartmodel import HeartModelSpec
from heart_api.retrainschedule import RetrainScheduleSpec
from heart_cli.cli import cli

PAGES = [
    path
    for pattern in ("*.md", "docs/**/*.md", "examples/**/README.md", "hack/cluster/README.md", "tests/README.md")
    for path in sorted(ROOT.glob(pattern))
]
TYPES = {"HeartModel": HeartModelSpec, "RetrainSchedule": RetrainScheduleSpec, "FederationSite": FederationSiteSpec}
SMALLEST: dict[str, dict[str, Any]] = {
    "HeartModel": {
        "dataset": {"uri": "builtin://iris"},
        "target": {"name": "target"},
        "features": [{"name": "petal_length_cm", "type": "number"}],
    },
    "RetrainSchedule": {"modelName": "iris", "schedule": "0 3 * * 0"},
    "FederationSite": {"dataset": {"uri": "builtin://iris"}},
}
"""What a fragment of a spec is laid over."""
VALUES = yaml.safe_load((ROOT / "charts/heartops/values.yaml").read_text())
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.M | re.S)
CODE = re.compile(r"`([^`\n]+)`")
TARGET = re.compile(r"^(?:\$ )?make (?:[A-Z]+=\S+ )*([.\w/-]+)", re.M)
HEART = re.compile(r"^(?:\$ )?kubectl heart (.+)$", re.M)
PATCH = re.compile(r"patch heartmodel .*--patch +'([^']+)'")
FOLDERS = "common|operator|serving|trainer|charts|kustomize|crds|tests|docs|hack|requirements"
NAMED_FILE = re.compile(rf"(?:{FOLDERS})/[\w./-]+|[\w-]+\.(?:md|toml)")
PLACEHOLDER = re.compile(r"\b[A-Z]{4,}\.py")
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMANDS: dict[str, Command] = cli.commands
TOLD = next_steps(Place(Kind.OWN, Path("/somewhere/kubeconfig"), "/tools/kubectl", "/tools/helm"))
"""The last words of the demo."""


def fences(text: str) -> list[tuple[str, str]]:
    """(language, text) of each fenced block."""
    return [(found[2], found[3]) for found in FENCE.finditer(text)]


def code(text: str) -> Iterator[str]:
    """What one could type: each fenced block with its lines joined, each span of code in the prose."""
    for _, block in fences(text):
        yield block.replace("\\\n", " ")
    yield from CODE.findall(FENCE.sub("", text))


ADAPTER = yaml.safe_load((ROOT / "examples/monitoring/prometheus-adapter.yaml").read_text())
"""Pages that show its rule show this one."""


def broken_yaml(text: str) -> list[str]:
    """What is wrong with the documents of a YAML block."""
    found = []
    for document in yaml.safe_load_all(text):
        document = document["spec"] if set(document) == {"spec"} else document  # a patch
        kind = document["kind"] if "kind" in document else kind_of_fragment(document)
        if kind is None:
            found.append(f"neither a resource, a part of a spec, nor values of the chart: {', '.join(document)}")
        elif kind in TYPES:
            spec = document["spec"] if "kind" in document else SMALLEST[kind] | document
            TYPES[kind].model_validate(spec)
    return found


def kind_of_fragment(document: dict[str, Any]) -> str | None:
    """Whose fields these are; `values` for those of the chart."""
    for kind, spec in TYPES.items():
        if set(document) <= {field.alias for field in spec.model_fields.values()}:
            return kind
    if document.get("rules", {}).get("custom") == ADAPTER["rules"]["custom"]:
        return "values of prometheus-adapter"
    return "values" if set(document) <= set(VALUES) else None


def targets() -> set[str]:
    """What `make` can be asked for."""
    text = (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv")
    return set(re.findall(r"^([.\w/-]+):(?!=)", text, re.M))


def unknown_commands(text: str) -> list[str]:
    """`kubectl heart …` that does not exist, or has not that option."""
    return [line for piece in code(text) for line in HEART.findall(piece) if not exists(line)]


def exists(line: str) -> bool:
    words = shlex.split(line, comments=True)
    command = COMMANDS.get(words[0])
    if isinstance(command, Group) and len(words) > 1:
        command = command.commands.get(words[1])
    options = [word for word in words[1:] if word.startswith("-") and word != "-"]
    if command is None:
        return words[0] in ("--help", "-h", "--version", "…", "ACTION")
    known = {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}
    return known.issuperset(option.partition("=")[0] for option in options if not re.fullmatch(r"-\d+", option))


def check_patches(text: str) -> int:
    """Raises ValueError for one that the types refuse; how many there are."""
    found = PATCH.findall(text)
    for patch in found:
        HeartModelSpec.model_validate(SMALLEST["HeartModel"] | json.loads(patch)["spec"])
    return len(found)


def page(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_resources_are_what_the_types_accept(path: Path) -> None:
    assert [
        wrong for language, text in fences(path.read_text()) if language == "yaml" for wrong in broken_yaml(text)
    ] == []


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*/*.yaml")), ids=page)
def test_examples_are_what_the_types_accept(path: Path) -> None:
    assert broken_yaml(path.read_text()) == []


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_commands_exist(path: Path) -> None:
    text = path.read_text()
    assert unknown_commands(text) == []
    assert {name for piece in code(text) for name in TARGET.findall(piece)} <= targets()


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_links_lead_somewhere(path: Path) -> None:
    prose = CODE.sub("", FENCE.sub("", path.read_text()))
    links = [link.partition("#")[0] for link in LINK.findall(prose) if not link.startswith(("http", "#"))]
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_files_that_commands_read_are_there(path: Path) -> None:
    named = {name for piece in code(path.read_text()) for name in re.findall(r"\b(?:examples|charts)/[\w./-]+", piece)}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", ["CONTRIBUTING.md", "RELEASE.md", "tests/README.md", "docs/architecture.md"])
def test_files_that_contributors_are_sent_to_are_there(path: str) -> None:
    named = {name for name in CODE.findall((ROOT / path).read_text()) if NAMED_FILE.fullmatch(name)}
    assert named
    assert [name for name in sorted(named) if not PLACEHOLDER.search(name) and not (ROOT / name).exists()] == []


def test_tests_that_stand_for_a_guarantee_are_there() -> None:
    text = (ROOT / "docs/reliability.md").read_text()
    named = re.findall(r"`((?:unit|api|e2e|support)/[\w/]+\.py)(?:::(\w+))?`", text)
    assert named
    assert [
        (file, test) for file, test in named if f"def {test}" not in (ROOT / "tests" / file).read_text() and test
    ] == []
    assert [file for file, _ in named if not (ROOT / "tests" / file).exists()] == []


def test_what_the_readme_works_with_names_tests_that_are_there() -> None:
    text = (ROOT / "README.md").read_text()
    rows = [line for line in text.partition("## Works with")[2].partition("\n## ")[0].splitlines() if "`tests/" in line]
    assert len(rows) >= 12
    named = {name for row in rows for name in re.findall(r"`(tests/[\w/]+\.py)`", row)}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_readme_lists_every_example() -> None:
    text = (ROOT / "README.md").read_text()
    assert [path.name for path in sorted((ROOT / "examples").iterdir()) if f"(examples/{path.name}/)" not in text] == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text())}
    pages = {path for folder in ("docs", "docs/api") for path in (ROOT / folder).glob("*.md")}
    assert pages - linked == {index}


def test_the_page_of_the_commands_says_which_role_each_needs() -> None:
    text = (ROOT / "docs/kubectl-heart.md").read_text()
    table = text.partition("| you want to |")[2].partition("\n\n")[0]
    named = {
        span.split()[0] for row in table.splitlines() for span in CODE.findall(row.split("|")[1] if "|" in row else "")
    }
    assert set(COMMANDS) - named == set()


def test_the_demo_ends_with_commands_that_exist() -> None:
    for words in ("kubectl heart status", "/docs", "MLflow", "kubectl heart history", "make demo-down"):
        assert words in TOLD
    assert "PATH=/tools:" in TOLD, "the demo's own kubectl is on no PATH"
    lines = "\n".join(line.strip() for line in TOLD.splitlines())
    assert HEART.findall(lines)
    assert unknown_commands(f"```\n{lines}\n```") == []


def test_patches_are_what_the_types_accept() -> None:
    assert check_patches("\n".join(code((ROOT / "README.md").read_text()))) == 2
    assert check_patches(TOLD) == 1


def test_a_wrong_field_would_be_found() -> None:
    assert broken_yaml("rollouts: {steps: []}") != []
    with pytest.raises(ValueError, match="minimum"):
        broken_yaml("kind: HeartModel\nspec: {gates: {checks: [{metric: accuracy, minimum: 1}]}}")


@pytest.mark.parametrize("line", ["kubectl heart statsu iris", "`kubectl heart status iris --wach`"])
def test_a_wrong_command_would_be_found(line: str) -> None:
    assert unknown_commands(line if line.startswith("`") else f"```sh\n$ {line}\n```") != []
