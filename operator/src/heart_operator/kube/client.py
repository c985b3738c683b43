"""Requests to the Kubernetes API: objects in and out as plain data."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.config.config_exception import ConfigException

from heart_api.kube.kinds import Kind
from heart_api.kube.values import Manifest
from heart_api.names import FIELD_MANAGER
from heart_operator.kube.errors import ApiUnavailable, Conflict, NotFound, NotLeading, Refused, failure, pause_asked

REQUEST_TIMEOUT = 15.0
PAGE = 500
LEAST_PAUSE = 0.1
"""Seconds before a request is sent again, doubled each time: `Retry-After: 0` must not become a busy loop."""
MANAGER = {"fieldManager": FIELD_MANAGER}


class Cluster:
    """The API server. Reads always work; writes only within the seconds that `write_time()` leaves."""

    def __init__(self, configuration: client.Configuration, timeout: float = REQUEST_TIMEOUT) -> None:
        """`timeout`: seconds for one request, connection and pauses that the API server asks for included."""
        self._timeout = timeout
        self.write_time: Callable[[], float] = lambda: timeout
        self._client = client.ApiClient(configuration)
        self._client.user_agent = FIELD_MANAGER

    async def close(self) -> None:
        await self._client.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest:
        return await self.request("GET", kind.path(namespace, name))

    async def find(self, kind: Kind, namespace: str, selector: str) -> list[Manifest]:
        """Objects whose labels match, read from etcd and not from a cache that may lag."""
        return await self._list(kind, kind.path(namespace), {"labelSelector": selector})

    async def find_everywhere(self, kind: Kind, namespaces: Sequence[str] = ()) -> list[Manifest]:
        """Objects of these namespaces, or of all when none is named."""
        if not namespaces:
            return await self._list(kind, f"/apis/{kind.api_version}/{kind.plural}", {})
        lists = [await self._list(kind, kind.path(namespace), {}) for namespace in namespaces]
        return [item for items in lists for item in items]

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        """POST; Conflict when the name is taken."""
        path = kind.path(manifest["metadata"]["namespace"])
        return await self.request("POST", path, MANAGER, manifest)

    async def apply(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Server-side apply; what we set is ours, what we never set stays as it is.

        With a `metadata.uid` only to that very object, else Conflict.
        """
        meta = manifest["metadata"]
        media = "application/apply-patch+yaml"
        path = kind.path(meta["namespace"], meta["name"])
        try:
            return await self.request("PATCH", path, MANAGER | {"force": "true"}, manifest, media=media)
        except Refused as error:
            if "metadata.uid" in str(error):  # for a namesake the API server calls the uid invalid
                raise Conflict(str(error)) from None
            raise

    async def patch(self, kind: Kind, namespace: str, name: str, subresource: str | None, body: Manifest) -> Manifest:
        """JSON merge patch."""
        path = kind.path(namespace, name, subresource)
        media = "application/merge-patch+json"
        return await self.request("PATCH", path, MANAGER, body, media=media)

    async def replace(self, kind: Kind, manifest: Manifest, subresource: str | None = None) -> Manifest:
        """PUT; Conflict when the object's resourceVersion is no longer the manifest's.

        Refused for a field that the API server does not know: it would drop it, and say nothing.
        """
        meta = manifest["metadata"]
        path = kind.path(meta["namespace"], meta["name"], subresource)
        return await self.request("PUT", path, MANAGER | {"fieldValidation": "Strict"}, manifest)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete this very object and, in the background, what it owns; Conflict when the name is another's now."""
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        await self.request("DELETE", kind.path(namespace, name), body=options)

    async def kinds_of(self, api_version: str) -> frozenset[str]:
        """Kinds that the cluster has in a group version; empty when it has no such group."""
        try:
            found = await self.request("GET", f"/apis/{api_version}")
        except NotFound:
            return frozenset()
        return frozenset(resource["kind"] for resource in found["resources"])

    def check_leading(self, what: str) -> None:
        """Raises NotLeading when nothing may be changed any more."""
        if self.write_time() <= 0:
            raise NotLeading(f"{what}: not sent, this process no longer holds the Lease")

    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        *,
        media: str = "application/json",
    ) -> Manifest:
        """The decoded answer; raises an ApiError for every other outcome, NotLeading for a write without the Lease.

        Sent again, within the time that a request has, while the API server says "not now": the client's own retries
        are for reads alone, and know neither that time nor the Lease.
        """
        what, end, least = f"{method} {path}", time.monotonic() + self._timeout, LEAST_PAUSE
        serialized = await self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": media},
            body=body,
            auth_settings=["BearerToken"],
        )
        while True:
            left = end - time.monotonic()
            if method != "GET":
                self.check_leading(what)
                left = min(left, self.write_time())
            with unavailable(what):
                timeout = aiohttp.ClientTimeout(total=left)
                response = await self._client.call_api(*serialized, _request_timeout=timeout)
                content = await response.read()
            pause = pause_asked(response.status, response.headers)
            if pause is not None:
                pause = max(pause, least)
                least *= 2
            if pause is None or time.monotonic() + pause >= end:
                return decoded(what, response.status, content)
            await asyncio.sleep(pause)

    async def _list(self, kind: Kind, path: str, query: dict[str, str]) -> list[Manifest]:
        """All pages; each item gets the apiVersion and kind that lists leave out."""
        items: list[Manifest] = []
        following = ""
        while True:
            page = await self.request("GET", path, query | {"limit": str(PAGE), "continue": following})
            items += [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in page["items"]]
            following = page["metadata"].get("continue") or ""
            if not following:
                return items


@contextmanager
def unavailable(what: str) -> Iterator[None]:
    """ApiUnavailable for a connection that fails."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        raise ApiUnavailable(f"{what}: no answer from the API server ({type(error).__name__})") from error


def decoded(what: str, status: int, content: bytes) -> Manifest:
    if status >= 300:
        raise failure(what, status, content)
    answer: Manifest = json.loads(content)
    return answer


async def load_configuration() -> client.Configuration:
    """Address and credentials: the pod's ServiceAccount, else KUBECONFIG (or ~/.kube/config)."""
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except ConfigException:
        await load_kubeconfig(configuration)
    return configuration


async def load_kubeconfig(configuration: client.Configuration) -> None:
    try:
        await config.load_kube_config(client_configuration=configuration)
    except ConfigException as error:
        message = f"no ServiceAccount and no usable kubeconfig ({error}); run in a pod, or set KUBECONFIG"
        raise ConfigException(message) from None
