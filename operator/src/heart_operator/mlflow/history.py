"""The history of a registered model: MLflow artifacts that only grow (heart_api.historyfile).

There is one writer, the leading operator; adding the same entries twice adds them once.
"""

from collections.abc import Sequence
from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from heart_api.handover import Tag
from heart_api.historyfile import MAX_FILE, experiment_name, file_of, merged
from heart_api.outbox import OutboxEntry
from heart_operator.mlflow.errors import RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

PREFIX = "mlflow-artifacts:"


def add_to_history(client: "MlflowClient", uri: str, registry_name: str, entries: Sequence[OutboxEntry]) -> None:
    """Raises RegistryError, or what MLflow's client raises."""
    place = artifact_root(client, registry_name)
    for path, found in groupby(sorted(entries, key=file_of), key=file_of):
        endpoint = f"/api/2.0/mlflow-artifacts/artifacts/{quote(f'{place}/{path}')}"
        before = get(uri, endpoint)
        after = merged(before, found)
        if len(after) > MAX_FILE:
            raise RegistryError(f"{path} of the history of {registry_name} is larger than {MAX_FILE} bytes")
        if after != before:
            put(uri, endpoint, after)


def artifact_root(client: "MlflowClient", registry_name: str) -> str:
    """Of the run that keeps the history, which is made where there is none; the oldest counts if there are two."""
    name = experiment_name(registry_name)
    experiment = client.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(name)
    runs = client.search_runs([experiment_id], f"tags.`{Tag.HISTORY}` = 'true'", order_by=["attributes.start_time ASC"])
    run = runs[0] if runs else new_run(client, experiment_id)
    location = run.info.artifact_uri or ""
    if not location.startswith(f"{PREFIX}/") or location.startswith(f"{PREFIX}//"):
        raise RegistryError("MLflow does not serve this run's artifacts; start it with --serve-artifacts")
    return location.removeprefix(f"{PREFIX}/")


def new_run(client: "MlflowClient", experiment_id: str) -> Any:
    run = client.create_run(experiment_id, tags={Tag.HISTORY: "true"}, run_name="history")
    client.set_terminated(run.info.run_id)
    return run


def get(uri: str, endpoint: str) -> bytes:
    """The file's bytes; none if there is no such file. Bounded: what MLflow sends is not trusted."""
    with request(uri, endpoint, "GET", stream=True) as response:
        if response.status_code == HTTPStatus.NOT_FOUND:
            return b""
        if response.status_code != HTTPStatus.OK:
            raise RegistryError(f"MLflow returned {response.status_code} for the history")
        content = b""
        for chunk in response.iter_content(64 * 1024):
            content += chunk
            if len(content) > MAX_FILE:
                raise RegistryError(f"MLflow sends more than {MAX_FILE} bytes for the history")
    return content


def put(uri: str, endpoint: str, content: bytes) -> None:
    with request(uri, endpoint, "PUT", data=content) as response:
        if response.status_code != HTTPStatus.OK:
            raise RegistryError(f"MLflow returned {response.status_code} when the history was written")


def request(uri: str, endpoint: str, method: str, **more: Any) -> Any:
    """By MLflow's own client, which knows workspace and credentials."""
    from mlflow.utils.credentials import get_default_host_creds  # noqa: PLC0415
    from mlflow.utils.rest_utils import http_request  # noqa: PLC0415

    return http_request(get_default_host_creds(uri), endpoint, method, raise_on_status=False, **more)
