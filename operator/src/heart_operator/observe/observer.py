"""All reads of one reconcile → one frozen Observation. Nothing is written here."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from heart_api.heartmodel import HeartModel
from heart_api.kube.kinds import DEPLOYMENT, HEART_MODEL, JOB, RETRAIN_SCHEDULE, TRAIN_JOB, Kind, children_kinds
from heart_api.kube.objects import InvalidSpec, parse_model
from heart_api.kube.schedules import parse_schedule
from heart_api.kube.values import Manifest, ModelKey, ObjectKey
from heart_api.names import evaluated_version
from heart_api.profile import RuntimeProfile
from heart_api.retrainschedule import RetrainSchedule
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import NotFound
from heart_operator.manifests.children import key_of
from heart_operator.mlflow.backend import server_address
from heart_operator.mlflow.snapshots import RegistryReader
from heart_operator.observe.children import (
    by_key,
    find_objects,
    find_schedules,
    of_kind,
    optional_kinds,
    owned_by,
    read_checks,
    read_deployments,
    read_jobs,
    read_ordered_checks,
)
from heart_operator.observe.coordinator import CoordinatorReader
from heart_operator.observe.observation import Observation, Owner, SeenModel, SeenSchedule, Unobserved, Unreadable
from heart_operator.observe.own_jobs import (
    MOST_FOREIGN,
    is_ordered_check,
    rebuild_for_model,
    rebuild_for_schedule,
    sort_jobs,
)
from heart_operator.observe.sites import Watches, named_sites
from heart_operator.observe.train_jobs import as_job
from heart_operator.plan.objects.adoption import is_orphan
from heart_operator.plan.observed import AnalysisSample, BlockedWorkload, Observed, Registry, TrainingJob
from heart_operator.plan.rollout.sampling import has_traffic, is_interval_due, last_analysis_time
from heart_operator.plan.schedule.observed import ScheduleObserved
from heart_operator.plan.selection.selection import Selection, select_version
from heart_operator.traffic.sampler import MetricsReader, Question

KINDS_MAX_AGE = 60.0
"""Seconds for which the optional kinds that the cluster has are remembered."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Objects:
    """What the API server has of one model, read and parsed once."""

    model: HeartModel | None
    """None: there is none, or it cannot be read."""
    labelled: list[Manifest]
    """Objects that carry the model's label, and that the model or one of the schedules owns, or nobody any more."""
    kinds: frozenset[str]
    """Optional kinds that the cluster has."""
    schedules: tuple[RetrainSchedule, ...]
    """Those that can be read."""
    orphans: Mapping[ObjectKey, Manifest] = field(default_factory=dict)
    """Children of the model among `labelled` that have no living owner."""


