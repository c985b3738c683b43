"""MLflow's registry through its own client. Every call blocks, so all of this runs in worker threads.

MLflow is untrusted storage: nothing read here is believed unless a digest from a training Job matches it.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from heart_api.handover import Tag
from heart_api.names import EVALUATE
from heart_api.outbox import OutboxEntry
from heart_api.profile import RuntimeProfile
from heart_operator.mlflow import bounds
from heart_operator.mlflow.credentials import (
    AuthorizationHeader,
    CredentialsMissing,
    authorized,
    kubernetes_header,
    secret_header,
)
from heart_operator.mlflow.errors import RegistryError
from heart_operator.mlflow.history import add_to_history
from heart_operator.plan.actions import CloseRuns, RegistryAction, SetAlias, TagVersion
from heart_operator.plan.observed import RegisteredVersion

if TYPE_CHECKING:
    from mlflow import MlflowClient

CLIENT_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""The client takes these from the environment alone."""

PAGE = 200
"""A version takes a few kilobytes, and an answer is bounded."""
MOST_FOUND = 20_000
"""Results of one search in a workspace, whose namespace decides how many there are; a shared server has more."""
LONGEST = 300
"""Characters that are kept of what may be any text: a digest, a name or a reason is shorter."""
PROXIED = re.compile(r"mlflow-artifacts:/(?!/)")
"""Artifacts served by the tracking server itself: a run cannot point to another host or to a local file."""
TRAINING = re.compile(r"[0-9a-f]+(-[0-9A-Za-z]+)*")
"""Any user can write tags; only values in the form of a trigger are accepted as triggers (and used in a search)."""
REGISTRY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Registered models that a HeartModel can name; models with other names are ignored."""
COPY = re.compile(r"models:/[^/]+/[0-9]+")
"""Where MLflow says that a copied version comes from; the copy has the tags of the original."""
CHUNK = 64 * 1024
DOWNLOAD_SECONDS = 10.0
"""For one artifact: a server that sends it byte by byte must not keep one of a few threads."""
NAMES = 50
"""Registered models in one search of versions: it becomes a URL, and proxies bound its length."""


SECRET = "secret="  # noqa: S105  no secret


def server_address(profile: RuntimeProfile, namespace: str) -> str:
    """Where a namespace's registered models are: MLflow's URL, and in its fragment who the operator is there.

    `#<namespace>`: a workspace, with the operator's Kubernetes token. `#secret=<name>`: with a Secret's credentials.
    """
    if profile.tracking_auth == "Kubernetes":
        return f"{profile.tracking_uri}#{namespace}"
    return (
        f"{profile.tracking_uri}#{SECRET}{profile.tracking_secret}" if profile.tracking_secret else profile.tracking_uri
    )


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    claimed_by: str | None
    aliases: dict[str, str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What HeartOps has in one MLflow: registered models by name, and their versions by number."""

    models: dict[str, RegisteredModel] = field(default_factory=dict)
    versions: dict[str, dict[str, RegisteredVersion]] = field(default_factory=dict)
    open_runs: dict[str, frozenset[str]] = field(default_factory=dict)
    """Triggers of the runs in state RUNNING, by experiment (which has the registered model's name)."""


_loading = threading.Lock()


def load_mlflow() -> None:
    """Import MLflow's client, one thread at a time: while one imports it, another sees half of its modules.

    On first use and not at start: it takes seconds.
    """
    with _loading:
        for name, value in CLIENT_SETTINGS.items():
            os.environ.setdefault(name, value)
        import mlflow.utils.workspace_context  # noqa: F401, PLC0415
        from mlflow.tracking.request_header.registry import _request_header_provider_registry as headers  # noqa: PLC0415

        if not any(isinstance(provider, AuthorizationHeader) for provider in headers):
            headers.register(AuthorizationHeader)  # an entry point would need an installed package
            bounds.install()


