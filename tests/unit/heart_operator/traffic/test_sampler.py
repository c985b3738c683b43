"""Reading metrics: what serving pods, or Prometheus, really send; what is missing, late, wrong or huge."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from heart_api.kube.kinds import Kind
from heart_api.kube.values import Manifest
from heart_log.quality import wilson
from heart_log.values import ArmSums
from heart_operator.kube.errors import ApiUnavailable
from heart_operator.plan.analysis.counts import Counts, Share
from heart_operator.plan.analysis.experiment import Sums
from heart_operator.plan.observed import AnalysisSample
from heart_operator.traffic.sampler import MetricsReader, Question
from heart_serving.metrics import Exposition, ServingMetrics
from heart_serving.predictionlog.metrics import Arms, LogMetrics
from heart_serving.protocols.answers import Answers
from heart_serving.protocols.output_bins import OutputCounts

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(minutes=10)
QUESTION = Question("clinic", "heart", "6", "7", START)
BINARY = Answers("binary", (0, 1), ("no", "yes"), 0.5)


@dataclass
class Pod:
    """A pod on a loopback address of its own; its server is made of the serving image's own metrics."""

    name: str
    version: str
    address: str
    started: datetime = START - timedelta(hours=1)
    metrics: ServingMetrics = field(init=False)
    reply: Callable[[], Awaitable[web.StreamResponse]] | None = None
    more: LogMetrics | None = None
    owner: str = "heart"

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.metrics = ServingMetrics("heart", self.version, {}, OutputCounts(BINARY))

    def answer(self, code: int, times: int = 1, seconds: float = 0.01) -> None:
        for _ in range(times):
            self.metrics.count(code)
            if code == 200:
                self.metrics.latency.observe(seconds)

    @property
    def manifest(self) -> Manifest:
        stamp = self.started.strftime("%Y-%m-%dT%H:%M:%SZ")
        server = {"name": "server", "state": {"running": {"startedAt": stamp}}}
        owner = {"kind": "ReplicaSet", "name": f"{self.owner}-v{self.version}-6c9f", "uid": "rs", "controller": True}
        labels = {"heartops.dev/model-version": self.version}
        return {
            "metadata": {"name": self.name, "uid": self.name, "labels": labels, "ownerReferences": [owner]},
            "status": {"phase": "Running", "podIP": self.address, "containerStatuses": [server]},
        }

    async def serve(self, _: web.Request) -> web.StreamResponse:
        if self.reply:
            return await self.reply()
        return web.Response(body=Exposition(self.metrics, *([self.more] if self.more else []))())


@dataclass
class Cluster:
    """Lists pods; every address that is no pod's refuses connections."""

    pods: list[Pod]
    broken: bool = False
    selectors: list[str] = field(default_factory=list)

    async def find(self, kind: Kind, namespace: str, selector: str) -> list[Manifest]:
        self.selectors.append(selector)
        if self.broken:
            raise ApiUnavailable("not now")
        return [pod.manifest for pod in self.pods]


class World:
    def __init__(self, cluster: Cluster, reader: MetricsReader) -> None:
        self.cluster = cluster
        self.reader = reader

    def pod(self, name: str) -> Pod:
        return next(pod for pod in self.cluster.pods if pod.name == name)

    async def sample(self, question: Question = QUESTION) -> AnalysisSample:
        return some(await self.reader.sample(question, None, NOW))


def some(sample: AnalysisSample | None) -> AnalysisSample:
    assert sample is not None
    return sample


