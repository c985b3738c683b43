"""Who may use the operator's endpoints: Kubernetes decides, by the caller's token.

As controller-runtime and kube-rbac-proxy do: a TokenReview says whose token a request carries, a SubjectAccessReview
whether that user may. Both answers are remembered for a short time, and no caller can fill the memory.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import ApiError

PATH = "/metrics"
ALLOWED_SECONDS = 60.0
DENIED_SECONDS = 10.0
KEPT = 128
"""Decisions of each kind that are remembered; the oldest goes first. Rejected ones displace no allowed one."""
LONGEST_TOKEN = 16 * 1024
AT_ONCE = 4
"""Reviews at one time. A caller without an answer yet gets 503 beyond WAITING of them."""
WAITING = 32
OK, UNAUTHORIZED, FORBIDDEN, UNAVAILABLE = 200, 401, 403, 503


@dataclass(frozen=True, slots=True)
class Decision:
    """`status`: 200, 401 (no valid token), 403, or 503 (nobody can tell); `user`: whose token it is."""

    status: int
    user: str = ""


Kept = dict[bytes, tuple[float, Decision]]
Attributes = Mapping[str, Mapping[str, str]]
"""What a SubjectAccessReview asks about: `nonResourceAttributes` or `resourceAttributes`."""


class TokenAuthorizer:
    """Decides by the header `Authorization`. `cluster` must be able to write without holding the Lease."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._clock = clock
        self._allowed: Kept = {}
        self._denied: Kept = {}
        self._reviews = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def review(self, authorization: str, about: Attributes) -> Decision:
        """Whether the token's user may do what it is about."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token.isascii() or not 0 < len(token) <= LONGEST_TOKEN:
            return Decision(UNAUTHORIZED)
        digest = hashlib.sha256(json.dumps([token, about], sort_keys=True, default=dict).encode()).digest()
        for kept in (self._allowed, self._denied):
            if (known := kept.get(digest)) and known[0] > self._clock():
                return known[1]
        if self._waiting >= WAITING:
            return Decision(UNAVAILABLE)
        return await self._review(digest, token, about)

    async def _review(self, digest: bytes, token: str, about: Attributes) -> Decision:
        self._waiting += 1
        try:
            async with self._reviews:
                decision = await self._ask(token, about)
        except ApiError:
            return Decision(UNAVAILABLE)
        finally:
            self._waiting -= 1
        if decision.status == OK:
            self._denied.pop(digest, None)
            keep(self._allowed, digest, (self._clock() + ALLOWED_SECONDS, decision))
        else:
            self._allowed.pop(digest, None)
            keep(self._denied, digest, (self._clock() + DENIED_SECONDS, decision))
        return decision

    async def _ask(self, token: str, about: Attributes) -> Decision:
        """Raises ApiError."""
        found = await self._create("authentication.k8s.io", "TokenReview", {"token": token})
        if not found.get("authenticated"):
            return Decision(UNAUTHORIZED)
        user = found.get("user") or {}
        subject = {"user": user.get("username", ""), "uid": user.get("uid", ""), "groups": user.get("groups") or []}
        subject |= {"extra": user["extra"]} if user.get("extra") else {}
        answer = await self._create("authorization.k8s.io", "SubjectAccessReview", subject | dict(about))
        return Decision(OK if answer.get("allowed") else FORBIDDEN, str(user.get("username", "")))

    async def _create(self, group: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        """The status of a review. Raises ApiError."""
        body = {"apiVersion": f"{group}/v1", "kind": kind, "spec": spec}
        answer = await self._cluster.request("POST", f"/apis/{group}/v1/{kind.lower()}s", body=body)
        status: dict[str, Any] = answer.get("status") or {}
        return status


class MetricsAuthorizer:
    """Who may read the metrics: whom Kubernetes lets `get` the path /metrics."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float]) -> None:
        self._tokens = TokenAuthorizer(cluster, clock)

    async def decide(self, authorization: str) -> int:
        """The HTTP status of a request with this header: 200, 401, 403 or 503."""
        about = {"nonResourceAttributes": {"path": PATH, "verb": "get"}}
        return (await self._tokens.review(authorization, about)).status


def keep(kept: Kept, digest: bytes, decision: tuple[float, Decision]) -> None:
    """As the newest; the oldest goes when there are too many."""
    kept.pop(digest, None)
    if len(kept) >= KEPT:
        kept.pop(next(iter(kept)))
    kept[digest] = decision
