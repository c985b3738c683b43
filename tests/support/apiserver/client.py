"""A small synchronous client of the API server for tests: objects in and out as data."""

import base64
import ssl
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from heart_api.kube.kinds import DEPLOYMENT, HEART_MODEL, JOB, Kind

Resource = dict[str, Any]
T = TypeVar("T")
BUSY_TRIES = 10
NAMESPACE = Kind("v1", "Namespace", "namespaces")
__all__ = ["DEPLOYMENT", "HEART_MODEL", "JOB", "KubeApi", "Resource", "poll"]


class KubeApi:
    """The cluster's administrator, or somebody whom the administrator plays."""

    def __init__(self, kubeconfig: Path, as_user: str = "") -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.server: str = cluster["server"]
        self.ca: bytes = base64.b64decode(cluster["certificate-authority-data"])
        context = ssl.create_default_context(cadata=self.ca.decode())
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"\n".join(base64.b64decode(user[f"client-{part}-data"]) for part in ("certificate", "key")))
            file.flush()
            context.load_cert_chain(file.name)
        headers = {"Impersonate-User": as_user} if as_user else {}
        self._http = httpx.Client(base_url=self.server, verify=context, timeout=30, headers=headers)

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, body: Any = None, media: str = "application/json", **query: str) -> Resource:
        """Raises httpx.HTTPStatusError with the API server's message for 4xx and 5xx."""
        for _ in range(BUSY_TRIES):
            answer = self._http.request(method, path, json=body, headers={"Content-Type": media}, params=query)
            if answer.status_code != 429:
                break
            # As every client of Kubernetes does: a changed CRD's storage needs a moment.
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        if answer.is_error:
            raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
        return answer.json()

    def get(self, kind: Kind, namespace: str, name: str) -> Resource | None:
        """None when there is no such object."""
        try:
            return self.call("GET", kind.path(namespace, name))
        except httpx.HTTPStatusError as error:
            if error.response.status_code == 404:
                return None
            raise

    def list(self, kind: Kind, namespace: str, selector: str = "") -> "list[Resource]":
        return self.call("GET", kind.path(namespace), labelSelector=selector)["items"]

    def create(self, kind: Kind, resource: Resource) -> Resource:
        return self.call("POST", kind.path(resource["metadata"]["namespace"]), resource)

    def patch(
        self, kind: Kind, namespace: str, name: str, changes: Resource, subresource: str | None = None
    ) -> Resource:
        """JSON merge patch."""
        return self.call("PATCH", kind.path(namespace, name, subresource), changes, "application/merge-patch+json")

    def delete(self, kind: Kind, namespace: str, name: str) -> None:
        self.call("DELETE", kind.path(namespace, name), {"propagationPolicy": "Background"})

    def create_namespace(self, name: str) -> None:
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        with suppress(httpx.HTTPStatusError):
            self.call("POST", "/api/v1/namespaces", manifest)

    def names(self, kinds: Iterable[Kind], namespace: str, selector: str) -> set[tuple[str, str]]:
        """(kind, name) of everything that matches; nothing is of a kind that the cluster does not have."""
        found = set()
        for kind in kinds:
            try:
                found |= {(kind.kind, item["metadata"]["name"]) for item in self.list(kind, namespace, selector)}
            except httpx.HTTPStatusError as error:
                if error.response.status_code != 404:
                    raise
        return found


def poll(what: str, probe: Callable[[], T | None], seconds: float = 20) -> T:
    """The first true answer of `probe`; fails the test after the deadline, saying what did not come."""
    deadline = time.monotonic() + seconds
    while True:
        if found := probe():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)
