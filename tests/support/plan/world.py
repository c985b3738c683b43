"""A cluster and a registry in memory, for the pure plan: plans are carried out action by action, and may be cut short.

The world knows what the plan cannot: whether a version's pods will start, whether its figures are good. Nothing here
decides; it only does what Kubernetes, MLflow and the trainer would do.
"""

import copy
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from heart_api.commands import Command
from heart_api.evaluation import Comparison, Difference, Estimate, Evaluation, ServingReference
from heart_api.handover import TrainingFailure, TrainingResult
from heart_api.heartmodel import HeartModel, HeartModelStatus
from heart_api.kube.values import Manifest, ObjectKey, VersionDeployment
from heart_api.names import Annotation, Label, evaluated_version
from heart_api.profile import RuntimeProfile
from heart_operator.plan.actions import Adopt, CloseRuns, Plan, SetAlias, TagVersion
from heart_operator.plan.heartmodel import plan_heart_model
from heart_operator.plan.observed import (
    AnalysisSample,
    BlockedWorkload,
    Observed,
    ObservedJob,
    RegisteredVersion,
    Registry,
    TrainingJob,
)
from heart_operator.plan.rollout.sampling import is_interval_due
from heart_operator.plan.selection.selection import select_version

START = datetime(2026, 1, 1, tzinfo=UTC)
MONITORING = frozenset({"ServiceMonitor", "PrometheusRule"})
PROFILE = RuntimeProfile.model_validate(
    {
        "images": {"trainer": "trainer:1", "serving": "serving:1"},
        "trackingUri": "https://mlflow:5000",
        "routes": {"gateways": ["clinic/public"], "ingressClasses": ["nginx"], "hosts": ["*.example.org"]},
    }
)
SPEC: dict[str, Any] = {
    "dataset": {"uri": "https://example.org/heart.csv"},
    "target": {"name": "num", "positiveAbove": 0},
    "features": [{"name": "age", "type": "number"}, {"name": "sex", "type": "category", "values": [0, 1]}],
    "gates": {"checks": [{"metric": "roc_auc", "min": 0.8}, {"metric": "roc_auc", "maxRegression": 0.02}]},
    "serving": {"autoscaling": {"minReplicas": 2, "maxReplicas": 5}},
    "rollout": {"steps": []},
    "versionsFromOutside": "Adopt",
}


def heart_model(spec: dict[str, Any] | None = None, **changes: Any) -> HeartModel:
    """A valid model; `spec` is merged over SPEC one level deep."""
    merged = copy.deepcopy(SPEC) | (spec or {})
    return HeartModel.model_validate({"namespace": "clinic", "name": "heart", "uid": "u-1", "spec": merged} | changes)


def figure(estimate: float, n: int = 303, events: int | None = 139, spread: float = 0.03) -> Estimate:
    return Estimate(n=n, events=events, estimate=estimate, low=estimate - spread, high=estimate + spread)


def evaluation(auc: float = 0.9, comparison: Comparison | None = None, **changes: Any) -> Evaluation:
    values: dict[str, Any] = {
        "task": "binary",
        "algorithm": "random-forest",
        "dataset_sha256": "d",
        "rows": 303,
        "metrics": {"roc_auc": figure(auc)},
        "comparison": comparison,
    }
    return Evaluation(**(values | changes))


def comparison(against: ServingReference, difference: float = 0.0, spread: float = 0.005) -> Comparison:
    compared = Difference(
        n=303,
        events=139,
        candidate=0.9 + difference,
        serving=0.9,
        difference=difference,
        low=difference - spread,
        high=difference + spread,
    )
    return Comparison(against=against, metrics={"roc_auc": compared})


