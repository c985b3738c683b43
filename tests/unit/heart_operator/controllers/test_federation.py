"""Which keys an event of a site, a model or a site's Job puts into the queue."""

from typing import Any

import kopf

from heart_api.kube.kinds import FEDERATION_SITE, HEART_MODEL, JOB
from heart_api.kube.values import ModelKey, SiteKey
from heart_operator.controllers.watches import Key, build_registry

NOW = "2026-01-02T03:04:05Z"
HEART, LUNGS = ModelKey("clinic", "heart"), ModelKey("clinic", "lungs")
NORTH, SOUTH = SiteKey("north", "ward"), SiteKey("south", "ward")


class Events:
    """Events as kopf hands them over, and the keys that each of them gave."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        registry = build_registry((JOB,), self.keys.append, lambda: None, lambda *about: None)
        self._handlers = {found.selector.any_name: found.fn for found in registry._watching.get_all_handlers()}
        self._memos: dict[str, kopf.Memo] = {}

    async def site(self, key: SiteKey, allow: Any, type_: str = "MODIFIED") -> set[Key]:
        body = {"metadata": {"creationTimestamp": NOW}, "spec": {"allow": allow}}
        return await self._send(FEDERATION_SITE.plural, key.namespace, key.name, body, type_)

    async def model(self, key: ModelKey, sites: Any, type_: str = "MODIFIED", **training: Any) -> set[Key]:
        body = {
            "metadata": {"creationTimestamp": NOW, "generation": 1},
            "spec": {"federation": {"sites": sites}} if sites is not None else {},
            "status": {"training": training},
        }
        return await self._send(HEART_MODEL.plural, key.namespace, key.name, body, type_)

    async def job(self, namespace: str, **labels: str) -> set[Key]:
        body = {"metadata": {"creationTimestamp": NOW, "labels": labels}}
        return await self._send(JOB.plural, namespace, "job", body, "MODIFIED", labels=labels)

    async def _send(self, plural: str, namespace: str, name: str, body: Any, type_: str, **more: Any) -> set[Key]:
        self.keys.clear()
        memo = self._memos.setdefault(f"{plural} {namespace}/{name}", kopf.Memo())
        handler = self._handlers[plural]
        await handler(type=type_, namespace=namespace, name=name, body=kopf.Body(body), memo=memo, **more)
        return set(self.keys)


def allowing(*models: ModelKey) -> list[dict[str, str]]:
    return [{"model": str(model)} for model in models]


async def test_a_site_concerns_the_models_that_it_allows_and_those_that_it_allowed() -> None:
    events = Events()
    assert await events.site(NORTH, allowing(HEART)) == {NORTH, HEART}
    assert await events.site(NORTH, allowing(LUNGS)) == {NORTH, HEART, LUNGS}, "one of them lost it"
    assert await events.site(NORTH, allowing(LUNGS)) == {NORTH, LUNGS}
    assert await events.site(NORTH, allowing(LUNGS), "DELETED") == {NORTH, LUNGS}
    assert await events.site(NORTH, []) == {NORTH}


async def test_a_model_concerns_the_sites_that_it_names_and_those_that_allow_it() -> None:
    events = Events()
    await events.site(SOUTH, allowing(HEART))
    assert await events.model(HEART, ["north/ward"]) == {HEART, NORTH, SOUTH}
    assert await events.model(LUNGS, None) == {LUNGS}


async def test_only_news_about_its_training_concern_a_models_sites() -> None:
    """The status of a model changes with every step of a rollout."""
    events = Events()
    assert await events.model(HEART, ["north/ward"], trigger="a", phase="Running") == {HEART, NORTH}
    assert await events.model(HEART, ["north/ward"], trigger="a", phase="Running", message="x") == {HEART}
    assert await events.model(
        HEART, ["north/ward"], trigger="a", phase="Running", coordinator={"certificate": "c"}
    ) == {
        HEART,
        NORTH,
    }
    assert await events.model(HEART, ["north/ward"], trigger="a", phase="Succeeded") == {HEART, NORTH}
    assert await events.model(HEART, ["north/ward"], "DELETED", trigger="a", phase="Succeeded") == {HEART, NORTH}


async def test_what_is_no_reference_concerns_nobody() -> None:
    events = Events()
    assert await events.site(NORTH, "everybody") == {NORTH}
    assert await events.site(NORTH, [{"model": "heart"}, {"model": 3}, 3]) == {NORTH}
    assert await events.model(HEART, "north/ward") == {HEART}
    assert await events.model(HEART, ["ward", 3]) == {HEART}


async def test_a_sites_job_concerns_the_site() -> None:
    events = Events()
    assert await events.job("north", **{"heartops.dev/site": "ward"}) == {NORTH}
