"""HTTP of the triggers: POST /v1/namespaces/{namespace}/heartmodels/{name}/{retrain,check,registry}.

A caller proves who they are with a Kubernetes token, and Kubernetes says whether they may; for `registry`, the
signature of an MLflow webhook will do as well. Every request is bounded in bytes, seconds and number before anything is
read of it, and no answer tells an unauthorized caller what exists.
"""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from heart_api.checks import CheckOrder, new_id
from heart_api.durations import seconds
from heart_api.names import GROUP
from heart_api.retrainschedule import DriftCheck
from heart_api.status import RequestsStatus, RequestStatus
from heart_api.times import written
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import ApiError, Conflict, NotFound
from heart_operator.telemetry.authorization import FORBIDDEN, OK, UNAUTHORIZED, UNAVAILABLE, TokenAuthorizer
from heart_operator.triggers.limits import Buckets, Rate
from heart_operator.triggers.requests import Change, Suspended, next_id, record
from heart_operator.triggers.webhooks import SIGNATURE, read_keys, verify

log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024
BODY_SECONDS = 10.0
MOST_AT_ONCE = 64
"""Requests that are being answered; more get 503."""
PEERS = Rate(60, 10.0)
"""Of one network address, before anything is known of the caller."""
NAMESPACES = Rate(10, 0.2)
"""That ask for something in one namespace, by callers who may."""
VERBS = {"retrain": "patch", "check": "patch", "registry": "get"}
"""What the caller must be allowed to do with the HeartModel; who may patch it could write the annotation as well."""
NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
PATH = f"/v1/namespaces/{{namespace:{NAME}}}/heartmodels/{{name:{NAME}}}/{{what:{'|'.join(VERBS)}}}"
DEFAULT = DriftCheck()


class Refused(Exception):
    """The request is answered with this status; `message` says what to do."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; of a webhook also what its request is known by, so that the same delivery is the same request."""

    name: str
    id: str = ""


