"""What comes from outside is named by its content: nobody can exchange it under the same name."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.images import IMAGES

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.y*ml"))
FOLDERS = ("benchmarks", "charts", "examples", "hack", "operator", "serving", "trainer")
DOCKERFILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*Dockerfile*"))
PINNED = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
ACTION = re.compile(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def unpinned_actions(text: str) -> list[str]:
    """Uses of an action other than by commit, with the version beside it for people and Dependabot."""
    used = re.findall(r"^\s*(?:- )?uses: (.+)$", text, re.MULTILINE)
    return [each for each in used if not (each.startswith("./") or ACTION.fullmatch(each))]


def unpinned_bases(dockerfile: str) -> list[str]:
    """Images of FROM and COPY --from that are neither by digest nor a stage of the same file."""
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", dockerfile, re.MULTILINE))
    images = re.findall(r"^FROM (?:--platform=\S+ )?(\S+)", dockerfile, re.MULTILINE)
    copied = re.findall(r"^COPY --from=(\S+)", dockerfile, re.MULTILINE)
    return [each for each in (*images, *copied) if each not in stages and not PINNED.fullmatch(each)]


def unchecked_downloads(script: str) -> list[str]:
    """Addresses that a shell script reads without comparing what came with a known checksum."""
    applied = re.findall(r"kubectl [^\n]*-f \"?(https?://\S+)", script)
    fetched = re.findall(r"(?:curl|wget)[^|&;]*?(https?://\S+)", script)
    return applied + ([] if "sha256sum --check" in script else fetched)


def test_there_are_workflows_and_dockerfiles() -> None:
    assert {path.name for path in WORKFLOWS} >= {"ci.yaml", "release.yaml"}
    assert len(DOCKERFILES) >= 5


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_named_by_commit(workflow: Path) -> None:
    assert unpinned_actions(workflow.read_text()) == []


def test_one_action_has_one_version() -> None:
    every = [use for path in WORKFLOWS for use in re.findall(r"uses: ([^\s@]+@\S+)", path.read_text())]
    names = {use.partition("@")[0] for use in every}
    assert len(set(every)) == len(names)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_base_images_are_named_by_digest(dockerfile: Path) -> None:
    assert unpinned_bases(dockerfile.read_text()) == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_image_of_the_product_is_built_and_scanned(workflow: Path) -> None:
    (matrix,) = [
        job["strategy"]["matrix"]["include"]
        for job in yaml.safe_load(workflow.read_text())["jobs"].values()
        if "strategy" in job
    ]
    assert matrix == [{"name": image.name, "dockerfile": image.dockerfile} for image in IMAGES]
    assert any(step.get("uses", "").startswith("anchore/scan-action@") for step in steps(workflow))
    assert any("hack.scan --strict" in step.get("run", "") for step in steps(workflow))


def test_one_base_image_has_one_digest() -> None:
    found = [image for path in DOCKERFILES for image in PINNED.findall(path.read_text())]
    assert len(set(found)) == len({image.partition("@")[0] for image in found})


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_downloads_are_compared_with_a_checksum(workflow: Path) -> None:
    assert [each for step in steps(workflow) for each in unchecked_downloads(step.get("run", ""))] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_images_that_a_workflow_starts_are_named_by_digest(workflow: Path) -> None:
    values = json.dumps(yaml.safe_load(workflow.read_text()))
    assert [each for each in re.findall(r"kindest/node[^\"]*", values) if not PINNED.fullmatch(each)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_python_packages_are_installed_from_locks_alone(workflow: Path) -> None:
    scripts = [step.get("run", "") for step in steps(workflow)]
    assert [each for each in scripts if "pip install" in each and "--require-hashes" not in each] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_token_is_not_left_in_the_checkout(workflow: Path) -> None:
    checkouts = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step.get("with", {}).get("persist-credentials") is False for step in checkouts)


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (unpinned_actions, "      - uses: actions/checkout@v4\n"),
        (unpinned_actions, f"      - uses: actions/checkout@{'a' * 40}\n"),
        (unpinned_bases, "FROM python:3.13-slim\n"),
        (unpinned_bases, f"FROM python@sha256:{'a' * 64}\n"),
        (unpinned_bases, f"FROM a:1@sha256:{'a' * 64} AS base\nFROM base\nCOPY --from=other:1 /a /b\n"),
        (unchecked_downloads, 'kubectl apply -f "https://example.org/a.yaml"'),
        (unchecked_downloads, "curl -fsSL https://example.org/a.yaml | kubectl create -f -"),
    ],
)
def test_what_is_not_pinned_is_found(check: Any, text: str) -> None:
    assert len(check(text)) == 1
