"""With a real Prometheus: every panel of the dashboards shows data, and analyses count what happened, no more."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import generate_latest

from heart_api.heartmodel import HeartModelStatus, RejectedStatus, ServingStatus
from heart_api.kube.kinds import Kind
from heart_api.kube.values import Manifest, ModelKey
from heart_api.schedulestatus import RetrainScheduleStatus
from heart_api.status import TrainingStatus
from heart_log.quality import wilson
from heart_operator.plan.analysis.counts import Counts
from heart_operator.plan.observed import AnalysisSample
from heart_operator.telemetry.operator import Metrics
from heart_operator.telemetry.registry import RegistryCollector
from heart_operator.traffic.sampler import MetricsReader, Question
from heart_serving.metrics import Exposition, ServingMetrics
from heart_serving.predictionlog.metrics import QUALITY, LogMetrics
from heart_serving.protocols.answers import Answers
from heart_serving.protocols.output_bins import OutputCounts
from tests.support.apiserver.client import poll
from tests.support.apiserver.dashboard import (
    DASHBOARDS,
    MEASURED_ELSEWHERE,
    OF_SYSTEM,
    Query,
    Variable,
    all_queries,
    filled,
    variables,
)
from tests.support.apiserver.prometheus import Prometheus, Target, finite, running, served
from tests.support.plan.schedules import retrain_schedule

pytestmark = pytest.mark.api

BINARY = Answers("binary", (0, 1), ("no", "yes"), 0.5)
NOW = "2026-01-02T03:04:05Z"
STATUS = HeartModelStatus.model_validate(
    {
        "serving": {"version": "6", "digest": "d", "since": NOW},
        "candidate": {
            "version": "7",
            "digest": "d",
            "since": NOW,
            "weight": 10,
            "actualWeight": 25,
            "mirror": {"compared": 8, "different": 2},
            "analysis": {
                "time": NOW,
                "verdict": "Passed",
                "stable": {"requests": 300, "outputs": {"0.20": 300}},
                "candidate": {"requests": 300, "outputs": {"0.20": 300}},
            },
            "experiment": {
                "since": NOW,
                "stable": {"count": 200, "mean": 0.8, "low": 0.7, "high": 0.9},
                "candidate": {"count": 210, "mean": 0.78, "low": 0.68, "high": 0.88},
                "difference": -0.02,
                "low": -0.2,
                "high": 0.16,
            },
        },
    }
)

HEART, SYSTEM = ModelKey("clinic", "heart"), "heartops-system"
JOB = TrainingStatus(job="j", trigger="t", phase="Succeeded", started_at=NOW, finished_at=NOW, version="7")
TRAINING = HeartModelStatus(training=JOB.model_copy(update={"phase": "Running"}))
TRAINED = STATUS.model_copy(update={"training": JOB})
PROMOTED = HeartModelStatus(serving=ServingStatus(version="7", digest="d", since=NOW), training=JOB)
REJECTED = STATUS.model_copy(
    update={
        "rejected": (RejectedStatus(version="7", digest="d", reason="CanaryAnalysisFailed", message="m", time=NOW),)
    }
)
WATCHFUL = retrain_schedule(
    status=RetrainScheduleStatus.model_validate(
        {
            "lastSuccessfulTime": NOW,
            "lastDrift": {
                "time": NOW,
                "version": "6",
                "verdict": "Drift",
                "share": 0.25,
                "samples": 300,
                "features": [{"name": "age", "statistic": "ks", "value": 0.4, "pValue": 1e-9, "drifted": True}],
            },
        }
    )
)


@dataclass
class Pod:
    """A serving pod, of which only the metrics are real."""

    version: str
    port: int = 0
    metrics: ServingMetrics = field(init=False)
    log: LogMetrics = field(init=False)
    stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """As a container that was just started."""
        self.metrics = ServingMetrics("heart", self.version, {}, OutputCounts(BINARY))
        share = wilson(8, 10)
        figures = {"feedback": dict.fromkeys(QUALITY, share)} if share else {}
        labels = {"model_name": "heart", "model_version": self.version}
        self.log = LogMetrics(labels, figures=lambda: figures)

    def up(self) -> None:
        self.port = self.stack.enter_context(
            served(lambda: Exposition(self.metrics, self.log)(), self.port)  # the same address every time
        )

    def down(self) -> None:
        self.stack.close()

    def answer(self, code: int = 200, times: int = 1) -> None:
        for _ in range(times):
            self.metrics.count(code)
            for histogram in (self.metrics.preprocess, self.metrics.predict, self.metrics.postprocess):
                histogram.observe(0.003)
            self.metrics.latency.observe(0.01)
            self.metrics.predictions += 1
            self.metrics.count_outputs(np.array([[0.4, 0.6]], dtype=np.float32))


@dataclass
class World:
    prometheus: Prometheus
    stable: Pod
    candidate: Pod
    operator: Metrics


@pytest.fixture(scope="module")
def world(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    stable, candidate, operator = Pod("6"), Pod("7"), Metrics()
    operator.show("clinic", "heart", STATUS)
    operator.schedules.show(WATCHFUL, WATCHFUL.status)
    operator.registry.register(RegistryCollector(lambda: {"http://mlflow": True}))
    with ExitStack() as stack:
        for pod in (stable, candidate):
            pod.up()
            stack.callback(pod.down)
        port = stack.enter_context(served(lambda: generate_latest(operator.registry)))
        targets = [
            Target(f"127.0.0.1:{pod.port}", {"namespace": "clinic", "pod": f"heart-v{pod.version}"})
            for pod in (stable, candidate)
        ]
        targets.append(Target(f"127.0.0.1:{port}", {"namespace": SYSTEM}, honor=True))
        folder = tmp_path_factory.mktemp("prometheus")
        yield World(stack.enter_context(running(tools / "prometheus", folder, targets)), stable, candidate, operator)


PANELS = [query for query in all_queries() if not MEASURED_ELSEWHERE.search(query.expression)]
"""tests/e2e/test_dashboard.py asks the others on a node."""


def namespace_of(board: str) -> str:
    return SYSTEM if board in OF_SYSTEM else "clinic"


@pytest.mark.parametrize("query", PANELS, ids=str)
def test_every_panel_shows_data(world: World, query: Query) -> None:
    """During a canary with shadow traffic and feedback; a query that finds nothing then never will."""
    expression = filled(query.expression, namespace_of(query.board), "heart", "10s")

    def shown() -> list[float]:
        use(world)
        return finite(world.prometheus.ask(expression))

    assert poll(f"data for {expression}", shown, 60)


def use(world: World) -> None:
    """Something of everything."""
    for pod in (world.stable, world.candidate):
        pod.answer(200, 5)
    for arm in ("stable", "candidate"):
        world.stable.metrics.count_arm("7", arm, 200)
    world.stable.metrics.mirrored_to("7").results.update({"equal": 3, "different": 1})
    world.operator.duration.observe(0.1)
    world.operator.errors.inc()
    for before, after in ((TRAINING, TRAINED), (STATUS, PROMOTED), (STATUS, REJECTED)):
        world.operator.ended.count(HEART, before, after)


@pytest.mark.parametrize("variable", [each for path in DASHBOARDS for each in variables(path)], ids=str)
def test_every_choice_offers_the_model(world: World, variable: Variable) -> None:
    series = filled(variable.series, "clinic", "heart")
    expected = {"namespace": namespace_of(variable.board), "model": "heart"}[variable.name]
    assert poll(f"a choice of {variable.name}", lambda: world.prometheus.label_values(variable.label, series)) == [
        expected
    ]


def test_a_version_without_an_error_shows_none_and_not_nothing(world: World) -> None:
    query = next(query for query in PANELS if (query.board, query.panel) == ("model", "Error rate"))

    def shown() -> list[float]:
        use(world)
        return finite(world.prometheus.ask(filled(query.expression, "clinic", "heart", "10s")))

    assert poll("the error rates", shown, 30) == [0, 0]


class NoCluster:
    async def find(self, kind: Kind, namespace: str, selector: str) -> list[Manifest]:
        raise AssertionError("Prometheus is to be asked")


class Analysis:
    """What an operator reads, look by look."""

    def __init__(self, world: World) -> None:
        self._reader = MetricsReader(NoCluster())
        self._url = world.prometheus.url
        self._since = datetime.now(UTC) - timedelta(hours=1)
        self.stable, self.candidate = Counts(), Counts()

    async def sample(self) -> AnalysisSample | None:
        question = Question("clinic", "heart", "6", "7", self._since)
        found = await self._reader.sample(question, self._url, datetime.now(UTC))
        if found and found.error is None:
            self.stable, self.candidate = self.stable + found.stable, self.candidate + found.candidate
        return found

    async def until(self, stable: int, candidate: int, seconds: float = 30) -> None:
        """Look until so many requests were counted in all; one more than that is a mistake."""
        deadline = time.monotonic() + seconds
        while (self.stable.requests, self.candidate.requests) != (stable, candidate):
            seen = f"{self.stable.requests} and {self.candidate.requests}"
            assert self.stable.requests <= stable, seen
            assert self.candidate.requests <= candidate, seen
            assert time.monotonic() < deadline, seen
            await asyncio.sleep(0.2)
            await self.sample()

    async def close(self) -> None:
        await self._reader.close()


async def settled(world: World) -> None:
    """Prometheus has, for long enough, what the pods have counted."""
    expected = [sum(pod.metrics.codes.values()) for pod in (world.stable, world.candidate)]
    total = 'sum by (model_version) (last_over_time(http_requests_total{model_name="heart"}[1m] offset 3s))'

    def same() -> bool:
        found = {sample["metric"]["model_version"]: float(sample["value"][1]) for sample in world.prometheus.ask(total)}
        return [found.get("6"), found.get("7")] == expected

    await asyncio.to_thread(poll, "Prometheus to have everything", same, 30)


async def test_an_analysis_counts_what_happened_and_nothing_twice(world: World) -> None:
    world.stable.answer(200, 1000)  # long before
    await settled(world)
    analysis = Analysis(world)
    try:
        await analysis.sample()
        first = analysis.stable.requests, analysis.candidate.requests
        world.stable.answer(200, 30)
        world.candidate.answer(200, 8)
        world.candidate.answer(500, 2)
        await analysis.until(first[0] + 30, first[1] + 10)
        assert analysis.candidate.errors >= 2
        assert analysis.candidate.outputs["0.60"] >= 10

        world.stable.down()
        gone = 'up{pod="heart-v6"} == 0'
        await asyncio.to_thread(poll, "Prometheus to miss the pod", lambda: world.prometheus.ask(gone), 30)
        world.candidate.answer(200, 5)
        world.stable.answer(200, 7)
        world.stable.up()
        await analysis.until(first[0] + 37, first[1] + 15)

        world.candidate.begin()
        world.candidate.answer(200, 4)
        await analysis.until(first[0] + 37, first[1] + 19)
    finally:
        await analysis.close()


@contextmanager
def steady_traffic(*pods: Pod) -> Iterator[None]:
    """Some answers of each between any two scrapes, however slow the looks are."""
    ends = threading.Event()

    def answer() -> None:
        while not ends.wait(0.02):
            for pod in pods:
                pod.answer(200, 2)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


async def test_a_sample_has_the_two_versions_side_by_side(world: World) -> None:
    """Looks are quicker than scrapes, and each pod is scraped at its own time.

    Most looks would see one version alone. A few may: a scrape that was answered late leaves nothing for the next one.
    """
    analysis, side_by_side, alone = Analysis(world), 0, 0
    try:
        with steady_traffic(world.stable, world.candidate):
            deadline = time.monotonic() + 60
            while side_by_side < 4:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
                if (found := await analysis.sample()) is None:
                    continue
                both = min(found.stable.requests, found.candidate.requests) > 0
                side_by_side, alone = side_by_side + both, alone + (side_by_side > 0 and not both)
                assert alone < 4, found
    finally:
        await analysis.close()