class Observer:
    """Reads one model, its schedules and everything that belongs to them."""

    def __init__(
        self,
        cluster: Cluster,
        registry: RegistryReader,
        profiles: Callable[[], Mapping[str, RuntimeProfile]],
        clock: Callable[[], float],
        metrics: MetricsReader | None = None,
        installation: Callable[[], tuple[BlockedWorkload, ...]] = tuple,
        coordinators: CoordinatorReader | None = None,
        watches: Watches = lambda namespace: True,
        *,
        train_jobs: bool = False,
    ) -> None:
        """`installation`: what cannot start of HeartOps itself. `watches`: whether the operator watches a namespace.

        `train_jobs`: whether it has the right to TrainJobs of Kubeflow.
        """
        self._train_jobs = train_jobs
        self._coordinators = coordinators or CoordinatorReader(cluster, clock)
        self._watches = watches
        self._cluster = cluster
        self._metrics = metrics or MetricsReader(cluster)
        self._registry = registry
        self._profiles = profiles
        self._clock = clock
        self._installation = installation
        self._kinds: tuple[float, frozenset[str]] | None = None
        self._registered: dict[ModelKey, tuple[str, str]] = {}
        self._looked: dict[ModelKey, str] = {}
        """The request for a look at the registry that each model's last reconcile has seen."""

    async def observe(self, key: ModelKey) -> Observation:
        """Every object is read once, whichever plans it feeds. Raises what the API server's client raises."""
        raw, raw_schedules = await asyncio.gather(self._living_model(key), find_schedules(self._cluster, key))
        model = parsed(HEART_MODEL, raw, self._parse) if raw else None
        schedules = [parsed(RETRAIN_SCHEDULE, found, parse_schedule) for found in raw_schedules]
        created = raw["metadata"].get("creationTimestamp", "") if raw else ""
        objects = await self._objects(key, model, schedules, created)
        seen = await self._model(raw, objects.model, objects) if raw and objects.model else None
        trainings = seen.observed.jobs if seen else ()
        pairs = zip(raw_schedules, schedules, strict=True)
        found = [await self._schedule(raw, schedule, objects, trainings) for raw, schedule in pairs]
        return Observation(model if isinstance(model, Unreadable) else seen, tuple(found))

    def _parse(self, raw: Manifest) -> HeartModel:
        """Raises InvalidSpec."""
        model = parse_model(raw)
        profile = self._profiles().get(model.spec.runtime)
        return model.model_copy(update={"has_workspace": profile is not None and profile.tracking_auth == "Kubernetes"})

    def interested(self, uri: str, names: frozenset[str] | None) -> list[ModelKey]:
        """Models that were seen to use these registered models of a registry (None: any of it)."""
        return [
            key for key, (where, name) in self._registered.items() if where == uri and (names is None or name in names)
        ]

    async def _living_model(self, key: ModelKey) -> Manifest | None:
        """None: there is no such model, or it is being deleted and its children with it."""
        try:
            raw = await self._cluster.get(HEART_MODEL, key.namespace, key.name)
        except NotFound:
            self._leave_registry(key)
            self._looked.pop(key, None)
            self._metrics.forget(key.namespace, key.name)
            return None
        return None if "deletionTimestamp" in raw["metadata"] else raw

    async def _objects(
        self,
        key: ModelKey,
        model: HeartModel | Unreadable | None,
        schedules: Sequence[RetrainSchedule | Unreadable],
        created: str,
    ) -> Objects:
        """One list of each kind; without a model only of the Jobs of its schedules."""
        readable = tuple(schedule for schedule in schedules if isinstance(schedule, RetrainSchedule))
        owners = {schedule.uid for schedule in readable}
        if not isinstance(model, HeartModel):
            jobs = await find_objects(self._cluster, key, (JOB,), owners) if readable else []
            return Objects(None, jobs, frozenset(), readable)
        kinds, orphan = await self._optional_kinds(), partial(is_orphan, model=model, created=created)
        labelled = await find_objects(self._cluster, key, children_kinds(kinds), owners | {model.uid}, orphan)
        return Objects(model, labelled, kinds, readable, by_key(filter(orphan, labelled)))

    async def _model(self, raw: Manifest, model: HeartModel, objects: Objects) -> SeenModel:
        profiles = self._profiles()
        profile = profiles.get(model.spec.runtime)
        children = {**owned_by(objects.labelled, model.uid), **objects.orphans}
        trainings = [as_job(found, profile) for found in of_kind(children, TRAIN_JOB.kind)]
        found = sort_jobs((*of_kind(children, JOB.kind), *trainings), raw, rebuild_for_model(model, profile))
        strangers = {key_of(job) for job in found.foreign}
        jobs = await read_jobs(self._cluster, model, [job for job in found.ours if not is_ordered_check(job)])
        checks = await read_ordered_checks(self._cluster, model, filter(is_ordered_check, found.ours))
        observed = Observed(
            model=model,
            profile=profile,
            profiles=tuple(sorted(profiles)),
            jobs=tuple(job for job in jobs if evaluated_version(job.trigger) is None),
            evaluations=tuple(job for job in jobs if evaluated_version(job.trigger)),
            checks=checks,
            deployments=await read_deployments(self._cluster, model, of_kind(children, DEPLOYMENT.kind)),
            children=children,
            registry=Registry(),
            kinds=objects.kinds,
            orphans=frozenset(objects.orphans) - strangers,
            foreign_jobs=tuple(sorted(strangers - objects.orphans.keys(), key=str)[:MOST_FOREIGN]),
            schedules=objects.schedules,
            installation=self._installation(),
        )
        (registry, selection), sample, sites, (coordinator, progress) = await asyncio.gather(
            self._registry_view(observed),
            self._sample(observed, datetime.now(UTC)),
            named_sites(self._cluster, model.spec.federation, self._watches),
            self._coordinators.read(model, found.ours),
        )
        observed = replace(observed, sites=sites, coordinator=coordinator, progress=progress)
        owner = Owner(HEART_MODEL, raw, children)
        return SeenModel(owner, replace(observed, registry=registry, sample=sample), selection)

    async def _schedule(
        self,
        raw: Manifest,
        schedule: RetrainSchedule | Unreadable,
        objects: Objects,
        trainings: tuple[TrainingJob, ...],
    ) -> SeenSchedule | Unreadable | Unobserved:
        if isinstance(schedule, Unreadable):
            return schedule
        owner = Owner(RETRAIN_SCHEDULE, raw, owned_by(objects.labelled, schedule.uid))
        model = objects.model
        profile = self._profiles().get(model.spec.runtime) if model else None
        rebuild = rebuild_for_schedule(schedule, model, profile)
        found = sort_jobs(of_kind(owner.children, JOB.kind), raw, rebuild)
        try:
            checks = await read_checks(self._cluster, schedule, found.ours)
        except Exception as error:
            return Unobserved(owner, error)
        foreign = tuple(map(key_of, found.foreign))[:MOST_FOREIGN]
        return SeenSchedule(owner, ScheduleObserved(schedule, model, profile, trainings, checks, foreign))

    async def _sample(self, observed: Observed, now: datetime) -> AnalysisSample | None:
        """Of the traffic, when an analysis is due."""
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

    async def _registry_view(self, observed: Observed) -> tuple[Registry, Selection]:
        """What MLflow has, the version that should serve by that, and in the former the evaluation of the latter."""
        model, profile = observed.model, observed.profile

        def select(found: Registry) -> Selection:
            return select_version(replace(observed, registry=found))

        if profile is None:
            silent = Registry(error=f"there is no runtime profile {model.spec.runtime!r}")
            return silent, select(silent)
        server = server_address(profile, model.namespace)
        key = ModelKey(model.namespace, model.name)
        if self._registered.get(key, (server, ""))[0] != server:
            self._leave_registry(key)
        self._registered[key] = server, model.registry_name
        if self._looks_now(key, model):
            self._registry.renew(server)
        return await self._registry.view(server, model.registry_name, select, model.spec.pinned_version)

    def _leave_registry(self, key: ModelKey) -> None:
        """The model is gone, or its profile names another server: what nobody uses must not count as unavailable."""
        server, _ = self._registered.pop(key, ("", ""))
        if server and not any(where == server for where, _ in self._registered.values()):
            self._registry.leave(server)

    def _looks_now(self, key: ModelKey, model: HeartModel) -> bool:
        """Whether somebody has requested a look at the registry since the last reconcile of the model."""
        requests = model.status.requests
        newest = requests.registry.id if requests and requests.registry else ""
        before = self._looked.get(key)
        self._looked[key] = newest
        return before not in (None, newest)

    async def _optional_kinds(self) -> frozenset[str]:
        """Which of the optional kinds the cluster has; read again after a minute."""
        now = self._clock()
        if self._kinds is None or now - self._kinds[0] > KINDS_MAX_AGE:
            self._kinds = now, await optional_kinds(self._cluster, train_jobs=self._train_jobs)
        return self._kinds[1]


def parsed(kind: Kind, raw: Manifest, parse: Callable[[Manifest], T]) -> T | Unreadable:
    try:
        return parse(raw)
    except InvalidSpec as error:
        return Unreadable(Owner(kind, raw, {}), str(error))