async def listening(address: str, port: int, handler: Callable[[web.Request], Awaitable[Any]]) -> web.AppRunner:
    app = web.Application()
    app.add_routes([web.get("/{path:.*}", handler)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, address, port).start()
    return runner


def port_of(runner: web.AppRunner) -> int:
    return int(runner.addresses[0][1])


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Two pods that serve and one of the candidate."""
    pods = [Pod("a", "6", "127.0.0.2"), Pod("b", "6", "127.0.0.3"), Pod("c", "7", "127.0.0.4", NOW)]
    runners = [await listening(pods[0].address, 0, pods[0].serve)]
    port = port_of(runners[0])
    runners += [await listening(pod.address, port, pod.serve) for pod in pods[1:]]
    cluster = Cluster(pods)
    reader = MetricsReader(cluster, port)
    try:
        yield World(cluster, reader)
    finally:
        await reader.close()
        for runner in runners:
            await runner.cleanup()


async def test_counting_begins_with_the_first_sample(world: World) -> None:
    """What pods answered before the rollout says nothing about the two versions side by side."""
    world.pod("a").answer(500, 1000)
    first = await world.sample()
    assert (first.error, first.stable, first.candidate) == (None, Counts(), Counts())
    assert "counting begins" in first.partial


async def test_increments_of_all_pods_by_version(world: World) -> None:
    await world.sample()
    world.pod("a").answer(200, 5)
    world.pod("b").answer(200, 3, seconds=0.3)
    world.pod("b").answer(500)
    world.pod("c").answer(422, 2)
    world.pod("c").answer(503)
    found = await world.sample()
    assert (found.stable.requests, found.stable.errors, found.stable.invalid) == (9, 1, 0)
    assert (found.candidate.requests, found.candidate.errors, found.candidate.invalid) == (3, 1, 2)
    slow = found.stable.slower_than(0.25)
    assert (slow.bad, slow.n) == (3, 8)
    assert (await world.sample()).stable.requests == 0


async def test_outputs_by_bin(world: World) -> None:
    import numpy as np

    await world.sample()
    world.pod("c").metrics.count_outputs(np.array([[0.4, 0.6], [0.9, 0.1], [0.4, 0.62]], dtype=np.float32))
    assert dict((await world.sample()).candidate.outputs) == {"0.60": 2, "0.10": 1}


async def test_a_restarted_server_counts_from_nothing(world: World) -> None:
    world.pod("a").answer(200, 100)
    await world.sample()
    world.pod("a").restart()
    world.pod("a").answer(200, 4)
    assert (await world.sample()).stable.requests == 4


async def test_a_pod_that_started_since_the_last_sample_counts_from_zero(world: World) -> None:
    """More pods of a candidate come with each step: what they answered in between is evidence."""
    late = world.cluster.pods.pop()
    late.answer(200, 7)
    with_stable_only = Question("clinic", "heart", "6", None, START)
    await world.sample(with_stable_only)
    world.cluster.pods.append(late)
    assert (await world.sample()).candidate.requests == 7


async def test_a_young_pod_that_was_silent_at_first_loses_nothing(world: World) -> None:
    await world.sample(Question("clinic", "heart", "6", None, START))
    young = world.pod("c")
    young.reply = text("starting", 503)
    assert (await world.sample()).error
    young.reply = None
    young.answer(200, 7)
    later = Question("clinic", "heart", "6", "7", NOW + timedelta(minutes=1))
    assert (await world.sample(later)).candidate.requests == 7


async def test_a_pod_that_does_not_answer_makes_the_sample_partial(world: World) -> None:
    await world.sample()
    world.cluster.pods.append(Pod("d", "6", "127.0.0.5"))
    world.pod("a").answer(200, 5)
    found = await world.sample()
    assert found.stable.requests == 5
    assert found.partial.startswith("1 of 4 pods gave no metrics (d: it does not answer")


async def test_what_a_silent_pod_counted_is_counted_when_it_answers_again(world: World) -> None:
    await world.sample()
    address, world.pod("a").address = world.pod("a").address, "127.0.0.5"
    world.pod("a").answer(200, 5)
    assert (await world.sample()).stable.requests == 0
    world.pod("a").address = address
    assert (await world.sample()).stable.requests == 5


def text(body: str, status: int = 200, **headers: str) -> Callable[[], Awaitable[web.StreamResponse]]:
    async def reply() -> web.StreamResponse:
        return web.Response(text=body, status=status, headers=headers)

    return reply


REQUESTS = 'http_requests_total{{model_name="heart",model_version="7",code="200"}} {}\n'
BAD = [
    ("nothing", text(""), "there are no metrics of version 7"),
    ("other metrics", text("up 1\n"), "there are no metrics of version 7"),
    ("not a number", text(REQUESTS.format("NaN")), "http_requests_total is not a number"),
    ("infinite", text(REQUESTS.format("+Inf")), "http_requests_total is not a number"),
    ("below nothing", text(REQUESTS.format("-1")), "http_requests_total is not a number"),
    ("a web page", text("<html>hello</html>"), "not in Prometheus' text format"),
    ("an error", text("no", 500), "it answers 500"),
    ("somewhere else", text("", 302, Location="http://127.0.0.2/metrics"), "it answers 302"),
    ("too much", text("# padding\n" * 300_000), "it answers with more than"),
]


@pytest.mark.parametrize(("reply", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_metrics_that_are_missing_or_wrong_are_an_error(
    world: World, reply: Callable[[], Awaitable[web.StreamResponse]], words: str
) -> None:
    await world.sample()
    world.pod("c").reply = reply
    found = await world.sample()
    assert found.error is not None
    assert words in found.error
    assert (found.stable, found.candidate) == (Counts(), Counts())


async def test_no_pods_are_an_error(world: World) -> None:
    world.cluster.pods.pop()
    assert (await world.sample()).error == "version 7 has no running pod"
    world.cluster.broken = True
    assert (await world.sample()).error == "the pods cannot be listed"


async def test_a_pod_without_an_address_or_a_running_server_is_not_asked(world: World) -> None:
    class Pending(Pod):
        @property
        def manifest(self) -> Manifest:
            whole = super().manifest
            return whole | {"status": {"phase": "Pending"}}

    await world.sample()
    world.cluster.pods.append(Pending("d", "6", "127.0.0.5"))
    assert (await world.sample()).partial == ""


async def test_a_pod_that_only_wears_our_labels_is_not_asked(world: World) -> None:
    world.pod("b").owner = "impostor"
    world.pod("a").answer(200, 10)
    await world.sample()
    world.pod("a").answer(200, 5)
    world.pod("b").answer(500, 1000)
    assert (await world.sample()).stable.errors == 0


async def test_a_hostile_answer_is_no_answer(world: World) -> None:
    """A line of 1.8 MB of labels with escaped quotes: it is not even looked into."""
    await world.sample()
    labels = "".join(f'a{number}="\\"",' for number in range(150_000))
    world.pod("b").reply = text(f"http_requests_total{{{labels}}} 1")
    sample = await world.sample()
    assert "1 of 3 pods" in sample.partial
    assert "characters" in sample.partial


async def test_only_the_two_versions_are_asked_for(world: World) -> None:
    await world.sample()
    assert world.cluster.selectors == [
        "heartops.dev/model=heart,app.kubernetes.io/component=serving,heartops.dev/model-version in (6,7)"
    ]


async def test_a_deleted_model_is_forgotten(world: World) -> None:
    await world.sample()
    world.reader.forget("clinic", "heart")
    world.pod("a").answer(500, 5)
    assert (await world.sample()).stable == Counts()


async def test_mirrored_answers(world: World) -> None:
    await world.sample()
    seen = world.pod("a").metrics.mirrored_to("7")
    seen.results.update(equal=5, different=2, failed=1)
    seen.max_difference = 0.25
    world.pod("b").metrics.mirrored_to("5").results.update(equal=100)
    found = (await world.sample()).mirror
    assert (found.compared, found.different, found.failed, found.max_difference) == (7, 2, 1, 0.25)


async def test_outcomes_are_of_the_version_and_not_of_each_pod(world: World) -> None:
    """Every pod tells its version's figures from the database; one may be older than the other."""

    def log(rows: int, right: int) -> LogMetrics:
        figures = {"feedback": {"accuracy": wilson(right, rows)}, "estimated": {"accuracy": wilson(1, 1000)}}
        return LogMetrics({"model_name": "heart", "model_version": "6"}, figures=lambda: figures)

    await world.sample()
    world.pod("a").more, world.pod("b").more = log(100, 80), log(120, 90)
    found = await world.sample()
    assert (found.stable_outcomes, found.candidate_outcomes) == (Share(30, 120), Share(0, 0))


async def test_both_groups_of_an_experiment(world: World) -> None:
    def log(count: int, total: float) -> LogMetrics:
        known = {"stable": ArmSums(count, total, total), "candidate": ArmSums(5, 4.5, 4.25)}
        return LogMetrics({"model_name": "heart", "model_version": "6"}, arms=lambda: Arms("7", known))

    await world.sample()
    a, b = world.pod("a").metrics, world.pod("b").metrics
    for code, count in ((200, 30), (500, 2)):
        a.arms["7", "candidate", code] = count
    a.arms["7", "stable", 200], b.arms["7", "stable", 503] = 40, 1
    b.arms["5", "stable", 500] = 99
    world.pod("a").more, world.pod("b").more = log(100, 80), log(120, 90)
    found = (await world.sample()).arms
    assert (found.stable_requests, found.candidate_requests) == (Share(1, 41), Share(2, 32))
    assert found.stable_outcomes == Sums(120, 90, 90), "one pod's, and not the sum of all"
    assert found.candidate_outcomes == Sums(5, 4.5, 4.25)
    again = (await world.sample()).arms
    assert again.candidate_requests == Share(0, 0), "requests are counted once"
    assert again.stable_outcomes == Sums(120, 90, 90), "outcomes are a state"


# --- Prometheus ----------------------------------------------------------------------------------


@dataclass
class Prometheus:
    """Answers by the moment that is asked for."""

    at: dict[float, dict[tuple[str, str, str], float]] = field(default_factory=dict)
    """Seconds since START → (version, pod, code) → requests."""
    scrapes: dict[str, list[float]] = field(default_factory=dict)
    """Version → when it was scraped; of others whenever there is something in `at`."""
    reply: Callable[[], Awaitable[web.StreamResponse]] | None = None
    queries: list[str] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        assert request.path == "/prefix/api/v1/query"
        self.queries.append(request.query["query"])
        if self.reply:
            return await self.reply()
        moment = float(request.query["time"]) - START.timestamp()
        past = [found for second, found in sorted(self.at.items()) if second <= moment]
        if "timestamp(" in request.query["query"]:
            return vector(
                ({"model_version": version}, START.timestamp() + self.scraped(version, moment))
                for version in {version for found in past for version, *_ in found}
            )
        labels = {"__name__": "http_requests_total", "namespace": "clinic", "model_name": "heart"}
        return vector(
            (labels | {"model_version": version, "pod": pod, "code": code}, value)
            for (version, pod, code), value in (past[-1] if past else {}).items()
        )

    def scraped(self, version: str, moment: float) -> float:
        return max(second for second in self.scrapes.get(version, self.at) if second <= moment)


def vector(samples: Iterable[tuple[dict[str, str], float]]) -> web.StreamResponse:
    result = [{"metric": labels, "value": [0, str(value)]} for labels, value in samples]
    return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})


