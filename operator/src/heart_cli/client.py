"""Requests to the API server with the user's own kubeconfig: objects in and out as plain data."""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from heart_api.kube.kinds import HEART_MODEL, Kind
from heart_api.kube.values import Manifest
from heart_cli.dryrun import DryRun
from heart_cli.errors import ApiFailure, Failure

FIELD_MANAGER = "kubectl-heart"
MERGE_PATCH = "application/merge-patch+json"
TIMEOUT = 20.0
ENDLESS = (TIMEOUT, None)
"""Seconds to connect, and no limit for what is followed."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response of any status; header names are compared without case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """One cluster, as one user; `namespace` is the default of the commands."""

    def __init__(self, api: client.ApiClient, namespace: str, dry: DryRun = "none") -> None:
        self._api, self._dry = api, dry
        self._api.user_agent = FIELD_MANAGER
        self.namespace = namespace

    def elsewhere(self, namespace: str) -> "Client":
        """The same user, in another namespace."""
        return Client(self._api, namespace, self._dry)

    def rehearsing(self, dry: DryRun) -> "Client":
        """The same user, whose changes are not stored unless `dry` is `none`."""
        return Client(self._api, self.namespace, dry)

    def acting_as(self, user: str) -> "Client":
        """Another user, whom this one may impersonate, with that user's rights."""
        self._api.set_default_header("Impersonate-User", user)
        return self

    def with_connections(self, number: int) -> "Client":
        """The same user with `number` kept connections, whose requests are never retried: a retry hides a failure."""
        configuration = copy.copy(self._api.configuration)
        configuration.connection_pool_maxsize = number
        configuration.retries = 0
        api = client.ApiClient(configuration)
        api.default_headers.update(self._api.default_headers)
        return Client(api, self.namespace, self._dry)

    def get(self, kind: Kind, name: str) -> Manifest:
        found: Manifest = self.call("GET", kind.path(self.namespace, quote(name, safe="")))
        return found

    def list(self, kind: Kind, *, everywhere: bool = False, **query: str) -> list[Manifest]:
        """Objects of the namespace, or of all; `labelSelector` and `fieldSelector` as the API has them."""
        path = kind.path_everywhere if everywhere else kind.path(self.namespace)
        items: list[Manifest] = self.call("GET", path, query)["items"]
        return items

    def annotate(self, name: str, annotations: Mapping[str, str]) -> Manifest:
        """One merge patch of a HeartModel, and the HeartModel then; other annotations stay."""
        path = HEART_MODEL.path(self.namespace, quote(name, safe=""))
        body = {"metadata": {"annotations": dict(annotations)}}
        changed: Manifest = self.write("PATCH", path, body, media=MERGE_PATCH)
        return changed

    def write(self, method: str, path: str, body: Any = None, *, media: str = "application/json") -> Any:
        """A change, and the API server's answer to it. Raises ApiFailure.

        In a dry run nothing is stored: of `server` the API server admits the change, of `client` it is not sent, and
        the answer is the body.
        """
        if self._dry == "client":
            return body or {}
        query = {"fieldManager": FIELD_MANAGER} if method in ("POST", "PATCH") else {}
        return self.call(method, path, query | ({"dryRun": "All"} if self._dry == "server" else {}), body, media=media)

    def user_name(self) -> str:
        """The user, as identified by the API server."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = self.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
        name: str = answer["status"]["userInfo"]["username"]
        return name

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        *,
        media: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The decoded answer; raises ApiFailure for every other outcome."""
        with self._send(method, path, query, body, media, headers=headers) as response:
            return json.loads(response.read())

    def post(self, path: str, body: Any, timeout: float, headers: Mapping[str, str] | None = None) -> Response:
        """The response, whatever its status; raises ApiFailure (status 0) where none came within `timeout` seconds."""
        with self._exchange("POST", path, None, body, "application/json", timeout, headers) as response:
            try:
                return Response(response.status, response.headers, response.read())
            except (HTTPError, OSError) as error:
                raise self._unreachable(error) from error

    def lines(self, path: str, query: Mapping[str, str]) -> Iterator[bytes]:
        """An answer line by line, as it comes."""
        with self._send("GET", path, query, timeout=ENDLESS) as response:
            rest = b""
            for chunk in response.response.stream(decode_content=True):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from whole
            if rest:
                yield rest

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Any = None,
        media: str = "application/json",
        timeout: Any = TIMEOUT,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        response = self._exchange(method, path, query, body, media, timeout, headers)
        try:
            if response.status < 300:
                return response
            content: bytes = response.read()
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        raise ApiFailure(message_of(content), response.status, content)

    def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Any,
        media: str,
        timeout: Any,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The response of any status, its body not read yet."""
        serialized = self._api.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json, */*", "Content-Type": media, **(headers or {})},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            return self._api.call_api(*serialized, _request_timeout=timeout)
        except (HTTPError, OSError, client.ApiException) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> ApiFailure:
        host = self._api.configuration.host
        return ApiFailure(f"The API server at {host} cannot be reached ({type(error).__name__})", 0)


def message_of(content: bytes) -> str:
    """The API server's message."""
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content[:300].decode(errors="replace")


def connect(kubeconfig: str | None, context: str | None, namespace: str | None) -> Client:
    """As kubectl does: KUBECONFIG or ~/.kube/config, its current context, and that context's namespace.

    Raises:
        Failure: no usable kubeconfig.
    """
    try:
        contexts, current = config.list_kube_config_contexts(kubeconfig)
        chosen = next((entry for entry in contexts if entry["name"] == context), None) if context else current
        if chosen is None:
            raise Failure(f"The kubeconfig has no context {context}")
        api = config.new_client_from_config(kubeconfig, context, persist_config=False)
    except (ConfigException, OSError) as error:
        raise Failure(f"No usable kubeconfig ({error}): set KUBECONFIG or --kubeconfig") from error
    return Client(api, namespace or chosen["context"].get("namespace") or "default")
