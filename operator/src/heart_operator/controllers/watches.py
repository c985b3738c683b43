"""kopf's watches: an event becomes a key in the work queue, and nothing else happens here.

No timers, daemons or delete handlers: each would need a finalizer, and a finalizer blocks deletion while the operator
is down. kopf stores nothing in HeartOps resources and posts no events.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

import kopf
from kubernetes.aio import client

from heart_api.kube.kinds import DEPLOYMENT, FEDERATION_SITE, HEART_MODEL, JOB, LEASE, RETRAIN_SCHEDULE, TRAIN_JOB, Kind
from heart_api.kube.schedules import model_of
from heart_api.kube.values import Manifest, ModelKey, SiteKey
from heart_api.names import FIELD_MANAGER, Label, short_hash
from heart_operator.controllers.federation import FederationIndex, news_of

SETTLE = 0.1
"""Seconds to wait for the other events of one change."""
SERVER_TIMEOUT = 290
CLIENT_TIMEOUT = 300.0
INACTIVITY_TIMEOUT = 75.0
"""Seconds without an event or bookmark (one a minute) after which a watch counts as dead and is begun again."""

PAGE = 16
"""Objects per page when a watch starts. Each may be a megabyte, and any user can set the label."""

HELD = 1.0
"""Seconds for which kopf keeps an object after its event was handled, in case another event follows."""

VOLATILE = ("resourceVersion", "managedFields", "generation")

Key = ModelKey | SiteKey
Enqueue = Callable[[Key], None]
Count = Callable[[Kind, str, str, str | None], None]
"""Kind, namespace, name and creation time of a HeartModel or RetrainSchedule; None: it was deleted."""


def build_registry(
    kinds: Iterable[Kind], enqueue: Enqueue, pulse: Callable[[], None], count: Count
) -> kopf.OperatorRegistry:
    """Watches of HeartModels, of their schedules, sites and children, and of the operator's own Lease."""
    registry, events = kopf.OperatorRegistry(), Events(enqueue, count)
    watch(registry, HEART_MODEL, events.on_model)
    watch(registry, RETRAIN_SCHEDULE, events.on_schedule)
    watch(registry, FEDERATION_SITE, events.on_site)
    watch(registry, LEASE, lambda **_: pulse())
    for kind in kinds:
        watch(registry, kind, events.on_child if kind in (JOB, DEPLOYMENT, TRAIN_JOB) else events.on_plain_child)
    return registry


class Events:
    """Which models and sites an event concerns."""

    def __init__(self, enqueue: Enqueue, count: Count) -> None:
        self._enqueue, self._count = enqueue, count
        self._index = FederationIndex()

    def on_model(
        self, type: str | None, namespace: str, name: str, body: Manifest, memo: kopf.Memo | None = None, **_: Any
    ) -> None:
        self._count(HEART_MODEL, namespace, name, created_of(type, body))
        key = ModelKey(namespace, name)
        self._enqueue(key)
        sites = self._index.sites_of(key, body)
        if sites and (has_changed(memo, news_of(body)) or type == "DELETED"):
            for site in sites:
                self._enqueue(site)

    def on_site(self, type: str | None, namespace: str, name: str, body: Manifest, **_: Any) -> None:
        site = SiteKey(namespace, name)
        for model in self._index.models_of(site, body, gone=type == "DELETED"):
            self._enqueue(model)
        self._enqueue(site)

    def on_schedule(self, type: str | None, namespace: str, name: str, body: Manifest, **_: Any) -> None:
        self._count(RETRAIN_SCHEDULE, namespace, name, created_of(type, body))
        if model := model_of(body):
            self._enqueue(ModelKey(namespace, model))

    def on_child(self, namespace: str, labels: Any, **_: Any) -> None:
        if name := labels.get(Label.MODEL):
            self._enqueue(ModelKey(namespace, name))
        if name := labels.get(Label.SITE):
            self._enqueue(SiteKey(namespace, name))

    def on_plain_child(self, type: str | None, body: Manifest, memo: kopf.Memo, **event: Any) -> None:
        if is_news(body, memo) or type == "DELETED":
            self.on_child(**event)


def created_of(event: str | None, body: Manifest) -> str | None:
    """None: the event says that the object is gone."""
    created: str = body["metadata"]["creationTimestamp"]
    return None if event == "DELETED" else created


def is_news(body: Manifest, memo: kopf.Memo) -> bool:
    """Whether more than the status changed since the last event: an HPA's is written several times a minute."""
    metadata = {name: value for name, value in body["metadata"].items() if name not in VOLATILE}
    rest = {name: value for name, value in body.items() if name not in ("metadata", "status")}
    return has_changed(memo, short_hash(json.dumps([metadata, rest], sort_keys=True, default=dict), length=16))


def has_changed(memo: kopf.Memo | None, seen: object) -> bool:
    """Whether it differs from what was seen of the object before."""
    if memo is None:
        return True
    news: bool = memo.get("seen") != seen
    memo["seen"] = seen
    return news


def watch(registry: kopf.OperatorRegistry, kind: Kind, handler: Callable[..., None]) -> None:
    async def handle(**event: Any) -> None:
        handler(**event)

    kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=kind.plural)(handle)


def build_settings(kinds: Iterable[Kind], lease_name: str) -> kopf.OperatorSettings:
    """Server-side selectors, timeouts on both sides, and nothing written by kopf."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.server_timeout = SERVER_TIMEOUT
    settings.watching.client_timeout = CLIENT_TIMEOUT
    settings.watching.connect_timeout = 10
    settings.watching.inactivity_timeout = INACTIVITY_TIMEOUT
    settings.watching.chunk_size = PAGE
    settings.queueing.idle_timeout = HELD
    settings.networking.request_timeout = 30
    settings.watching.field_selectors[LEASE.group, LEASE.version, LEASE.plural] = f"metadata.name={lease_name}"
    for kind in kinds:
        settings.watching.label_selectors[kind.group, kind.version, kind.plural] = f"{Label.MANAGED_BY}={FIELD_MANAGER}"
    return settings


def use_credentials(registry: kopf.OperatorRegistry, configuration: client.Configuration) -> None:
    """Log kopf in as the operator's own client, again after each renewal of the token."""

    async def login(**_: Any) -> kopf.ConnectionInfo:
        header = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization") or ""
        return kopf.ConnectionInfo(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            ca_data=configuration.ca_cert_data,
            insecure=not configuration.verify_ssl,
            token=header.partition(" ")[2] or None,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
        )

    kopf.on.login(registry=registry, id="login")(login)