class MlflowBackend:
    """One tracking server (and the registry that it holds), or one workspace of it.

    `address`: the server's URL; its fragment names the workspace (`server_address`).
    """

    def __init__(self, address: str) -> None:
        self._uri, _, identity = address.partition("#")
        self._secret = identity.removeprefix(SECRET) if identity.startswith(SECRET) else ""
        self._workspace = "" if self._secret else identity
        self._client: MlflowClient | None = None

    @property
    def client(self) -> "MlflowClient":
        """Made on first use."""
        if self._client is None:
            from mlflow import MlflowClient  # noqa: PLC0415

            self._client = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
        return self._client

    @contextmanager
    def _in_workspace(self) -> Iterator[None]:
        """The calling thread's requests name the workspace, and carry this server's credentials.

        Every use of MLflow begins here. Raises RegistryError.
        """
        load_mlflow()
        # MLflow's context for clients writes an environment variable too, which threads that talk to a server without
        # workspaces would read.
        from mlflow.utils.workspace_context import ServerWorkspaceContext  # noqa: PLC0415

        workspace = ServerWorkspaceContext(self._workspace) if self._workspace else nullcontext()
        with bounds.bounded(), authorized(self._header()), workspace:
            yield

    def _header(self) -> str:
        if not self._secret:
            return kubernetes_header() if self._workspace else ""
        try:
            return secret_header(self._secret)
        except CredentialsMissing as error:
            raise RegistryError(str(error)) from None

    def snapshot(self, named: Collection[str] = ()) -> Snapshot:
        """Read models, their versions (`NAMES` models per search) and runs with paginated searches only.

        Versions registered by hand have no HeartOps tag. So the search is for models that a HeartModel has claimed, or
        that one may claim by the default name `<namespace>.<name>`, and then for all of their versions. A workspace is
        one namespace's, so that each of its models may be a HeartModel's.

        `named`: names that HeartModels use; an administrator may allow some that neither search finds.
        """
        with self._in_workspace():
            return self._snapshot(named)

    def _snapshot(self, named: Collection[str]) -> Snapshot:
        models = {model.name: registered_model(model) for model in self._models(named)}
        versions: dict[str, dict[str, RegisteredVersion]] = {}
        for names in batched(sorted(models), NAMES):
            quoted = ", ".join(f"'{name}'" for name in names)
            for found in self._pages(self.client.search_model_versions, filter_string=f"name IN ({quoted})"):
                versions.setdefault(found.name, {})[str(found.version)] = registered_version(found)
        return Snapshot(models, versions, self._open_runs())

    def _models(self, named: Collection[str]) -> list[Any]:
        others = [f"name = '{name}'" for name in sorted(named) if "." not in name and REGISTRY_NAME.fullmatch(name)]
        wanted = ("",) if self._workspace else (f"tags.`{Tag.MODEL}` LIKE '%'", "name LIKE '%.%'", *others)
        found = [
            model
            for condition in wanted
            for model in self._pages(self.client.search_registered_models, filter_string=condition)
        ]
        return [model for model in found if REGISTRY_NAME.fullmatch(model.name)]

    def _open_runs(self) -> dict[str, frozenset[str]]:
        names = {found.experiment_id: found.name for found in self._pages(self.client.search_experiments)}
        wanted = f"attributes.status = 'RUNNING' and tags.`{Tag.TRIGGER}` LIKE '%'"
        open_runs: dict[str, frozenset[str]] = {}
        if names:
            for run in self._pages(self.client.search_runs, experiment_ids=list(names), filter_string=wanted):
                name, trigger = names[run.info.experiment_id], run.data.tags[Tag.TRIGGER]
                if TRAINING.fullmatch(trigger) or EVALUATE.fullmatch(trigger):
                    open_runs[name] = open_runs.get(name, frozenset()) | {trigger}
        return open_runs

    def _pages(self, search: Callable[..., Any], **wanted: Any) -> Iterator[Any]:
        """All results of a paginated search. Raises RegistryError for more than MOST_FOUND in a workspace."""
        token, found = None, 0
        while True:
            page = search(max_results=PAGE, page_token=token, **wanted)
            found += len(page)
            if self._workspace and found > MOST_FOUND:
                raise RegistryError(
                    f"MLflow's workspace {self._workspace} has more than {MOST_FOUND} versions, models or runs: delete"
                    " what nobody needs"
                )
            yield from page
            token = page.token
            if not token:
                return

    def read_artifact(self, run_id: str, path: str, limit: int) -> bytes:
        """Bytes of a run's artifact of at most `limit` bytes; raises RegistryError for anything else."""
        with self._in_workspace():
            return self._read_artifact(run_id, path, limit)

    def _read_artifact(self, run_id: str, path: str, limit: int) -> bytes:
        location = self.client.get_run(run_id).info.artifact_uri or ""
        if not PROXIED.match(location):
            raise RegistryError("MLflow does not serve this run's artifacts; start it with --serve-artifacts")
        folder = path.rpartition("/")[0]
        size = next((file.file_size for file in self.client.list_artifacts(run_id, folder) if file.path == path), None)
        if size is None:
            raise RegistryError(f"run {run_id} has no {path}")
        if size > limit:
            raise RegistryError(f"{path} of run {run_id} is larger than {limit} bytes")
        return b"".join(self._chunks(f"{PROXIED.sub('', location)}/{path}", limit))

    def _chunks(self, path: str, limit: int) -> Iterator[bytes]:
        """The artifact's bytes, bounded: what was listed need not be what is sent.

        In memory, because a disk would fill; in this thread, because MLflow's own download starts threads without the
        workspace.
        """
        from mlflow.utils.credentials import get_default_host_creds  # noqa: PLC0415
        from mlflow.utils.rest_utils import http_request  # noqa: PLC0415

        endpoint = f"/api/2.0/mlflow-artifacts/artifacts/{quote(path)}"
        end, left = time.monotonic() + DOWNLOAD_SECONDS, limit
        with http_request(get_default_host_creds(self._uri), endpoint, "GET", stream=True) as response:
            if response.status_code != HTTPStatus.OK:
                raise RegistryError(f"MLflow returned {response.status_code} for the artifact {path}")
            for chunk in response.iter_content(CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise RegistryError(f"MLflow sends more than {limit} bytes for {path}")
                if time.monotonic() > end:
                    raise RegistryError(f"MLflow takes more than {DOWNLOAD_SECONDS:.0f} s to send {path}")
                yield chunk

    def record(self, registry_name: str, entries: Sequence[OutboxEntry]) -> None:
        """Add to the registered model's history; what it has already is left alone."""
        with self._in_workspace():
            add_to_history(self.client, self._uri, registry_name, entries)

    def act(self, registry_name: str, action: RegistryAction) -> None:
        """Carry out one action; doing it twice is doing it once."""
        with self._in_workspace():
            self._act(registry_name, action)

    def _act(self, registry_name: str, action: RegistryAction) -> None:
        match action:
            case CloseRuns(trigger=trigger, status=status):
                self._close_runs(registry_name, trigger, status)
            case TagVersion(version=version, key=key, value=value):
                self.client.set_model_version_tag(registry_name, version, key, value)
            case SetAlias(alias=alias, version=None):
                self.client.delete_registered_model_alias(registry_name, alias)
            case SetAlias(alias=alias, version=str(version)):
                self.client.set_registered_model_alias(registry_name, alias, version)

    def _close_runs(self, experiment_name: str, trigger: str, status: str) -> None:
        experiment = self.client.get_experiment_by_name(experiment_name)
        if experiment is None:
            return
        wanted = f"tags.`{Tag.TRIGGER}` = '{trigger}' and attributes.status = 'RUNNING'"
        for run in self.client.search_runs([experiment.experiment_id], wanted):
            self.client.set_terminated(run.info.run_id, status)


def registered_model(model: Any) -> RegisteredModel:
    aliases = {alias: str(version) for alias, version in (model.aliases or {}).items()}
    claim = model.tags.get(Tag.MODEL)
    return RegisteredModel(claimed_by=claim and claim[:LONGEST], aliases=aliases)


def registered_version(version: Any) -> RegisteredVersion:
    trigger = version.tags.get(Tag.TRIGGER, "")
    by_hand = COPY.fullmatch(version.source or "") or not TRAINING.fullmatch(trigger)
    return RegisteredVersion(
        version=str(version.version),
        run_id=(version.tags.get(Tag.EVALUATION_RUN) or version.run_id or "")[:LONGEST],
        trigger="" if by_hand else trigger,
        artifact_sha256=version.tags.get(Tag.ARTIFACT_SHA256, "")[:LONGEST],
        rejected=version.tags.get(Tag.REJECTED, "")[:LONGEST] or None,
        signed=bool(version.tags.get(Tag.SIGNATURE)),
        created=version.creation_timestamp or 0,
    )


def batched(items: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))
