"""A user's repository with a pipeline of examples/ci, and each pipeline's own tool that runs it on this machine."""

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from hack.pipelines import tools

CI = Path(__file__).resolve().parents[2] / "examples/ci"
ENVIRONMENTS = ("staging", "production")
NOTHING = "#!/bin/sh\n"
SECONDS = 1500
"""Of one run: trainings on a real node take minutes."""
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Repository:
    """On the branch main. `programs` come before all others; `kubeconfigs` have a text for each environment."""

    folder: Path
    kubeconfigs: Mapping[str, str]
    programs: Mapping[str, str] = field(default_factory=dict)
    model: str = "kind: HeartModel\n"
    script: str = (CI / "deliver.sh").read_text()
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """pipx and trivy do nothing: `kubectl heart` is here, and nothing can be fetched."""
        for path in (self.folder, self.beside("bin"), self.beside("home")):
            path.mkdir(parents=True, exist_ok=True)
        self.write("deliver.sh", self.script)
        self.write("heartmodel.yaml", self.model)
        for name, text in {"pipx": NOTHING, "trivy": NOTHING, **self.programs}.items():
            (self.beside("bin") / name).write_text(text)
            (self.beside("bin") / name).chmod(0o755)
        places = (str(self.beside("bin")), str(Path(sys.executable).parent), os.environ["PATH"])
        own = {"PATH": os.pathsep.join(places), "HOME": str(self.beside("home")), "CREDENTIALS": str(self.folder)}
        self.environment.update({**os.environ, **own})
        self.environment.pop("KUBECONFIG", None)

    def beside(self, name: str) -> Path:
        return self.folder.parent / name

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def commit(self) -> None:
        """Whatever is in the folder; the first time as a clone of a repository elsewhere."""
        if not (self.folder / ".git").exists():
            git(self.folder, "init", "-q", "-b", "main")
            git(self.folder, "remote", "add", "origin", "https://git.example.org/clinic/model.git")
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-q", "--allow-empty", "-m", "A model")

    def run(self, command: tuple[str, ...]) -> Done:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=Alice", "-c", "user.email=alice@example.org")
    subprocess.run(("git", *who, *words), cwd=folder, check=True)


def github(repository: Repository, event: str, *options: str) -> Done:
    """By act, with each environment's kubeconfig as a secret."""
    repository.write(".github/workflows/model.yml", (CI / "github-actions.yml").read_text())
    repository.commit()
    checkout = repository.beside("checkout")
    if not checkout.exists():
        checkout.mkdir()
        (checkout / "action.yml").write_text("name: checkout\nruns: {using: composite, steps: []}\n")
        git(checkout, "init", "-q")
        git(checkout, "add", "-A")
        git(checkout, "commit", "-q", "-m", "Nothing to do: act has the files")
    given = {f"KUBECONFIG_{name.upper()}": text for name, text in repository.kubeconfigs.items()}
    words = [f"{name}={base64.b64encode(text.encode()).decode()}" for name, text in given.items()]
    secrets = [word for secret in words for word in ("-s", secret)]
    return repository.run(tools.act(checkout, event, "--defaultbranch", "main", *secrets, *options))


def gitlab(repository: Repository, *options: str) -> Done:
    """By gitlab-ci-local; each environment has a KUBECONFIG of its own, as GitLab's variables of type File."""
    shutil.copy(CI / "gitlab-ci.yml", repository.folder / ".gitlab-ci.yml")
    repository.commit()
    variables = {"global": {"KUBECONFIG": {"type": "file", "values": dict(repository.kubeconfigs)}}}
    folder = repository.beside("home") / ".gitlab-ci-local"
    folder.mkdir(exist_ok=True)
    (folder / "variables.yml").write_text(yaml.safe_dump(variables))
    return repository.run(tools.gitlab(*options))


def jenkins(repository: Repository, branch: str = "main", *, rollback: bool = False) -> Done:
    """By JenkinsPipelineUnit, with credentials of type file."""
    for name, text in repository.kubeconfigs.items():
        repository.write(f"kubeconfig-{name}", text)
    return repository.run(tools.jenkins(CI / "Jenkinsfile", branch, rollback=rollback))
