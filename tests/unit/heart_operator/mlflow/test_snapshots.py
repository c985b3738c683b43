"""The operator's view of MLflow: how often it is asked, what is believed, and what an outage does."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from heart_api.evaluation import EVALUATION_PATH
from heart_api.handover import TrainingRequest
from heart_operator.mlflow.calls import RegistryUnavailable
from heart_operator.mlflow.evaluations import EvaluationRef
from heart_operator.mlflow.snapshots import RegistryReader
from heart_operator.plan.actions import SetAlias
from heart_operator.plan.observed import Registry
from heart_operator.plan.selection.selection import Selection
from heart_operator.plan.versions import Version
from heart_operator.telemetry.registry import RegistryCollector
from tests.support.registry.fake import FakeRegistry

URI = "http://user:secret@mlflow:5000"
NAME = "clinic.heart"


def nothing(_: Registry) -> Selection:
    """No evaluation is needed."""
    return Selection()


def chosen(ref: EvaluationRef) -> Callable[[Registry], Selection]:
    version = Version(ref.version, "sha256:0", run_id=ref.run_id, evaluation_sha256=ref.sha256)
    return lambda _: Selection(version)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backend() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def reader(backend: FakeRegistry, clock: Clock) -> RegistryReader:
    return RegistryReader(lambda uri: backend, clock=clock, max_age=15, timeout=5)


def train(backend: FakeRegistry, name: str = NAME) -> EvaluationRef:
    request = {
        "namespace": "clinic",
        "name": "heart",
        "registryName": name,
        "trigger": "t1",
        "dataset": {"uri": "https://example.org/a.csv"},
        "target": {"name": "num"},
        "features": [{"name": "age", "type": "number"}],
        "training": {},
    }
    result = backend.train(TrainingRequest.model_validate(request)).result
    assert result
    return EvaluationRef(result.version, result.run_id, result.evaluation_sha256)


async def test_a_thousand_models_cost_one_snapshot_per_interval(
    reader: RegistryReader, backend: FakeRegistry, clock: Clock
) -> None:
    await asyncio.gather(*(reader.view(URI, f"clinic.{number}", nothing) for number in range(1000)))
    assert backend.snapshots == 1
    clock.now += 14
    await reader.view(URI, NAME, nothing)
    assert backend.snapshots == 1
    clock.now += 2
    await reader.view(URI, NAME, nothing)
    assert backend.snapshots == 2


async def test_a_version_that_was_just_trained_is_found_at_once(reader: RegistryReader, backend: FakeRegistry) -> None:
    await reader.view(URI, NAME, nothing)
    newest = train(backend)
    view, _ = await reader.view(URI, NAME, chosen(newest))
    assert view.versions[newest.version].trigger == "t1"
    assert view.evaluation
    assert view.evaluation.metrics["roc_auc"].estimate == 0.91


async def test_a_version_that_a_person_has_just_registered_is_found_at_once(
    reader: RegistryReader, backend: FakeRegistry
) -> None:
    await reader.view(URI, NAME, nothing)
    newest = train(backend)
    view, _ = await reader.view(URI, NAME, nothing, named=newest.version)
    assert newest.version in view.versions


async def test_a_number_that_was_never_registered_is_not_sought_on_every_reconcile(
    reader: RegistryReader, backend: FakeRegistry
) -> None:
    for _ in range(20):
        await reader.view(URI, NAME, nothing, named="77")
    assert backend.snapshots <= 2


async def test_a_version_that_is_lost_is_not_sought_on_every_reconcile(
    reader: RegistryReader, backend: FakeRegistry
) -> None:
    lost = EvaluationRef("7", "run", "sha256:" + "0" * 64)
    for _ in range(20):
        await reader.view(URI, NAME, chosen(lost))
    assert backend.snapshots <= 2


async def test_figures_that_were_changed_in_mlflow_are_not_believed(
    reader: RegistryReader, backend: FakeRegistry
) -> None:
    newest = train(backend)
    content = backend.artifacts[newest.run_id, EVALUATION_PATH]
    backend.artifacts[newest.run_id, EVALUATION_PATH] = content.replace(b"0.91", b"0.99")
    view, _ = await reader.view(URI, NAME, chosen(newest))
    assert view.evaluation is None
    assert "digest differs" in (view.evaluation_error or "")
    assert view.error is None


async def test_an_evaluation_is_read_once_whatever_the_status_forgets(
    reader: RegistryReader, backend: FakeRegistry, clock: Clock
) -> None:
    newest = train(backend)
    await reader.view(URI, NAME, chosen(newest))
    backend.artifacts.clear()
    clock.now += 1000
    assert (await reader.view(URI, NAME, chosen(newest)))[0].evaluation


async def test_the_metric_says_which_server_answers(
    reader: RegistryReader, backend: FakeRegistry, clock: Clock
) -> None:
    metrics = CollectorRegistry()
    metrics.register(RegistryCollector(reader.availability))
    series = ("heartops_registry_available", {"server": "http://mlflow:5000"})
    assert metrics.get_sample_value(*series) is None
    await reader.view(URI, NAME, nothing)
    assert metrics.get_sample_value(*series) == 1
    backend.down = True
    clock.now += 20
    await reader.view(URI, NAME, nothing)
    assert metrics.get_sample_value(*series) == 0


async def test_a_server_that_no_model_uses_any_more_is_not_unavailable(
    reader: RegistryReader, backend: FakeRegistry, clock: Clock
) -> None:
    """A namespace is deleted, and its workspace with it."""
    backend.down = True
    await reader.view(URI, NAME, nothing)
    assert reader.availability() == {"http://mlflow:5000": False}
    reader.leave(URI)
    assert reader.availability() == {}
    await reader.view(URI, NAME, nothing)
    assert reader.availability() == {"http://mlflow:5000": False}, "a model uses it again"


async def test_an_outage_says_so_and_hides_the_password(reader: RegistryReader, backend: FakeRegistry) -> None:
    backend.down = True
    view, _ = await reader.view(URI, NAME, nothing)
    assert "http://mlflow:5000" in (view.error or "")
    assert "secret" not in (view.error or "")
    assert not view.versions


async def test_after_an_outage_the_registry_is_seen_again(
    reader: RegistryReader, backend: FakeRegistry, clock: Clock
) -> None:
    backend.down = True
    await reader.view(URI, NAME, nothing)
    backend.down = False
    clock.now += 16
    assert (await reader.view(URI, NAME, nothing))[0].error is None


async def test_a_hanging_server_holds_nobody_longer_than_the_timeout(clock: Clock) -> None:
    release = threading.Event()

    class Hanging(FakeRegistry):
        def snapshot(self, named=()):  # type: ignore[no-untyped-def]
            release.wait(30)
            return super().snapshot(named)

    reader = RegistryReader(lambda uri: Hanging(), clock=clock, timeout=0.1)
    try:
        view, _ = await asyncio.wait_for(reader.view(URI, NAME, nothing), 5)
        assert "did not answer" in (view.error or "")
    finally:
        release.set()


async def test_an_action_is_seen_on_the_next_reconcile(reader: RegistryReader, backend: FakeRegistry) -> None:
    newest = train(backend)
    await reader.view(URI, NAME, chosen(newest))
    await reader.act(URI, NAME, SetAlias("serving", newest.version))
    assert (await reader.view(URI, NAME, chosen(newest)))[0].aliases == {"serving": newest.version}


async def test_an_action_that_fails_is_not_taken_for_done(reader: RegistryReader, backend: FakeRegistry) -> None:
    backend.down = True
    with pytest.raises(RegistryUnavailable):
        await reader.act(URI, NAME, SetAlias("serving", "1"))


async def test_profiles_may_have_registries_of_their_own(clock: Clock) -> None:
    backends = {"http://a": FakeRegistry(), "http://b": FakeRegistry(down=True)}
    reader = RegistryReader(backends.__getitem__, clock=clock)
    train(backends["http://a"])
    assert (await reader.view("http://a", NAME, nothing))[0].versions
    assert (await reader.view("http://b", NAME, nothing))[0].error


async def test_what_changes_in_the_registry_is_told_to_those_it_concerns(
    reader: RegistryReader, backend: FakeRegistry, clock: Clock
) -> None:
    told: list[frozenset[str] | None] = []
    reader.on_change = lambda uri, names: told.append(names)
    await reader.view(URI, NAME, nothing)
    clock.now += 16
    await reader.view(URI, NAME, nothing)
    assert told == [], "nothing changed"
    train(backend, "clinic.other")
    clock.now += 16
    await reader.view(URI, NAME, nothing)
    assert told == [frozenset({"clinic.other"})]
    backend.down = True
    for _ in range(3):
        clock.now += 16
        await reader.view(URI, NAME, nothing)
    assert told[1:] == [None], "an outage concerns everybody, once"
    backend.down = False
    clock.now += 16
    await reader.view(URI, NAME, nothing)
    assert told[2:] == [None]
