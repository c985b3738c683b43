"""Requests to the Kubernetes API: objects in and out as plain data.

ApiError
├── NotFound      404
├── Conflict      409, 412: somebody else was quicker, or the object is another one; look again
├── Refused       400, 403, 422: the request itself is wrong or not allowed; a person must act
└── ApiUnavailable  no answer, 429 or 5xx: try again later
"""

import json
from collections.abc import Callable, Mapping, Sequence

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.config.config_exception import ConfigException

from heart_operator.api.names import FIELD_MANAGER
from heart_operator.kinds import Kind
from heart_operator.plan.values import Manifest

REQUEST_TIMEOUT = 15.0
PAGE = 500


class ApiError(Exception):
    """The API server did not do what was asked; the text holds its own words."""


class NotFound(ApiError):
    """There is no such object."""


class Conflict(ApiError):
    """The object is not as it was observed."""


class Refused(ApiError):
    """Invalid or forbidden; the same request fails again."""


class ApiUnavailable(ApiError):
    """No answer, or not now."""


class NotLeading(Exception):
    """The Lease is no longer ours: nothing may be written."""


ERRORS: Mapping[int, type[ApiError]] = {
    404: NotFound,
    409: Conflict,
    410: ApiUnavailable,  # the page token of a long list expired
    412: Conflict,
    429: ApiUnavailable,
}


class Cluster:
    """The API server. Reads always work; writes only while `may_write()` is true."""

    def __init__(self, configuration: client.Configuration, timeout: float = REQUEST_TIMEOUT) -> None:
        """`timeout`: seconds for one request, connection included."""
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self.may_write: Callable[[], bool] = lambda: True
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
        return await self.write("POST", path, manifest, {"fieldManager": FIELD_MANAGER})

    async def apply(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Server-side apply; what we set is ours, what we never set stays as it is.

        With a `metadata.uid` only to that very object, else Conflict.
        """
        meta = manifest["metadata"]
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        media = "application/apply-patch+yaml"
        path = kind.path(meta["namespace"], meta["name"])
        try:
            return await self.write("PATCH", path, manifest, query, media=media)
        except Refused as error:
            if "metadata.uid" in str(error):  # for a namesake the API server calls the uid invalid
                raise Conflict(str(error)) from None
            raise

    async def patch(self, kind: Kind, namespace: str, name: str, subresource: str | None, body: Manifest) -> Manifest:
        """JSON merge patch."""
        path = kind.path(namespace, name, subresource)
        media = "application/merge-patch+json"
        return await self.write("PATCH", path, body, {"fieldManager": FIELD_MANAGER}, media=media)

    async def replace(self, kind: Kind, manifest: Manifest, subresource: str | None = None) -> Manifest:
        """PUT; Conflict when the object's resourceVersion is no longer the manifest's."""
        meta = manifest["metadata"]
        path = kind.path(meta["namespace"], meta["name"], subresource)
        return await self.write("PUT", path, manifest, {"fieldManager": FIELD_MANAGER})

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete this very object and, in the background, what it owns; Conflict when the name is another's now."""
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        await self.write("DELETE", kind.path(namespace, name), options)

    async def kinds_of(self, api_version: str) -> frozenset[str]:
        """Kinds that the cluster has in a group version; empty when it has no such group."""
        try:
            found = await self.request("GET", f"/apis/{api_version}")
        except NotFound:
            return frozenset()
        return frozenset(resource["kind"] for resource in found["resources"])

    async def write(
        self,
        method: str,
        path: str,
        body: Manifest,
        query: Mapping[str, str] | None = None,
        *,
        media: str = "application/json",
    ) -> Manifest:
        """A request that changes something; NotLeading instead once the Lease is lost."""
        self.check_leading(f"{method} {path}")
        return await self.request(method, path, query, body, media=media)

    def check_leading(self, what: str) -> None:
        """Raises NotLeading when nothing may be changed any more."""
        if not self.may_write():
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
        """The decoded answer; raises an ApiError for every other outcome."""
        serialized = await self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": media},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = await self._client.call_api(*serialized, _request_timeout=self._timeout)
            content = await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise ApiUnavailable(f"{method} {path}: no answer from the API server ({type(error).__name__})") from error
        if response.status >= 300:
            raise failure(f"{method} {path}", response.status, content)
        answer: Manifest = json.loads(content)
        return answer

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


def failure(what: str, status: int, content: bytes) -> ApiError:
    """The exception for an answer, with the API server's message."""
    try:
        message = json.loads(content)["message"]
    except (ValueError, KeyError, TypeError):
        message = content[:200].decode(errors="replace")
    default = ApiUnavailable if status >= 500 else Refused
    return ERRORS.get(status, default)(f"{what}: {message} ({status})")


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
