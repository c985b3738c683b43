"""examples/ci: each pipeline is run by its own tool, with the repository's own script and a kubectl that takes notes.

That the script's commands do what they say is shown on a real API server (tests/api/test_ci_examples.py, test_copy.py).
"""

import base64
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hack.pipelines import tools
from tests.support.soak import SOAK

CI = Path(__file__).resolve().parents[2] / "examples/ci"
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
NOTHING = "#!/bin/sh\n"
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


@dataclass(frozen=True)
class Repository:
    """A user's repository, on the branch main, and what kubectl was asked for."""

    folder: Path
    fails: str = "never"
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        programs = self.folder.parent / "bin"
        for path in (self.work, programs, self.folder.parent / "home"):
            path.mkdir(parents=True, exist_ok=True)
        shutil.copy(CI / "deliver.sh", self.work)
        (self.work / "heartmodel.yaml").write_text("kind: HeartModel\n")
        kubectl = KUBECTL.replace("CALLS", str(self.calls)).replace("FAILS", self.fails)
        for name, text in (("kubectl", kubectl), ("pipx", NOTHING), ("trivy", NOTHING)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "HOME": str(self.folder.parent / "home"), "CREDENTIALS": str(self.work)}
        self.environment.update({**os.environ, **own})

    @property
    def work(self) -> Path:
        return self.folder

    @property
    def calls(self) -> Path:
        return self.folder.parent / "calls"

    def commit(self) -> None:
        git(self.work, "init", "-q", "-b", "main")
        git(self.work, "remote", "add", "origin", "https://git.example.org/clinic/model.git")
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "-m", "A model")

    def run(self, command: tuple[str, ...], **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {**self.environment, **variables}
        return subprocess.run(command, cwd=self.work, env=environment, capture_output=True, text=True, timeout=300)

    def asked(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=Alice", "-c", "user.email=alice@example.org")
    subprocess.run(("git", *who, *words), cwd=folder, check=True)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "model")


@pytest.fixture
def failing(tmp_path: Path) -> Repository:
    """Of which the gate holds the version in staging."""
    return Repository(tmp_path / "model", fails="clinic-staging --for serving")


# --- GitHub Actions ---------------------------------------------------------------------------------


def github(repository: Repository, event: str, *options: str) -> "subprocess.CompletedProcess[str]":
    workflows = repository.work / ".github/workflows"
    workflows.mkdir(parents=True)
    shutil.copy(CI / "github-actions.yml", workflows / "model.yml")
    repository.commit()
    checkout = repository.folder.parent / "checkout"
    checkout.mkdir()
    (checkout / "action.yml").write_text("name: checkout\nruns: {using: composite, steps: []}\n")
    git(checkout, "init", "-q")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "Nothing to do: act has the files")
    secrets = {"KUBECONFIG_STAGING": "staging", "KUBECONFIG_PRODUCTION": "production"}
    given = [f"{name}={base64.b64encode(text.encode()).decode()}" for name, text in secrets.items()]
    words = [word for secret in given for word in ("-s", secret)]
    return repository.run(tools.act(checkout, event, "--defaultbranch", "main", *words, *options))


@needs("act")
@pytest.mark.timeout(900)
def test_github_delivers_a_version(repository: Repository) -> None:
    done = github(repository, "push")
    assert done.returncode == 0, done.stdout
    assert repository.asked() == DELIVERED


@needs("act")
@pytest.mark.timeout(900)
def test_github_stops_at_a_version_that_fails(failing: Repository) -> None:
    done = github(failing, "push")
    assert done.returncode == 1
    assert "roc_auc 0.71 < 0.80" in done.stdout
    assert not [line for line in failing.asked() if line.startswith("production") or "copy" in line]


@needs("act")
@pytest.mark.timeout(900)
def test_github_rolls_back_and_does_nothing_else(repository: Repository) -> None:
    done = github(repository, "workflow_dispatch", "--input", "rollback=true")
    assert done.returncode == 0, done.stdout
    assert repository.asked() == ROLLED_BACK


# --- GitLab -----------------------------------------------------------------------------------------


def gitlab(repository: Repository, *options: str) -> "subprocess.CompletedProcess[str]":
    """Each environment has a KUBECONFIG of its own, as GitLab's variables of type File."""
    shutil.copy(CI / "gitlab-ci.yml", repository.work / ".gitlab-ci.yml")
    repository.commit()
    lines = ["KUBECONFIG:", "  type: file", "  values:"]
    for name in ("staging", "production"):
        lines.append(f"    {name}: {name}")
    (repository.folder.parent / "home" / ".gitlab-ci-local").mkdir(exist_ok=True)
    (repository.folder.parent / "home" / ".gitlab-ci-local" / "variables.yml").write_text(
        "global:\n" + "\n".join(f"  {line}" for line in lines) + "\n"
    )
    return repository.run(tools.gitlab(*options))


@needs("gitlab")
@pytest.mark.timeout(900)
def test_gitlab_goes_through_nine_stages(repository: Repository) -> None:
    done = gitlab(repository, "--manual", "production")
    assert done.returncode == 0, done.stdout + done.stderr
    stages = ["lint", "test", "data-validation", "training", "model-validation", "build", "security-scan", "staging"]
    assert [line.split()[1] for line in done.stdout.splitlines() if " PASS " in line] == [*stages, "production"]
    asked = repository.asked()
    assert list(dict.fromkeys(line for line in asked if line in DELIVERED)) == DELIVERED
    assert [line for line in asked if line.startswith("production")] == DELIVERED[-3:]


@needs("gitlab")
@pytest.mark.timeout(900)
def test_gitlab_stops_at_a_version_that_fails(failing: Repository) -> None:
    done = gitlab(failing, "--manual", "production")
    assert done.returncode != 0
    assert "roc_auc 0.71 < 0.80" in done.stdout + done.stderr
    assert not [line for line in failing.asked() if line.startswith("production") or "copy" in line]


@needs("gitlab")
@pytest.mark.timeout(900)
def test_gitlab_rolls_back_and_does_nothing_else(repository: Repository) -> None:
    done = gitlab(repository, "rollback")
    assert done.returncode == 0, done.stdout + done.stderr
    assert repository.asked() == ROLLED_BACK


# --- Jenkins ----------------------------------------------------------------------------------------


def jenkins(
    repository: Repository, branch: str = "main", *, rollback: bool = False
) -> "subprocess.CompletedProcess[str]":
    for name in ("staging", "production"):
        (repository.work / f"kubeconfig-{name}").write_text(name)
    return repository.run(tools.jenkins(CI / "Jenkinsfile", branch, rollback=rollback))


@needs("jenkins")
@pytest.mark.timeout(900)
def test_jenkins_delivers_a_version_once_somebody_approves(repository: Repository) -> None:
    done = jenkins(repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert repository.asked() == DELIVERED
    assert "approved: Deploy to production?" in done.stdout


@needs("jenkins")
@pytest.mark.timeout(900)
def test_jenkins_stops_at_a_version_that_fails(failing: Repository) -> None:
    done = jenkins(failing)
    assert done.returncode == 1
    assert not [line for line in failing.asked() if line.startswith("production") or "copy" in line]


@needs("jenkins")
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("branch", "rollback", "asked"), [("topic", False, DELIVERED[:2]), ("main", True, ROLLED_BACK)]
)
def test_jenkins_only_validates_a_branch_and_only_rolls_back_when_told(
    repository: Repository, branch: str, rollback: bool, asked: list[str]
) -> None:
    done = jenkins(repository, branch, rollback=rollback)
    assert done.returncode == 0, done.stdout + done.stderr
    assert repository.asked() == asked