@pytest.fixture
async def prometheus() -> AsyncIterator[tuple[Prometheus, str]]:
    server = Prometheus()
    runner = await listening("127.0.0.1", 0, server.serve)
    try:
        yield server, f"http://127.0.0.1:{port_of(runner)}/prefix/"
    finally:
        await runner.cleanup()


@pytest.fixture
async def reader() -> AsyncIterator[MetricsReader]:
    found = MetricsReader(Cluster([]))
    try:
        yield found
    finally:
        await found.close()


Recorded = tuple[Prometheus, str]
OK, FAILED = "200", "500"


async def test_prometheus_is_asked_for_both_ends(prometheus: Recorded, reader: MetricsReader) -> None:
    server, url = prometheus
    server.at = {
        -60: {("6", "a", OK): 1000, ("6", "b", OK): 50},
        30: {("6", "a", OK): 1010, ("6", "b", OK): 2, ("7", "c", OK): 8, ("7", "c", FAILED): 2},
        90: {("6", "a", OK): 1011, ("6", "b", OK): 4, ("7", "c", OK): 8, ("7", "c", FAILED): 3},
    }
    found = some(await reader.sample(QUESTION, url, START + timedelta(seconds=60)))
    assert (found.error, found.partial) == (None, "")
    assert (found.stable.requests, found.candidate.requests, found.candidate.errors) == (12, 10, 2)
    later = some(await reader.sample(QUESTION, url, START + timedelta(seconds=120)))
    assert (later.stable.requests, later.candidate.requests) == (3, 1)


