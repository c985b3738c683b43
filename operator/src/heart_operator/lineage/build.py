"""The deliverer, from the operator's settings."""

from collections.abc import Callable

import aiohttp
from prometheus_client import CollectorRegistry

from heart_api.kube.values import ModelKey
from heart_api.outbox import Destination, OutboxEntry
from heart_operator.lineage.cloudevents import cloud_event
from heart_operator.lineage.deliverer import Deliver, Deliverer, Offer
from heart_operator.lineage.openlineage import run_event
from heart_operator.lineage.sinks import Encode, HttpSink, SinkUnavailable
from heart_operator.mlflow.snapshots import RegistryReader
from heart_operator.settings import Settings


class Sessions:
    """One HTTP client for all sinks, made in the event loop that uses it."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def __call__(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    async def close(self) -> None:
        if self._session:
            await self._session.close()


def build_deliverer(
    settings: Settings,
    registry: RegistryReader,
    sessions: Sessions,
    enqueue: Callable[[ModelKey], None],
    metrics: CollectorRegistry,
) -> Deliverer:
    """With the destinations that are configured; there may be none."""
    found: dict[Destination, Deliver] = {}
    if settings.events_history:
        found["history"] = history(registry)
    if settings.events_url:
        found["cloudevents"] = sink(settings.events_url, settings, cloud_event, sessions)
    if settings.lineage_url:
        found["openlineage"] = sink(settings.lineage_url, settings, run_event, sessions)
    return Deliverer(found, enqueue, metrics)


def history(registry: RegistryReader) -> Deliver:
    """The registered model's own history in MLflow."""

    async def deliver(offer: Offer, entries: tuple[OutboxEntry, ...]) -> int:
        await registry.record(offer.registry, offer.registry_name, entries)
        return len(entries)

    return deliver


def sink(url: str, settings: Settings, encode: Encode, sessions: Sessions) -> Deliver:
    token = settings.events_token if encode is cloud_event else settings.lineage_token
    target = HttpSink(url, token, encode)

    async def deliver(offer: Offer, entries: tuple[OutboxEntry, ...]) -> int:
        for count, entry in enumerate(entries):
            try:
                await target.send(sessions(), entry)
            except SinkUnavailable:
                if count == 0:
                    raise
                return count
        return len(entries)

    return deliver
