"""One namespace's part of MLflow, by its REST interface, as much of it as copying a version needs.

https://mlflow.org/docs/latest/rest-api.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import urllib3

from heart_cli.errors import Failure

API, ARTIFACTS = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
MAX_FILE = 512 * 1024 * 1024
"""Of a model's file: what serving pods take."""
SECONDS = 300.0
EXISTS = "RESOURCE_ALREADY_EXISTS"
Answer = dict[str, Any]


class RegistryFailure(Failure):
    """MLflow said no; `code` is its own word for why."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Workspace:
    """`headers` hold who asks, and for which workspace."""

    url: str
    namespace: str
    headers: Mapping[str, str] = field(repr=False)
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False), repr=False)

    def read(self, path: str, **query: str) -> Answer:
        """Raises Failure."""
        return self._json("GET", f"{API}/{path}?{urlencode(query)}")

    def write(self, path: str, **body: object) -> Answer:
        """Raises Failure."""
        return self._json("POST", f"{API}/{path}", json.dumps(body).encode())

    def download(self, uri: str, name: str) -> bytes:
        """A file below the address of an artifact's folder. Raises Failure."""
        status, found = self._ask("GET", f"{ARTIFACTS}/{proxied(uri)}/{quote(name)}")
        if status != 200:
            raise Failure(f"MLflow has no file {name} in workspace {self.namespace} ({status})")
        return found

    def upload(self, uri: str, name: str, data: bytes) -> None:
        """Raises Failure."""
        status, said = self._ask("PUT", f"{ARTIFACTS}/{proxied(uri)}/{quote(name)}", data)
        if status != 200:
            raise Failure(
                f"MLflow did not take the file {name} in workspace {self.namespace} ({status}): {said[:200]!r}"
            )

    def _json(self, method: str, path: str, body: bytes | None = None) -> Answer:
        status, data = self._ask(method, path, body, {"Content-Type": "application/json"})
        try:
            found = json.loads(data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Failure(f"MLflow's answer in workspace {self.namespace} is not JSON ({status})")
        if status != 200:
            why = str(found.get("message", ""))[:300]
            raise RegistryFailure(f"MLflow, workspace {self.namespace}: {why} ({status})", str(found.get("error_code")))
        return found

    def _ask(
        self, method: str, path: str, body: bytes | None = None, more: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        headers = {**self.headers, **(more or {})}
        try:
            answer = self.pool.request(
                method,
                self.url + path,
                body=body,
                headers=headers,
                redirect=False,
                timeout=SECONDS,
                preload_content=False,
            )
            data = answer.read(MAX_FILE + 1)
        except urllib3.exceptions.HTTPError as error:
            raise Failure(f"MLflow does not answer ({type(error).__name__})") from None
        if len(data) > MAX_FILE:
            raise Failure(f"MLflow sent more than {MAX_FILE} bytes")
        return answer.status, data


def proxied(uri: str) -> str:
    """Path below MLflow's artifact proxy. Raises Failure for files that are elsewhere."""
    parts = urlsplit(uri)
    path = parts.path.strip("/")
    if parts.scheme != "mlflow-artifacts" or not path or ".." in unquote(path).split("/"):
        raise Failure("MLflow does not serve this version's files itself (mlflow-artifacts:), so they cannot be copied")
    return quote(path)