def sha(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class Crash(Exception):
    """The operator dies before its next action."""


@dataclass(frozen=True)
class Version:
    """What the registry's bytes really are."""

    run_id: str
    trigger: str
    digest: str
    evaluation: Evaluation
    starts: bool


@dataclass
class World:
    """One model's surroundings. Tests change it as people, nodes and networks would."""

    model: HeartModel = field(default_factory=heart_model)
    profile: RuntimeProfile | None = PROFILE
    kinds: frozenset[str] = MONITORING
    now: datetime = START
    jobs: dict[str, TrainingJob] = field(default_factory=dict)
    deployments: dict[str, VersionDeployment] = field(default_factory=dict)
    orphans: set[ObjectKey] = field(default_factory=set)
    """Children whose model was deleted without them."""
    children: dict[ObjectKey, Manifest] = field(default_factory=dict)
    """Living objects besides Jobs and Deployments."""
    templates: dict[str, Manifest] = field(default_factory=dict)
    """The Deployments as objects; their counts and pods are in `deployments`."""
    trained: dict[str, Version] = field(default_factory=dict)
    """Every version that ever was, whatever the registry still lists."""
    versions: dict[str, Version] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    signed: set[str] = field(default_factory=set)
    """Versions with a signature in the registry."""
    open_runs: set[str] = field(default_factory=set)
    claimed_by: str | None = None
    registry_error: str | None = None
    evaluation_error: str | None = None
    jobs_created: Counter[str] = field(default_factory=Counter)
    sample: AnalysisSample = field(default_factory=lambda: AnalysisSample(error="nobody measures"))
    """What every look at the traffic finds."""
    installation: tuple[BlockedWorkload, ...] = ()
    """What cannot start of HeartOps itself."""
    events: list[str] = field(default_factory=list)
    writes: int = 0
    commands: int = 0
    fuse: int | None = None
    """Actions until the operator crashes; None: never."""
    watchers: list[Callable[["World"], None]] = field(default_factory=list)
    """Called after every action: where tests put what must always hold."""

    # --- the operator ---------------------------------------------------------------------------

    def observe(self) -> Observed:
        without = Observed(
            model=self.model,
            profile=self.profile,
            profiles=("default",),
            jobs=self._jobs(evaluations=False),
            evaluations=self._jobs(evaluations=True),
            deployments=tuple(sorted(self.deployments.values(), key=lambda entry: entry.name)),
            children=self.children | self._deployment_objects(),
            registry=Registry(error="not asked"),
            kinds=self.kinds,
            orphans=frozenset(self.orphans),
            sample=self.sample if is_interval_due(self.model, self.now) else None,
            installation=self.installation,
        )
        return replace(without, registry=self._registry(without))

    def plan(self) -> Plan:
        observed = self.observe()
        return plan_heart_model(observed, select_version(observed), self.now)

    def reconcile(self) -> Plan:
        """One look. Raises Crash when the fuse burns down."""
        plan = self.plan()
        self.carry_out(plan)
        return plan

    def carry_out(self, plan: Plan) -> None:
        actions = [*plan.adopt, *plan.apply, *plan.create, *plan.scale, *plan.delete, *plan.registry]
        if actions:
            self._record(plan.facts)
        for action, does in (
            (plan.adopt, self._adopt),
            (plan.apply, self._apply),
            (plan.create, self._create),
            (plan.scale, self._scale),
            (plan.delete, self._delete),
            (plan.registry, self._tell_registry),
        ):
            for entry in action:
                self._step(does, entry)
        self._record(plan.status)
        self.events += [event.reason for event in plan.events]

    def settle(self, limit: int = 30) -> None:
        """Reconcile until nothing is left to do; a plan that never comes to rest is a failure."""
        for _ in range(limit):
            if self.is_at_rest(self.reconcile()):
                return
        raise AssertionError(f"no fixed point after {limit} looks: {self.plan()}")

    def is_at_rest(self, plan: Plan) -> bool:
        return not (
            plan.adopt or plan.create or plan.apply or plan.scale or plan.delete or plan.registry or plan.events
        ) and (plan.status == self.model.status)

    # --- people, nodes, time ----------------------------------------------------------------------

    def change_spec(self, **changes: Any) -> None:
        spec = self.model.spec.model_copy(update=changes)
        self.model = self.model.model_copy(update={"spec": spec, "generation": self.model.generation + 1})

    def merge_spec(self, changes: dict[str, Any]) -> None:
        spec = type(self.model.spec).model_validate(self.model.spec.dump() | changes)
        self.model = self.model.model_copy(update={"spec": spec, "generation": self.model.generation + 1})

    def retrain(self, value: str) -> None:
        annotations = {**self.model.annotations, Annotation.RETRAIN: value}
        self.model = self.model.model_copy(update={"annotations": annotations})

    def wipe_status(self) -> None:
        self.model = self.model.model_copy(update={"status": HeartModelStatus()})

    def orphan(self, uid: str = "u-2") -> None:
        """The model is deleted with --cascade=orphan and applied again: all children stay, and nobody owns them."""
        self.model = self.model.model_copy(update={"uid": uid, "status": HeartModelStatus()})
        for name, job in self.jobs.items():
            meta = {"name": name, "uid": job.uid, "annotations": {Annotation.TRIGGER: job.trigger}}
            self.children[ObjectKey("batch/v1", "Job", name)] = {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": meta,
            }
        for living in (*self.children.values(), *self.templates.values()):
            living["metadata"].pop("ownerReferences", None)
            living["metadata"]["resourceVersion"] = "7"
        self.orphans = {*self.children, *self._deployment_objects()}

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def running_job(self) -> TrainingJob | None:
        return next((job for job in self._jobs(evaluations=False) if job.phase == "Running"), None)

    def running_evaluation(self) -> TrainingJob | None:
        return next((job for job in self._jobs(evaluations=True) if job.phase == "Running"), None)

    def register_by_hand(self, auc: float = 0.9, starts: bool = True, trigger: str = "") -> str:
        """Somebody registers a version from a notebook; with a `trigger` in its tags, it claims a training."""
        version = str(len(self.trained) + 1)
        self.trained[version] = Version(f"run-{version}", trigger, sha(version), evaluation(auc), starts)
        self.versions[version] = self.trained[version]
        return version

    def finish_evaluation(self, sealed: bool = False, message: str = "it carries no seal") -> str:
        """The running evaluation Job has measured its version, against the one that serves, and checked its seal."""
        job = self.running_evaluation()
        assert job
        version = evaluated_version(job.trigger)
        assert version
        known, against = self.trained[version], self.serving_reference()
        measured = known.evaluation.model_copy(update={"comparison": comparison(against) if against else None})
        self.trained[version] = self.versions[version] = replace(known, evaluation=measured)
        result = TrainingResult(
            version=version,
            run_id="run-e",
            artifact_sha256=known.digest,
            evaluation_sha256=sha(f"e{version}"),
            sealed=sealed,
            seal_message=None if sealed else message,
        )
        self.jobs[job.name] = replace(job, phase="Succeeded", finished=self.now, result=result)
        self.open_runs.discard(job.trigger)
        return version

    def reject_evaluation(self, message: str = "it has no HeartOps package") -> None:
        """The running evaluation Job finds that nobody can serve the version."""
        job = self.running_evaluation()
        assert job
        failure = TrainingFailure(reason="NotServable", message=message)
        self.jobs[job.name] = replace(job, phase="Failed", finished=self.now, failure=failure)
        self.open_runs.discard(job.trigger)

    def finish_job(self, auc: float = 0.9, starts: bool = True, regression: float = 0.0) -> str:
        """The running Job registers a version (the one that its trigger has already, if any)."""
        job = self.running_job()
        assert job
        version = next((name for name, known in self.versions.items() if known.trigger == job.trigger), None)
        if version is None:
            version = str(len(self.trained) + 1)
            against = self.serving_reference()
            measured = evaluation(auc, comparison(against, regression) if against else None)
            self.trained[version] = Version(f"run-{version}", job.trigger, sha(version), measured, starts)
            self.versions[version] = self.trained[version]
            self.claimed_by = "clinic/heart"
        known = self.versions[version]
        result = TrainingResult(
            version=version, run_id=known.run_id, artifact_sha256=known.digest, evaluation_sha256=sha(f"e{version}")
        )
        self.jobs[job.name] = replace(job, phase="Succeeded", finished=self.now, result=result)
        self.open_runs.discard(job.trigger)
        return version

    def fail_job(self, failure: TrainingFailure | None = None, why: str = "OOMKilled") -> None:
        job = self.running_job()
        assert job
        ended = {"failure": failure} if failure else {"why": why}
        self.jobs[job.name] = replace(job, phase="Failed", finished=self.now, **ended)  # type: ignore[arg-type]

    def start_pods(self) -> None:
        """Pods of every Deployment come up, where the version can start at all."""
        for name, entry in self.deployments.items():
            version = self.trained.get(entry.version)
            starts = version is None or version.starts
            problem = "" if starts else "CrashLoopBackOff in server: self-check failed"
            self.deployments[name] = replace(
                entry, ready=entry.replicas if starts else 0, up_to_date=True, problem=problem
            )

    def submit(self, action: str, version: str, by: str = "alice", reason: str = "") -> None:
        """A person's command, as `kubectl heart` writes it."""
        self.commands += 1
        digest = self.trained[version].digest if version in self.trained else ""
        values = {
            "action": action,
            "version": version,
            "digest": digest,
            "id": str(self.commands),
            "by": by,
            "reason": reason,
        }
        annotations = {**self.model.annotations, **Command.model_validate(values).annotations()}
        self.model = self.model.model_copy(update={"annotations": annotations})

    def crash(self, version: str, times: int) -> None:
        """The version's server ends, again and again."""
        entry = self.deployment(version)
        self.deployments[entry.name] = replace(entry, crashes=entry.crashes + times, problem="OOMKilled in server")

    def autoscale(self, replicas: int) -> None:
        """The HPA does what it does: it owns what it points at, and pauses at 0."""
        hpa = self.child("HorizontalPodAutoscaler")
        target = self.deployments.get(hpa["spec"]["scaleTargetRef"]["name"]) if hpa else None
        if hpa and target and target.replicas > 0:
            count = min(max(replicas, hpa["spec"]["minReplicas"]), hpa["spec"]["maxReplicas"])
            self.deployments[target.name] = replace(target, replicas=count, ready=min(target.ready, count))

    # --- what tests look at -------------------------------------------------------------------------

    def child(self, kind: str, name: str = "heart") -> Manifest | None:
        return next((item for key, item in self.children.items() if (key.kind, key.name) == (kind, name)), None)

    @property
    def selected(self) -> str | None:
        """The version behind the Service."""
        service = self.child("Service")
        return service["metadata"]["annotations"][Annotation.STABLE_VERSION] if service else None

    @property
    def answering(self) -> set[str]:
        """Versions whose ready pods get the Service's traffic."""
        service = self.child("Service")
        if service is None:
            return set()
        only = service["spec"]["selector"].get(Label.MODEL_VERSION)
        return {entry.version for entry in self.deployments.values() if entry.ready and only in (None, entry.version)}

    @property
    def running_versions(self) -> set[str]:
        return {entry.version for entry in self.deployments.values()}

    def deployment(self, version: str) -> VersionDeployment:
        return next(entry for entry in self.deployments.values() if entry.version == version)

    def serving_reference(self) -> ServingReference | None:
        version = self.versions.get(self.selected) if self.selected else None
        return ServingReference(version=self.selected or "", digest=version.digest) if version else None

    def condition(self, type_: str) -> tuple[str, str]:
        """Status and reason."""
        found = next(entry for entry in self.model.status.conditions if entry.type == type_)
        return found.status, found.reason

    def message(self, type_: str) -> str:
        return next(entry.message for entry in self.model.status.conditions if entry.type == type_)

    # --- actions ------------------------------------------------------------------------------------

    def _step(self, does: Callable[[Any], None], action: Any) -> None:
        if self.fuse is not None:
            if self.fuse == 0:
                raise Crash
            self.fuse -= 1
        does(action)
        self.writes += 1
        for watch in self.watchers:
            watch(self)

    def _record(self, status: HeartModelStatus) -> None:
        """The API server stores JSON, not our values."""
        stored = HeartModelStatus.model_validate(status.dump())
        if stored != self.model.status:
            self._step(self._store, stored)

    def _store(self, status: HeartModelStatus) -> None:
        self.model = self.model.model_copy(update={"status": status})

    def _jobs(self, *, evaluations: bool) -> tuple[TrainingJob, ...]:
        found = [job for job in self.jobs.values() if (evaluated_version(job.trigger) is not None) == evaluations]
        return tuple(sorted(found, key=lambda job: (job.created, job.name)))

    def _deployment_objects(self) -> dict[ObjectKey, Manifest]:
        return {ObjectKey("apps/v1", "Deployment", name): self.templates[name] for name in self.deployments}

    def _adopt(self, adopt: Adopt) -> None:
        living = self.templates[adopt.key.name] if adopt.key.kind == "Deployment" else self.children[adopt.key]
        for operation in adopt.patch:
            *parents, name = operation["path"].split("/")[1:]
            place = living["metadata"] if parents else living
            if operation["op"] == "remove":
                del place[name]
            elif name == "resourceVersion":
                assert place[name] == operation["value"]
            else:
                place[name] = copy.deepcopy(operation["value"])
        self.orphans.remove(adopt.key)

    def _apply(self, manifest: Manifest) -> None:
        key = ObjectKey(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])
        assert key.kind != "Job", "Jobs are never applied"
        if key.kind == "Deployment":
            assert "replicas" not in manifest["spec"], "a count that is applied once falls back to 1 later"
            assert key.name in self.deployments, "Deployments are created with their first count"
            self.templates[key.name] = copy.deepcopy(manifest)
        else:
            self.children[key] = copy.deepcopy(manifest)

    def _create(self, manifest: Manifest) -> None:
        name, annotations = manifest["metadata"]["name"], manifest["metadata"]["annotations"]
        if manifest["kind"] == "Job":
            if name not in self.jobs:
                trigger = annotations[Annotation.TRIGGER]
                self.jobs[name] = ObservedJob(name, f"uid-{name}", trigger, self.now, "Running")
                self.jobs_created[trigger] += 1
                self.open_runs.add(trigger)
        elif name not in self.deployments:
            self.templates[name] = copy.deepcopy(manifest)
            self.deployments[name] = VersionDeployment(
                name=name,
                uid=f"uid-{name}",
                version=manifest["metadata"]["labels"][Label.MODEL_VERSION],
                digest=annotations[Annotation.DIGEST],
                trigger=annotations[Annotation.TRIGGER],
                run_id=annotations[Annotation.RUN_ID],
                created=self.now,
                replicas=manifest["spec"]["replicas"],
                ready=0,
                up_to_date=False,
                evaluation_sha256=annotations[Annotation.EVALUATION],
            )

    def _scale(self, scale: Any) -> None:
        entry, hpa = self.deployments[scale.deployment], self.child("HorizontalPodAutoscaler")
        owned = hpa is not None and hpa["spec"]["scaleTargetRef"]["name"] == entry.name and entry.replicas > 0
        assert not owned, "operator and autoscaler both scale"
        count = scale.replicas
        self.deployments[entry.name] = replace(entry, replicas=count, ready=min(entry.ready, count))

    def _delete(self, key: ObjectKey) -> None:
        if key.kind == "Job":
            del self.jobs[key.name]
            self.children.pop(key, None)
        elif key.kind == "Deployment":
            assert self.deployments[key.name].version != self.selected, "the operator deletes what serves"
            del self.deployments[key.name]
        else:
            del self.children[key]

    def _tell_registry(self, action: CloseRuns | TagVersion | SetAlias) -> None:
        assert not self.registry_error, "the registry cannot be told anything now"
        if isinstance(action, CloseRuns):
            self.open_runs.discard(action.trigger)
        elif isinstance(action, TagVersion):
            self.tags[action.version] = action.value
        elif action.version is None:
            self.aliases.pop(action.alias, None)
        else:
            assert action.version in self.versions, "MLflow knows no such version"
            self.aliases[action.alias] = action.version

    def _registry(self, observed: Observed) -> Registry:
        if self.registry_error:
            return Registry(error=self.registry_error)
        found = Registry(
            claimed_by=self.claimed_by,
            versions={name: self._registered(name, version) for name, version in self.versions.items()},
            aliases=dict(self.aliases),
            open_runs=frozenset(self.open_runs),
        )
        judged = select_version(replace(observed, registry=found)).version
        known = self.trained.get(judged.version) if judged and judged.evaluation_sha256 else None
        unreadable = self.evaluation_error if known else None
        return replace(
            found, evaluation=known.evaluation if known and not unreadable else None, evaluation_error=unreadable
        )

    def _registered(self, name: str, version: Version) -> RegisteredVersion:
        return RegisteredVersion(
            name,
            version.run_id,
            version.trigger,
            version.digest,
            self.tags.get(name) or None,
            signed=name in self.signed,
        )


def serving_world(**changes: Any) -> World:
    """A world in which version 1 has been trained, judged and promoted."""
    world = World(**changes)
    world.settle()
    world.finish_job()
    bring_up(world)
    return world


def bring_up(world: World, rounds: int = 6) -> None:
    """Let pods start and the operator look, until both are at rest."""
    for _ in range(rounds):
        world.settle()
        world.start_pods()
    world.settle()


def watch(world: World, seconds: int, every: int = 30) -> None:
    """Time passes, pods start when they are asked for, the operator looks every interval."""
    for _ in range(seconds // every):
        world.pass_time(every)
        world.start_pods()
        world.settle()


def names(manifests: Iterable[Manifest]) -> list[tuple[str, str]]:
    return [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