class Triggers:
    """Answers requests. `cluster` must be able to write without holding the Lease."""

    def __init__(
        self,
        cluster: Cluster,
        watches: Callable[[str], bool],
        keys: Path | None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`watches`: whether the operator manages a namespace. `keys`: folder with a file of webhook keys for each."""
        self._cluster = cluster
        self._watches = watches
        self._keys = keys
        self._clock = clock
        self._now = now
        self._authorizer = TokenAuthorizer(cluster, clock)
        self._peers, self._namespaces = Buckets(PEERS), Buckets(NAMESPACES)
        self._running = 0

    def app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY)
        app.add_routes([web.post(PATH, self.post)])
        return app

    async def post(self, request: web.Request) -> web.Response:
        try:
            return accepted(await self._bounded(request))
        except Refused as refused:
            return answer(refused.status, {"error": str(refused)}, refused.headers)

    async def _bounded(self, request: web.Request) -> str:
        """The request's id. Raises Refused."""
        self._check_rate(self._peers, request.remote)
        if self._running >= MOST_AT_ONCE:
            raise Refused(UNAVAILABLE, "too many requests at this time; try again", Retry_After="1")
        self._running += 1
        try:
            return await self._handle(request)
        finally:
            self._running -= 1

    async def _handle(self, request: web.Request) -> str:
        namespace, name, what = (request.match_info[part] for part in ("namespace", "name", "what"))
        body = await read_body(request)
        caller = await self._caller(request.headers, body, namespace, name, what)
        self._check_rate(self._namespaces, namespace)
        if not self._watches(namespace):
            raise not_found(namespace, name)
        change, id_ = self._change(what, caller, body)
        try:
            stored = await record(self._cluster, namespace, name, change)
        except NotFound:
            raise not_found(namespace, name) from None
        except Suspended:
            raise Refused(409, f"HeartModel {name} is suspended: set spec.suspend to false") from None
        except Conflict:
            raise Refused(UNAVAILABLE, "the HeartModel is being changed; try again", Retry_After="1") from None
        except ApiError as error:
            log.warning("A trigger for %s/%s could not be stored: %s", namespace, name, error)
            raise Refused(UNAVAILABLE, "the API server cannot be asked now; try again", Retry_After="5") from None
        log.info("HeartModel %s/%s: %s requested over HTTP by %s", namespace, name, what, caller.name)
        kept = getattr(stored, what)
        return kept.id if kept else id_

    def _check_rate(self, buckets: Buckets, key: str | None) -> None:
        if wait := buckets.take(key, self._clock()):
            raise Refused(429, "too many requests; try again later", Retry_After=str(int(wait) + 1))

    async def _caller(self, headers: Mapping[str, str], body: bytes, namespace: str, name: str, what: str) -> Caller:
        """Raises Refused with 401, 403 or 503."""
        if SIGNATURE in headers and "Authorization" not in headers:
            return self._webhook(headers, body, namespace, what)
        about = {"group": GROUP, "resource": "heartmodels", "namespace": namespace, "name": name, "verb": VERBS[what]}
        decision = await self._authorizer.review(headers.get("Authorization", ""), {"resourceAttributes": about})
        if decision.status == OK:
            return Caller(decision.user)
        if decision.status == FORBIDDEN:
            raise Refused(FORBIDDEN, f"the token's user needs the right to {VERBS[what]} this HeartModel")
        if decision.status == UNAUTHORIZED:
            raise unauthorized()
        raise Refused(UNAVAILABLE, "the API server cannot be asked now; try again", Retry_After="5")

    def _webhook(self, headers: Mapping[str, str], body: bytes, namespace: str, what: str) -> Caller:
        """A key of the namespace has signed the body: it may make us look, and nothing else."""
        delivery = verify(headers, body, read_keys(self._keys, namespace), self._now().timestamp())
        if delivery is None:
            raise unauthorized()
        if what != "registry":
            raise Refused(FORBIDDEN, f"a webhook may not ask for {what}: use a Kubernetes token, or …/registry")
        return Caller("webhook", new_id(delivery.at, delivery.id.replace("-", "").lower()))

    def _change(self, what: str, caller: Caller, body: bytes) -> tuple[Change, str]:
        """What the request does to the stored ones, and the id that it brings, if it does."""
        unique, now = secrets.token_hex(4), self._now()
        order = read_check(body, now, caller.name) if what == "check" else None

        def change(before: RequestsStatus) -> RequestsStatus:
            known = getattr(before, what)
            last = known.id if known else ""
            if caller.id and caller.id <= last:
                return before  # this delivery, or a later one, has been answered
            id_ = caller.id or next_id(now, unique, last)
            found = order.model_copy(update={"id": id_}) if order else RequestStatus(id=id_, by=caller.name)
            return before.model_copy(update={what: found})

        return change, caller.id


def read_check(body: bytes, now: datetime, by: str) -> CheckOrder:
    """The order in a body such as `{"from": …, "to": …, "where": {"site": "hospital-01"}}`; every part may be absent.

    Raises Refused.
    """
    try:
        given = json.loads(body or b"{}")
        if not isinstance(given, dict):
            raise ValueError("it must be an object")
        unknown = sorted(set(given) - {"from", "to", "where", "minSamples", "threshold", "anyFeature"})
        if unknown:
            raise ValueError(f"unknown field {unknown[0][:40]!r}")
        until = str(given.pop("to", written(now)))
        length = timedelta(seconds=seconds(DEFAULT.window))
        since = str(given.pop("from", "")) or written(datetime.fromisoformat(until) - length)
        return CheckOrder.model_validate({"id": "0", "by": by[:253], "since": since, "until": until, **given})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "body"
        raise Refused(422, f"{where}: {str(first['msg']).removeprefix('Value error, ')}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise Refused(400, f"the body is no JSON object that describes a check: {str(error)[:200]}") from None


async def read_body(request: web.Request) -> bytes:
    """At most MAX_BODY bytes within BODY_SECONDS. Raises Refused."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Refused(413, f"a body may have at most {MAX_BODY} bytes", Connection="close") from None
    except TimeoutError:
        raise Refused(408, f"the body did not come within {BODY_SECONDS:g} s", Connection="close") from None
    except (web.HTTPException, ValueError, ConnectionError):
        raise Refused(400, "the body could not be read", Connection="close") from None


def unauthorized() -> Refused:
    hint = "send a Kubernetes token as `Authorization: Bearer …`, or sign the request as an MLflow webhook"
    return Refused(UNAUTHORIZED, hint, WWW_Authenticate="Bearer")


def not_found(namespace: str, name: str) -> Refused:
    return Refused(404, f"the operator manages no HeartModel {namespace}/{name}")


def accepted(id_: str) -> web.Response:
    return answer(202, {"id": id_, "status": "requested"}, {})


def answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> web.Response:
    return web.json_response(body, status=status, headers=dict(headers))
