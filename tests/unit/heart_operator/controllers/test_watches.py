"""What kopf is told to do, and what it must never do."""

import kopf
import pytest

from heart_api.kube.kinds import CHILDREN, FEDERATION_SITE, HEART_MODEL, LEASE, OPTIONAL_CHILDREN, POD, RETRAIN_SCHEDULE
from heart_api.kube.values import ModelKey
from heart_operator.controllers.watches import build_registry, build_settings

KINDS = (*CHILDREN, *OPTIONAL_CHILDREN)
NOW = "2026-01-02T03:04:05Z"


@pytest.fixture
def registry() -> kopf.OperatorRegistry:
    return build_registry(KINDS, lambda key: None, lambda: None, lambda *about: None)


def selected(registry: kopf.OperatorRegistry) -> set[str]:
    return {handler.selector.any_name for handler in registry._watching.get_all_handlers()}


def test_nothing_forces_a_finalizer(registry: kopf.OperatorRegistry) -> None:
    assert not registry._changing.get_all_handlers()
    assert not registry._spawning.get_all_handlers()


def test_models_children_and_the_lease_are_watched_and_pods_are_not(registry: kopf.OperatorRegistry) -> None:
    assert selected(registry) == {
        kind.plural for kind in (HEART_MODEL, RETRAIN_SCHEDULE, FEDERATION_SITE, LEASE, *KINDS)
    }
    assert POD.plural not in selected(registry)


def test_children_are_selected_by_the_server() -> None:
    settings = build_settings(KINDS, "heartops-operator")
    for kind in KINDS:
        selector = settings.watching.label_selectors[kind.group, kind.version, kind.plural]
        assert selector == "app.kubernetes.io/managed-by=heartops"
    field = settings.watching.field_selectors[LEASE.group, LEASE.version, LEASE.plural]
    assert field == "metadata.name=heartops-operator"


def test_kopf_posts_nothing_and_every_watch_has_timeouts() -> None:
    settings = build_settings(KINDS, "heartops-operator")
    assert not settings.posting.enabled
    assert settings.watching.server_timeout
    assert settings.watching.client_timeout
    assert settings.watching.server_timeout < settings.watching.client_timeout
    assert settings.watching.inactivity_timeout <= 90


async def test_an_event_of_a_child_means_its_model() -> None:
    keys: list[ModelKey] = []
    registry = build_registry(KINDS, keys.append, lambda: None, lambda *about: None)
    handler = next(found for found in registry._watching.get_all_handlers() if found.selector.any_name == "jobs")
    await handler.fn(namespace="clinic", name="heart-train-1", labels={"heartops.dev/model": "heart"})
    await handler.fn(namespace="clinic", name="other", labels={})
    assert keys == [ModelKey("clinic", "heart")]


async def test_an_event_of_a_schedule_means_its_model() -> None:
    keys: list[ModelKey] = []
    counted: list[tuple[object, ...]] = []
    registry = build_registry(KINDS, keys.append, lambda: None, lambda *about: counted.append(about[1:]))
    handlers = registry._watching.get_all_handlers()
    handler = next(found for found in handlers if found.selector.any_name == RETRAIN_SCHEDULE.plural)
    for event, name, model in (
        (None, "nightly", "heart"),
        ("ADDED", "odd", ["heart"]),
        ("DELETED", "nightly", "heart"),
    ):
        body = kopf.Body({"metadata": {"creationTimestamp": NOW}, "spec": {"modelName": model}})
        await handler.fn(type=event, namespace="clinic", name=name, body=body)
    assert keys == [ModelKey("clinic", "heart")] * 2
    assert counted == [("clinic", "nightly", NOW), ("clinic", "odd", NOW), ("clinic", "nightly", None)]


async def test_a_childs_status_alone_is_no_news_unless_it_matters() -> None:
    keys: list[ModelKey] = []
    handlers = {
        found.selector.any_name: found.fn
        for found in build_registry(KINDS, keys.append, lambda: None, lambda *about: None)._watching.get_all_handlers()
    }

    async def happen(
        plural: str, memo: kopf.Memo, version: str, spec: int, status: int, type_: str = "MODIFIED"
    ) -> int:
        labels = {"heartops.dev/model": "heart"}
        metadata = {"name": "heart", "labels": labels, "resourceVersion": version, "managedFields": [version]}
        body = kopf.Body({"metadata": metadata, "spec": {"a": spec}, "status": {"b": status}})
        before = len(keys)
        await handlers[plural](namespace="clinic", name="heart", labels=labels, body=body, memo=memo, type=type_)
        return len(keys) - before

    hpa, deployment = kopf.Memo(), kopf.Memo()
    assert await happen("horizontalpodautoscalers", hpa, "1", 1, 1) == 1
    assert await happen("horizontalpodautoscalers", hpa, "2", 1, 2) == 0
    assert await happen("horizontalpodautoscalers", hpa, "3", 2, 2) == 1
    assert await happen("horizontalpodautoscalers", hpa, "4", 2, 2, "DELETED") == 1
    assert await happen("deployments", deployment, "1", 1, 1) == 1
    assert await happen("deployments", deployment, "2", 1, 2) == 1
