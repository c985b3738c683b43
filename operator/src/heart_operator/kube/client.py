"""Requests to the Kubernetes API: objects in and out as plain data."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.config.config_exception import ConfigException

from heart_api.kube.kinds import Kind
from heart_api.kube.values import Manifest
from heart_api.names import FIELD_MANAGER
from heart_operator.kube.errors import (
    ApiUnavailable,
    Conflict,
    NotFound,
    NotLeading,
    RequestRejected,
    TooLarge,
    failure,
    pause_asked,
)

REQUEST_TIMEOUT = 15.0
PAGE = 100
MAX_PAGE = 8 * 1024 * 1024
"""Maximum bytes of one page; above, smaller pages are requested. Any user can put HeartOps labels on large objects."""
MAX_OBJECT = 256 * 1024
"""Characters of one object of a list with such pages; a larger one is kept without its content."""
LEAST_PAUSE = 0.1
"""Seconds before a request is sent again, doubled each time: `Retry-After: 0` must not become a busy loop."""
MANAGER = {"fieldManager": FIELD_MANAGER}
Body = Manifest | list[Mapping[str, Any]] | None
T = TypeVar("T")


class Cluster:
    """The API server. Reads always work; writes only within the seconds that `write_time()` leaves."""

    def __init__(self, configuration: client.Configuration, timeout: float = REQUEST_TIMEOUT) -> None:
        """`timeout`: seconds for one request, including connecting and pauses requested by the API server."""
        self._timeout = timeout
        self.write_time: Callable[[], float] = lambda: timeout
        self._client = client.ApiClient(configuration)
        self._client.user_agent = FIELD_MANAGER

    async def close(self) -> None:
        await self._client.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest:
        return await self.request("GET", kind.path(namespace, name))

    async def find(
        self,
        kind: Kind,
        namespace: str,
        selector: str,
        *,
        fields: str = "",
        keep: Callable[[Manifest], bool] = lambda item: True,
    ) -> list[Manifest]:
        """Objects whose labels and fields match, read from etcd and not from a cache that may lag.

        Those that `keep` does not want are dropped page by page.
        """
        query = {"labelSelector": selector} | ({"fieldSelector": fields} if fields else {})
        found: list[Manifest] = []
        async for page in self._pages(kind, kind.path(namespace), query):
            found += [item for item in page if keep(item)]
        return found

    async def collect(
        self, kind: Kind, namespaces: Sequence[str], pick: Callable[[Manifest], T], selector: str = ""
    ) -> list[T]:
        """What `pick` keeps of every object of these namespaces, or of all when none is named; read page by page."""
        everywhere = f"/apis/{kind.api_version}/{kind.plural}"
        query = {"labelSelector": selector} if selector else {}
        found: list[T] = []
        for path in [kind.path(namespace) for namespace in namespaces] or [everywhere]:
            async for page in self._pages(kind, path, query):
                found += map(pick, page)
        return found

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        """POST; Conflict when the name is taken."""
        path = kind.path(manifest["metadata"]["namespace"])
        return await self.request("POST", path, MANAGER, manifest)

    async def apply(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Server-side apply: the operator owns the fields that it sets and leaves all others alone.

        With a `metadata.uid`, only that very object is changed; otherwise raises Conflict.
        """
        meta = manifest["metadata"]
        media = "application/apply-patch+yaml"
        path = kind.path(meta["namespace"], meta["name"])
        try:
            return await self.request("PATCH", path, MANAGER | {"force": "true"}, manifest, media=media)
        except RequestRejected as error:
            if "metadata.uid" in str(error):  # for a namesake the API server calls the uid invalid
                raise Conflict(str(error)) from None
            raise

    async def patch(self, kind: Kind, namespace: str, name: str, subresource: str | None, body: Manifest) -> Manifest:
        """JSON merge patch."""
        path = kind.path(namespace, name, subresource)
        media = "application/merge-patch+json"
        return await self.request("PATCH", path, MANAGER, body, media=media)

    async def rewrite(self, kind: Kind, namespace: str, name: str, operations: Sequence[Mapping[str, Any]]) -> Manifest:
        """JSON Patch; Conflict when it sets a resourceVersion that is no longer the object's."""
        path = kind.path(namespace, name)
        return await self.request("PATCH", path, MANAGER, list(operations), media="application/json-patch+json")

    async def replace(self, kind: Kind, manifest: Manifest, subresource: str | None = None) -> Manifest:
        """PUT. Raises Conflict when the object's resourceVersion is no longer the manifest's.

        Raises RequestRejected for a field unknown to the API server, which would otherwise drop it silently.
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
        body: Body = None,
        *,
        media: str = "application/json",
    ) -> Manifest:
        """The decoded answer; raises an ApiError for every other outcome, NotLeading for a write without the Lease.

        Sent again, within the time that a request has, while the API server says "not now": the client's own retries
        are for reads alone, and know neither that time nor the Lease.
        """
        what, end, least = f"{method} {path}", time.monotonic() + self._timeout, LEAST_PAUSE
        serialized = await self._serialized(method, path, query or {}, body, media)
        while True:
            timeout = self._time_for(what, end, writes=method != "GET")
            with unavailable(what):
                response = await self._client.call_api(*serialized, _request_timeout=timeout)
                content = await read_bounded(what, response.response)
            pause = pause_asked(response.status, response.headers)
            if pause is None or time.monotonic() + max(pause, least) >= end:
                return decoded(what, response.status, content)
            await asyncio.sleep(max(pause, least))
            least *= 2

    async def _serialized(
        self, method: str, path: str, query: Mapping[str, str], body: Body, media: str
    ) -> tuple[Any, ...]:
        """The request as `call_api` takes it."""
        serialized: tuple[Any, ...] = await self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params={"Accept": "application/json", "Content-Type": media},
            body=body,
            auth_settings=["BearerToken"],
        )
        return serialized

    def _time_for(self, what: str, end: float, *, writes: bool) -> aiohttp.ClientTimeout:
        """What a request may last: until `end`, and a write no longer than the Lease allows. Raises NotLeading."""
        left = end - time.monotonic()
        if writes:
            self.check_leading(what)
            left = min(left, self.write_time())
        return aiohttp.ClientTimeout(total=left)

    async def _pages(self, kind: Kind, path: str, query: dict[str, str]) -> AsyncIterator[list[Manifest]]:
        """Yield the items with apiVersion and kind, which lists omit. A page that is too large is requested again in
        parts."""
        following, limit = "", PAGE
        while True:
            try:
                page = await self.request("GET", path, query | {"limit": str(limit), "continue": following})
            except TooLarge:
                if limit == 1:
                    raise
                limit = max(1, limit // 16)
                continue
            items = [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in page["items"]]
            yield items if limit == PAGE else [without_content(item) for item in items]
            following = page["metadata"].get("continue") or ""
            if not following:
                return


@contextmanager
def unavailable(what: str) -> Iterator[None]:
    """ApiUnavailable for a connection that fails."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        raise ApiUnavailable(f"{what}: no answer from the API server ({type(error).__name__})") from error


async def read_bounded(what: str, response: aiohttp.ClientResponse) -> bytes:
    """The body; raises TooLarge once it has more than MAX_PAGE bytes."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_PAGE:
            response.close()
            raise TooLarge(f"{what}: an answer of more than {MAX_PAGE} bytes")
    return bytes(body)


def without_content(item: Manifest) -> Manifest:
    """The metadata alone of an object that is too large: changes are noticed and it can be deleted."""
    if len(json.dumps(item)) <= MAX_OBJECT:
        return item
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "labels")
    meta = {name: value for name, value in item["metadata"].items() if name in kept}
    meta["ownerReferences"] = item["metadata"].get("ownerReferences") or []
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": meta, "spec": {}}


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