async def test_a_sample_waits_until_both_versions_were_scraped_again(
    prometheus: Recorded, reader: MetricsReader
) -> None:
    """The stable version at 20 and 35, its candidate at 27 and 42: every look between would see one of them alone."""
    server, url = prometheus
    server.scrapes = {"6": [-5, 20, 35], "7": [12, 27, 42]}
    server.at = {
        -5: {("6", "a", OK): 1000},
        12: {("6", "a", OK): 1000, ("7", "c", OK): 4},
        20: {("6", "a", OK): 1010, ("7", "c", OK): 4},
        27: {("6", "a", OK): 1010, ("7", "c", OK): 9},
        35: {("6", "a", OK): 1015, ("7", "c", OK): 9},
        42: {("6", "a", OK): 1015, ("7", "c", OK): 15},
    }
    seen = {}
    for second in range(5, 50, 5):
        if found := await reader.sample(QUESTION, url, START + timedelta(seconds=second)):
            seen[second] = (found.error, found.stable.requests, found.candidate.requests)
    assert seen == {25: (None, 10, 4), 40: (None, 5, 5)}


async def test_prometheus_that_knows_nothing_of_the_beginning(prometheus: Recorded, reader: MetricsReader) -> None:
    """It was installed just now: the pods' whole past is not this interval's."""
    server, url = prometheus
    server.at = {30: {("6", "a", OK): 1000, ("7", "c", OK): 8}}
    found = some(await reader.sample(QUESTION, url, START + timedelta(seconds=60)))
    assert (found.stable, found.candidate, found.error) == (Counts(), Counts(), None)
    assert "counting begins" in found.partial


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (text("{}"), "Prometheus' answer has an unknown form"),
        (text("<html>"), "is runtimes.*.prometheusUrl its address?"),
        (text("bad", 400), "Prometheus answers 400"),
        (text("gone", 503), "Prometheus answers 503"),
        (
            text('{"data": {"result": [{"metric": {"__name__": "http_requests_total"}, "value": [1, "NaN"]}]}}'),
            "unknown form",
        ),
        (text('{"data": {"result": []}}'), "there are no metrics of version 6; is it scraped?"),
    ],
)
async def test_an_unusable_prometheus_is_an_error(
    prometheus: Recorded, reader: MetricsReader, reply: Callable[[], Awaitable[web.StreamResponse]], words: str
) -> None:
    server, url = prometheus
    server.reply = reply
    assert words in str(some(await reader.sample(QUESTION, url, NOW)).error)


async def test_an_absent_prometheus_is_an_error_that_keeps_its_password(reader: MetricsReader) -> None:
    found = some(await reader.sample(QUESTION, "http://user:geheim@127.0.0.6:9", NOW))
    assert "Prometheus does not answer" in str(found.error)
    assert "geheim" not in str(found.error)


async def test_names_stay_values_in_the_query(prometheus: Recorded, reader: MetricsReader) -> None:
    """A version comes from the registry: whatever it holds must not select other series."""
    server, url = prometheus
    hostile = Question('clinic"} or up{a="', "heart\\", "6|.*", '7"}', START)
    assert some(await reader.sample(hostile, url, NOW)).error
    asked = server.queries[0]
    assert 'namespace="clinic\\"} or up{a=\\"",model_name="heart\\\\"' in asked
    assert 'model_version=~"6\\\\|\\\\.\\\\*|7\\"\\\\}"' in asked
