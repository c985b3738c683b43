"""examples/ci: each pipeline is run by its own tool, with the repository's own script and a kubectl that takes notes.

That the script's commands do what they say is shown on a real API server (tests/api/test_ci_examples.py, test_copy.py),
and all of it together on a real node (tests/e2e/test_pipelines.py).
"""

from pathlib import Path

import pytest

from hack.pipelines import tools
from tests.support.pipelines import ENVIRONMENTS, Repository, github, gitlab, jenkins
from tests.support.soak import SOAK

KUBECTL = """#!/bin/sh
case "$*" in *"-f -"*) cat > /dev/null ;; esac
echo "$(cat "${KUBECONFIG:-/dev/null}") $*" >> CALLS
case "$*" in
*"FAILS"*) echo "Error: roc_auc 0.71 < 0.80" >&2; exit 1 ;;
"heart copy"*) echo 7 ;;
"patch --local"*) echo "spec: {}" ;;
"get pods"*) echo "serving:1 serving:1" ;;
"get heartmodel"*) echo 6 ;;
esac
"""
DELIVERED = [
    "staging apply --namespace clinic-staging --dry-run=client -f heartmodel.yaml",
    "staging apply --namespace clinic-staging --dry-run=server -f heartmodel.yaml",
    "staging apply --namespace clinic-staging -f heartmodel.yaml",
    "staging heart wait heart-disease --namespace clinic-staging --for trained --timeout 30m",
    "staging heart wait heart-disease --namespace clinic-staging --for serving --timeout 30m",
    "staging heart predict heart-disease --namespace clinic-staging --example",
    "staging heart copy heart-disease --namespace clinic-staging --to clinic --quiet",
    'production patch --local -f heartmodel.yaml --type merge -p {"spec":{"version":7}} -o yaml',
    "production apply --namespace clinic -f -",
    "production heart wait heart-disease --namespace clinic --for serving --timeout 75m --version 7",
]
"""What every pipeline does when everything goes well, in this order."""
ROLLED_BACK = [
    "production get heartmodel heart-disease --namespace clinic -o jsonpath={.status.previous.version}",
    'production patch heartmodel heart-disease --namespace clinic --type merge -p {"spec":{"version":6}}',
    "production heart wait heart-disease --namespace clinic --for serving --timeout 30m --version 6",
]


def needs(part: str) -> pytest.MarkDecorator:
    missing = not SOAK and not tools.is_installed(part)
    return pytest.mark.skipif(missing, reason=f"{part} is not in the cache: make test-soak puts it there, in minutes")


def noting(folder: Path, fails: str = "never") -> Repository:
    """A repository whose kubectl takes notes, and fails where it is asked for `fails`."""
    kubectl = KUBECTL.replace("CALLS", str(folder / "calls")).replace("FAILS", fails)
    return Repository(folder / "model", {name: name for name in ENVIRONMENTS}, {"kubectl": kubectl})


def asked(repository: Repository) -> list[str]:
    calls = repository.beside("calls")
    return calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return noting(tmp_path)


@pytest.fixture
def failing(tmp_path: Path) -> Repository:
    """Of which the gate holds the version in staging."""
    return noting(tmp_path, fails="clinic-staging --for serving")


# --- GitHub Actions ---------------------------------------------------------------------------------


@needs("act")
@pytest.mark.timeout(900)
def test_github_delivers_a_version(repository: Repository) -> None:
    done = github(repository, "push")
    assert done.returncode == 0, done.stdout
    assert asked(repository) == DELIVERED


@needs("act")
@pytest.mark.timeout(900)
def test_github_stops_at_a_version_that_fails(failing: Repository) -> None:
    done = github(failing, "push")
    assert done.returncode == 1
    assert "roc_auc 0.71 < 0.80" in done.stdout
    assert not [line for line in asked(failing) if line.startswith("production") or "copy" in line]


@needs("act")
@pytest.mark.timeout(900)
def test_github_rolls_back_and_does_nothing_else(repository: Repository) -> None:
    done = github(repository, "workflow_dispatch", "--input", "rollback=true")
    assert done.returncode == 0, done.stdout
    assert asked(repository) == ROLLED_BACK


# --- GitLab -----------------------------------------------------------------------------------------


@needs("gitlab")
@pytest.mark.timeout(900)
def test_gitlab_goes_through_nine_stages(repository: Repository) -> None:
    done = gitlab(repository, "--manual", "production")
    assert done.returncode == 0, done.stdout + done.stderr
    stages = ["lint", "test", "data-validation", "training", "model-validation", "build", "security-scan", "staging"]
    assert [line.split()[1] for line in done.stdout.splitlines() if " PASS " in line] == [*stages, "production"]
    calls = asked(repository)
    assert list(dict.fromkeys(line for line in calls if line in DELIVERED)) == DELIVERED
    assert [line for line in calls if line.startswith("production")] == DELIVERED[-3:]


@needs("gitlab")
@pytest.mark.timeout(900)
def test_gitlab_stops_at_a_version_that_fails(failing: Repository) -> None:
    done = gitlab(failing, "--manual", "production")
    assert done.returncode != 0
    assert "roc_auc 0.71 < 0.80" in done.stdout + done.stderr
    assert not [line for line in asked(failing) if line.startswith("production") or "copy" in line]


@needs("gitlab")
@pytest.mark.timeout(900)
def test_gitlab_rolls_back_and_does_nothing_else(repository: Repository) -> None:
    done = gitlab(repository, "rollback")
    assert done.returncode == 0, done.stdout + done.stderr
    assert asked(repository) == ROLLED_BACK


# --- Jenkins ----------------------------------------------------------------------------------------


@needs("jenkins")
@pytest.mark.timeout(900)
def test_jenkins_delivers_a_version_once_somebody_approves(repository: Repository) -> None:
    done = jenkins(repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert asked(repository) == DELIVERED
    assert "approved: Deploy to production?" in done.stdout


@needs("jenkins")
@pytest.mark.timeout(900)
def test_jenkins_stops_at_a_version_that_fails(failing: Repository) -> None:
    done = jenkins(failing)
    assert done.returncode == 1
    assert not [line for line in asked(failing) if line.startswith("production") or "copy" in line]


@needs("jenkins")
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("branch", "rollback", "expected"), [("topic", False, DELIVERED[:2]), ("main", True, ROLLED_BACK)]
)
def test_jenkins_only_validates_a_branch_and_only_rolls_back_when_told(
    repository: Repository, branch: str, rollback: bool, expected: list[str]
) -> None:
    done = jenkins(repository, branch, rollback=rollback)
    assert done.returncode == 0, done.stdout + done.stderr
    assert asked(repository) == expected
