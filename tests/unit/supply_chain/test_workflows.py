"""What our own workflows do, and in which order: nothing costly before the checks, nothing published but a tag's."""

from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[3] / ".github/workflows"
Job = dict[str, Any]


def workflow(name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load((FOLDER / name).read_text())
    return found


def triggers(name: str) -> dict[str, Any]:
    """YAML 1.1 reads the key `on` as true."""
    found: dict[str, Any] = workflow(name)[True]
    return found


def commands(job: Job) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def actions(job: Job) -> set[str]:
    return {step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step}


@pytest.mark.parametrize(("name", "first"), [("ci.yaml", "checks"), ("release.yaml", "check")])
def test_every_job_but_the_first_needs_another(name: str, first: str) -> None:
    jobs = workflow(name)["jobs"]
    assert "needs" not in jobs[first]
    needed = {other: job.get("needs") for other, job in jobs.items() if other != first}
    assert needed
    assert all(need in jobs for need in needed.values()), needed


def test_every_change_is_checked_and_its_coverage_kept() -> None:
    assert {"push", "pull_request"} <= set(triggers("ci.yaml"))
    jobs = workflow("ci.yaml")["jobs"]
    assert all(target in commands(jobs["checks"]) for target in ("make lint", "make test-unit", "hack.stages api"))
    assert "coverage xml" in commands(jobs["coverage"])
    assert "actions/upload-artifact" in actions(jobs["coverage"])
    assert "pytest tests/e2e" in commands(jobs["e2e"])


def test_tags_alone_are_published() -> None:
    assert triggers("release.yaml") == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+*"]}}
    publishing = workflow("release.yaml")["jobs"]
    assert "docker/build-push-action" in actions(publishing["images"])
    assert "helm push" in commands(publishing["release"])
    assert "gh release create" in commands(publishing["release"])
    for job in workflow("ci.yaml")["jobs"].values():
        assert not {"docker/login-action", "docker/build-push-action"} & actions(job)
        assert "push" not in commands(job)
    assert workflow("ci.yaml")["permissions"] == {"contents": "read"}
