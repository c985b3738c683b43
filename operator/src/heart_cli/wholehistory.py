"""`kubectl heart history --all`: every decision about a model, from the history that the operator keeps in MLflow."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
from urllib3.exceptions import HTTPError

from heart_api.handover import Tag
from heart_api.heartmodel import HeartModel
from heart_api.historyfile import FILE, FOLDER, MAX_FILE, experiment_name, read_lines
from heart_api.outbox import OutboxEntry
from heart_cli.client import Client
from heart_cli.errors import Failure
from heart_cli.mlflowproxy import find_service, forwarded, request_token

API = "/api/2.0/mlflow"
ARTIFACTS = "mlflow-artifacts:/"
TIMEOUT = urllib3.Timeout(20.0)
ADDRESS, TOKEN = "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN"
USER, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
MOST_FILES = 1200
"""A hundred years."""


@dataclass(frozen=True, slots=True)
class Registry:
    """MLflow at an address, as somebody whom it lets into a workspace."""

    address: str
    headers: dict[str, str]
    pool: urllib3.PoolManager

    def get(self, path: str, query: dict[str, str]) -> Any:
        """Decoded; empty if there is no such thing. Raises Failure."""
        return self._answer("GET", f"{API}/{path}?{urlencode(query)}")

    def post(self, path: str, body: Any) -> Any:
        """Decoded; empty if there is no such thing. Raises Failure."""
        return self._answer("POST", f"{API}/{path}", json.dumps(body).encode())

    def read(self, path: str) -> bytes:
        """An artifact. Raises Failure."""
        return self._request("GET", f"/api/2.0/mlflow-artifacts/artifacts/{quote(path)}")

    def _answer(self, method: str, path: str, body: bytes | None = None) -> Any:
        try:
            return json.loads(self._request(method, path, body) or b"{}")
        except ValueError:
            raise Failure("MLflow answered with something that is no JSON") from None

    def _request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Empty for 404."""
        headers = self.headers | {"Content-Type": "application/json"}
        url = self.address + path
        try:
            reply = self.pool.request(method, url, body=body, headers=headers, redirect=False, timeout=TIMEOUT)
        except HTTPError as error:
            raise Failure(f"MLflow cannot be reached ({type(error).__name__})") from None
        if reply.status == 404:
            return b""
        if reply.status != 200 or len(reply.data) > MAX_FILE:
            raise Failure(f"MLflow responded with {reply.status}, {len(reply.data)} bytes")
        return bytes(reply.data)


def read_history(client: Client, system: Client, options: Sequence[str], model: HeartModel) -> list[OutboxEntry]:
    """Oldest first. Raises Failure."""
    with reached(client, system, options) as registry:
        return sorted(entries_of(registry, model), key=lambda entry: (entry.time, entry.id))


@contextmanager
def reached(client: Client, system: Client, options: Sequence[str]) -> Iterator[Registry]:
    """The MLflow that the user's variables name; else HeartOps' own through kubectl, with a token of the namespace.

    Raises Failure.
    """
    pool, workspace = urllib3.PoolManager(retries=False), {"X-MLFLOW-WORKSPACE": client.namespace}
    if given := os.environ.get(ADDRESS, ""):
        if not given.startswith(("http://", "https://")):
            raise Failure(f"{ADDRESS} has to be an address of MLflow that begins with http:// or https://")
        yield Registry(given.rstrip("/"), credentials() | workspace, pool)
        return
    service, token = own_service(system), request_token(client)
    with forwarded(options, system.namespace, service) as address:
        yield Registry(address, {"Authorization": f"Bearer {token}"} | workspace, pool)


def own_service(system: Client) -> str:
    """Raises Failure."""
    try:
        return find_service(system)
    except Failure as failure:
        hint = f"set {ADDRESS} to the address of MLflow, and {TOKEN}, or {USER} and {PASSWORD}"
        raise Failure(f"{failure}. Otherwise {hint}") from None


def credentials() -> dict[str, str]:
    """As MLflow's own client finds them: user and password before a token."""
    found = os.environ.get
    if user := found(USER):
        return urllib3.make_headers(basic_auth=f"{user}:{found(PASSWORD, '')}")
    return {"Authorization": f"Bearer {token}"} if (token := found(TOKEN)) else {}


def entries_of(registry: Registry, model: HeartModel) -> Iterator[OutboxEntry]:
    """Raises Failure where nothing is kept."""
    run_id, root = find_root(registry, model)
    listed = registry.get("artifacts/list", {"run_id": run_id, "path": FOLDER}).get("files", [])
    for path in sorted(str(file.get("path", "")) for file in listed)[:MOST_FILES]:
        if FILE.fullmatch(path):
            yield from read_lines(registry.read(f"{root}/{path}"))


def find_root(registry: Registry, model: HeartModel) -> tuple[str, str]:
    """Id of the run that keeps the history, and where its artifacts are."""
    for name in names(model):
        found = registry.get("experiments/get-by-name", {"experiment_name": experiment_name(name)}).get("experiment")
        if not found:
            continue
        search = {
            "experiment_ids": [found["experiment_id"]],
            "filter": f"tags.`{Tag.HISTORY}` = 'true'",
            "order_by": ["attributes.start_time ASC"],
            "max_results": 1,
        }
        for run in registry.post("runs/search", search).get("runs", []):
            info = run["info"]
            return info["run_id"], str(info["artifact_uri"]).removeprefix(ARTIFACTS)
    raise Failure(
        f"MLflow keeps no history of {model.name}: nothing was decided yet, or the chart's events.history is false"
    )


def names(model: HeartModel) -> tuple[str, ...]:
    """Names that the registered model may have, with a workspace for the namespace and without one."""
    given = model.spec.registry_name
    return (given,) if given else (model.name, f"{model.namespace}.{model.name}")
