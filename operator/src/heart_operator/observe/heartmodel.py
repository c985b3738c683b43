"""All reads of one reconcile → a frozen Observed. Nothing is written here."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from heart_api.heartmodel import HeartModel
from heart_api.kube.kinds import DEPLOYMENT, HEART_MODEL, JOB
from heart_api.kube.objects import InvalidSpec, parse_model
from heart_api.kube.values import Manifest, ModelKey
from heart_api.names import evaluated_version
from heart_api.profile import RuntimeProfile
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import NotFound
from heart_operator.mlflow.evaluations import EvaluationRef
from heart_operator.mlflow.snapshots import RegistryReader
from heart_operator.observe.children import of_kind, optional_kinds, read_children, read_deployments, read_jobs
from heart_operator.observe.schedules import read_schedules
from heart_operator.plan.observed import AnalysisSample, Observed, Registry
from heart_operator.plan.rollout.sampling import has_traffic, is_interval_due, last_analysis_time
from heart_operator.plan.selection.selection import select_version
from heart_operator.traffic.sampler import MetricsReader, Question

KINDS_MAX_AGE = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A model as it was read: for decisions, and as the API server returned it (its status is written over that)."""

    raw: Manifest
    observed: Observed


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stored model that does not fit the API's types, e.g. one from a newer version."""

    raw: Manifest
    message: str


class Observer:
    """Reads one model and everything that belongs to it."""

    def __init__(
        self,
        cluster: Cluster,
        registry: RegistryReader,
        profiles: Callable[[], Mapping[str, RuntimeProfile]],
        clock: Callable[[], float],
        metrics: MetricsReader | None = None,
    ) -> None:
        self._cluster = cluster
        self._metrics = metrics or MetricsReader(cluster)
        self._registry = registry
        self._profiles = profiles
        self._clock = clock
        self._kinds: tuple[float, frozenset[str]] | None = None
        self._registered: dict[ModelKey, tuple[str, str]] = {}

    async def observe(self, key: ModelKey) -> Seen | Unreadable | None:
        """None: there is no such model, or it is being deleted and its children with it."""
        try:
            raw = await self._cluster.get(HEART_MODEL, key.namespace, key.name)
        except NotFound:
            self._registered.pop(key, None)
            self._metrics.forget(key.namespace, key.name)
            return None
        if "deletionTimestamp" in raw["metadata"]:
            return None
        try:
            model = parse_model(raw)
        except InvalidSpec as error:
            return Unreadable(raw, str(error))
        return Seen(raw, await self._gather(model))

    def interested(self, uri: str, names: frozenset[str] | None) -> list[ModelKey]:
        """Models that were seen to use these registered models of a registry (None: any of it)."""
        return [
            key for key, (where, name) in self._registered.items() if where == uri and (names is None or name in names)
        ]

    async def _gather(self, model: HeartModel) -> Observed:
        profiles = self._profiles()
        profile = profiles.get(model.spec.runtime)
        kinds = await self._optional_kinds()
        children = await read_children(self._cluster, model, kinds)
        jobs = await read_jobs(self._cluster, model, of_kind(children, JOB.kind))
        observed = Observed(
            model=model,
            profile=profile,
            profiles=tuple(sorted(profiles)),
            jobs=tuple(job for job in jobs if evaluated_version(job.trigger) is None),
            evaluations=tuple(job for job in jobs if evaluated_version(job.trigger)),
            deployments=await read_deployments(self._cluster, model, of_kind(children, DEPLOYMENT.kind)),
            children=children,
            registry=Registry(),
            kinds=kinds,
            schedules=await read_schedules(self._cluster, model.namespace, model.name),
        )
        registry, sample = await asyncio.gather(self._registry_view(observed), self._look(observed, datetime.now(UTC)))
        return replace(observed, registry=registry, sample=sample)

    async def _look(self, observed: Observed, now: datetime) -> AnalysisSample | None:
        """At the traffic, when that is due."""
        model, serving, last = observed.model, observed.model.status.serving, last_analysis_time(observed.model)
        if serving is None or last is None or model.spec.suspend or not is_interval_due(model, now):
            return None
        candidate = model.status.candidate
        question = Question(
            namespace=model.namespace,
            model=model.name,
            stable=serving.version,
            candidate=candidate.version if candidate and has_traffic(model, candidate) else None,
            since=last,
        )
        return await self._metrics.sample(question, observed.profile.prometheus_url if observed.profile else None, now)

    async def _registry_view(self, observed: Observed) -> Registry:
        """With the evaluation that the gate will ask for."""
        model, profile = observed.model, observed.profile
        if profile is None:
            return Registry(error=f"there is no runtime profile {model.spec.runtime!r}")
        self._registered[ModelKey(model.namespace, model.name)] = profile.tracking_uri, model.registry_name

        def choose(found: Registry) -> EvaluationRef | None:
            return evaluation_wanted(replace(observed, registry=found))

        named = str(model.spec.version)
        return await self._registry.view(
            profile.tracking_uri, model.registry_name, choose, named if named.isdecimal() else ""
        )

    async def _optional_kinds(self) -> frozenset[str]:
        """Which of the optional kinds the cluster has; asked again after a minute."""
        now = self._clock()
        if self._kinds is None or now - self._kinds[0] > KINDS_MAX_AGE:
            self._kinds = now, await optional_kinds(self._cluster)
        return self._kinds[1]


def evaluation_wanted(observed: Observed) -> EvaluationRef | None:
    """The evaluation that the gate will ask for."""
    version = select_version(observed).version
    if version is None or not version.evaluation_sha256:
        return None
    return EvaluationRef(version.version, version.run_id, version.evaluation_sha256)
