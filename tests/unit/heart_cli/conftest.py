"""`kubectl heart` against a cluster in memory."""

import base64
import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from click.testing import CliRunner, Result

from heart_api.commands import read_command
from heart_api.kube.kinds import DEPLOYMENT, EVENT, HEART_MODEL, JOB, POD, RETRAIN_SCHEDULE, SECRET, Kind
from heart_cli import options
from heart_cli.cli import cli
from heart_cli.errors import ApiFailure
from tests.support.apiserver.heart_objects import NAMESPACE, Object


@dataclass
class FakeCluster:
    """Stands for `heart_cli.client.Client`: holds one namespace, and an operator that answers commands."""

    model: Object | None = None
    deployments: list[Object] = field(default_factory=list)
    pods: list[Object] = field(default_factory=list)
    events: list[Object] = field(default_factory=list)
    schedules: list[Object] | ApiFailure = field(default_factory=list)
    installation: "FakeCluster | ApiFailure | None" = None
    """The namespace of HeartOps; None: it is empty."""
    jobs: list[Object] = field(default_factory=list)
    logs: dict[str, list[bytes]] = field(default_factory=dict)
    answer: Any = None
    """What the proxied Service answers; an ApiFailure is raised."""
    handled: Mapping[str, Any] | None = field(default_factory=lambda: {"result": "advanced past step 2"})
    """What the operator notes of a command; None: it does not look."""
    secrets: dict[str, Object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the last proxied request."""
    namespace: str = NAMESPACE
    written: list[dict[str, str]] = field(default_factory=list)
    written_secrets: list[Object] = field(default_factory=list)
    dry_runs: list[dict[str, str]] = field(default_factory=list)
    posted: list[tuple[str, Any]] = field(default_factory=list)
    where: tuple[str | None, ...] = ()
    user: str = "alice"
    dry: str = "none"

    def rehearsing(self, dry: str) -> "FakeCluster":
        """Shares what it holds."""
        found = copy.copy(self)
        found.dry = dry
        return found

    def write(self, method: str, path: str, body: Any = None, *, media: str = "") -> Any:
        if self.dry == "none":
            return self.call(method, path, body=body, media=media)
        if self.dry == "server":
            self.dry_runs.append(body)
        return body or {}

    def acting_as(self, user: str) -> "FakeCluster":
        self.user = user
        return self

    def elsewhere(self, namespace: str) -> "FakeCluster":
        if isinstance(self.installation, ApiFailure):
            raise self.installation
        return self.installation or FakeCluster(namespace=namespace)

    def get(self, kind: Kind, name: str) -> Object:
        if kind == SECRET and name in self.secrets:
            return copy.deepcopy(self.secrets[name])
        if self.model is None or kind != HEART_MODEL or name != self.model["metadata"]["name"]:
            raise ApiFailure("not found", 404)
        return copy.deepcopy(self.model)

    def list(self, kind: Kind, *, everywhere: bool = False, **query: str) -> list[Object]:
        if kind == RETRAIN_SCHEDULE:
            if isinstance(self.schedules, ApiFailure):
                raise self.schedules
            return self.schedules
        models = [self.model] if self.model else []
        found = {HEART_MODEL: models, DEPLOYMENT: self.deployments, POD: self.pods, EVENT: self.events, JOB: self.jobs}
        return found[kind]

    def annotate(self, name: str, annotations: Mapping[str, str]) -> Object:
        assert self.model
        if self.dry == "server":
            self.dry_runs.append(dict(annotations))
            changed = copy.deepcopy(self.model)
            changed["metadata"]["annotations"] |= annotations
            return changed
        if self.dry == "client":
            return {}
        self.written.append(dict(annotations))
        self.model["metadata"]["annotations"] |= annotations
        command = read_command(self.model["metadata"]["annotations"])
        if command and self.handled is not None:
            note = {"id": command.id, "action": command.action, "time": "2026-11-21T08:00:00Z"}
            self.model["status"]["command"] = note | dict(self.handled)
        return copy.deepcopy(self.model)

    def user_name(self) -> str:
        return self.user

    def call(
        self,
        method: str,
        path: str,
        query: Any = None,
        body: Any = None,
        *,
        media: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        if "/secrets" in path:
            return self._write_secret(method, path, body)
        self.posted.append((path, body))
        self.headers = headers or {}
        if isinstance(self.answer, ApiFailure):
            raise self.answer
        return self.answer

    def _write_secret(self, method: str, path: str, body: Object) -> Object:
        """As the API server merges; a resourceVersion that is not the last one conflicts."""
        if method == "POST":
            secret = {**body, "data": {}}
        else:
            secret = self.secrets[path.rpartition("/")[2]]
            if body["metadata"]["resourceVersion"] != secret["metadata"]["resourceVersion"]:
                raise ApiFailure("conflict", 409)
        fresh = {key: base64.b64encode(text.encode()).decode() for key, text in body.get("stringData", {}).items()}
        merged = {**secret["data"], **fresh, **body.get("data", {})}
        secret["data"] = {key: value for key, value in merged.items() if value is not None}
        secret["metadata"] = {**secret["metadata"], "resourceVersion": str(len(self.written_secrets))}
        self.written_secrets.append(copy.deepcopy(secret))
        self.secrets[secret["metadata"]["name"]] = secret
        return secret

    def lines(self, path: str, query: Mapping[str, str]) -> Iterator[bytes]:
        pod = path.split("/")[-2]
        kept = self.logs[pod]
        yield from kept[-int(query["tailLines"]) :] if "tailLines" in query else kept


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    found = FakeCluster()

    def connect(*where: str | None) -> FakeCluster:
        found.where = where
        return found

    monkeypatch.setattr(options, "connect", connect)
    return found


@pytest.fixture
def heart():
    """`heart("promote", "heart")` runs the command; `input` is its standard input."""

    def run(*words: str, **options: Any) -> Result:
        return CliRunner().invoke(cli, words, **options)

    return run
