"""What is observed: frozen values that the thin I/O gathers for the pure decisions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from heart_api.drift import CheckFailure, CheckResult
from heart_api.evaluation import Evaluation
from heart_api.federating import Place
from heart_api.federation import CoordinatorIdentity, Progress
from heart_api.federationsite import FederationSite
from heart_api.handover import TrainingFailure, TrainingResult
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Blocked, Manifest, ObjectKey, VersionDeployment
from heart_api.names import Annotation, Label
from heart_api.outbox import Destination
from heart_api.profile import RuntimeProfile
from heart_api.retrainschedule import RetrainSchedule
from heart_operator.plan.analysis.counts import NO_ANSWERS, NO_OUTCOMES, Counts, Share
from heart_operator.plan.analysis.experiment import Sums
from heart_operator.plan.quota import NO_USAGE, Usage

Result = TypeVar("Result")
Failure = TypeVar("Failure")


@dataclass(frozen=True, slots=True)
class ObservedJob(Generic[Result, Failure]):
    """A Job of the trainer, with what its newest finished pod left as termination message."""

    name: str
    uid: str
    trigger: str
    """Why the Job was started, from its annotation: the trigger of a training or evaluation, the scheduled time of a
    check."""
    created: datetime
    phase: Literal["Running", "Succeeded", "Failed"]
    finished: datetime | None = None
    result: Result | None = None
    failure: Failure | None = None
    why: str = ""
    """For a Job that ended without a message: the reason given by Kubernetes (OOMKilled, DeadlineExceeded, …)."""
    waiting: bool = False
    """It has not ended and no pod of it runs: not made yet, starting, or blocked."""
    blocked: Blocked | None = None
    """Why no pod of it runs; None: one does, or is only starting."""
    attempt: int = 0
    """Of a training on several pods: how many attempts were lost before."""
    lost: bool = False
    """A training on several pods that lost one of them, and may be tried again."""
    kind: str = "Job"
    """`TrainJob` for a training that Kubeflow Trainer runs."""
    template: str = ""
    """Digest of a TrainJob's template."""


TrainingJob: TypeAlias = ObservedJob[TrainingResult, TrainingFailure]
"""Of a training, or of the evaluation of a version registered by hand."""
CheckJob: TypeAlias = ObservedJob[CheckResult, CheckFailure]
"""The Job is checking the prediction log up to its scheduled time."""


@dataclass(frozen=True, slots=True)
class BlockedWorkload:
    """A Job or Deployment whose pods do not run: one sample of the metric heartops_blocked_workloads."""

    kind: str
    name: str
    cause: str


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    version: str
    run_id: str
    trigger: str
    """Trigger of the training that registered it; empty for a version that was registered by hand or copied."""
    artifact_sha256: str
    rejected: str | None = None
    created: int = 0
    """Milliseconds since 1970: a registered model that is made anew counts its versions from 1 again."""
    signed: bool = False
    """It has a signature; whether that is valid is for the pods to say."""


@dataclass(frozen=True, slots=True)
class Registry:
    """What MLflow said; with `error` set nothing else is known, and nothing may be concluded from its absence."""

    error: str | None = None
    claimed_by: str | None = None
    versions: Mapping[str, RegisteredVersion] = field(default_factory=dict)
    evaluation: Evaluation | None = None
    """The evaluation of the version that `plan.selection` chooses, read back and matched with its digest."""
    evaluation_error: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Every alias of the registered model and its version."""
    open_runs: frozenset[str] = frozenset()
    """Triggers of this model's MLflow runs that are in state RUNNING."""


@dataclass(frozen=True, slots=True)
class MirrorCounts:
    """How the candidate answered copies of the serving version's requests."""

    compared: int = 0
    different: int = 0
    failed: int = 0
    """Copies without an answer."""
    max_difference: float = 0.0


NO_MIRROR = MirrorCounts()


@dataclass(frozen=True, slots=True)
class Arms:
    """What the pods of the serving version know of the two groups of an experiment's users."""

    stable_requests: Share = NO_OUTCOMES
    """5xx among the requests since the last interval."""
    candidate_requests: Share = NO_OUTCOMES
    stable_outcomes: Sums | None = None
    """Of all outcomes that are known by now: a state and no increment. None: no pod knows, as without a database."""
    candidate_outcomes: Sums | None = None


NO_ARMS = Arms()


@dataclass(frozen=True, slots=True)
class AnalysisSample:
    """Responses of the versions since the last interval; unknown if `error` is set."""

    stable: Counts = NO_ANSWERS
    candidate: Counts = NO_ANSWERS
    mirror: MirrorCounts = NO_MIRROR
    stable_outcomes: Share = NO_OUTCOMES
    """Wrong ones among all predictions whose outcome is known by now: a state and no increment."""
    candidate_outcomes: Share = NO_OUTCOMES
    arms: Arms = NO_ARMS
    """Of an experiment's users."""
    error: str | None = None
    partial: str = ""
    """What is missing from it, e.g. pods that did not answer."""


@dataclass(frozen=True, slots=True)
class ObservedSite:
    """A site that a model names."""

    place: Place
    site: FederationSite | None
    """None: there is none, or it cannot be read."""
    problem: str = ""
    """Why it cannot be read."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The world as one reconcile sees it."""

    model: HeartModel
    profile: RuntimeProfile | None
    """None: no profile of the name in spec.runtime."""
    profiles: tuple[str, ...]
    jobs: tuple[TrainingJob, ...]
    deployments: tuple[VersionDeployment, ...]
    children: Mapping[ObjectKey, Manifest]
    """Every living child of the model, as the API server returns it."""
    registry: Registry
    kinds: frozenset[str]
    """Optional kinds that this cluster has: ServiceMonitor, PrometheusRule."""
    sample: AnalysisSample | None = None
    """Responses of the versions since the last interval; None if no interval was due, or there is nothing new."""
    evaluations: tuple[TrainingJob, ...] = ()
    """Jobs that evaluate versions registered by hand, oldest first; `jobs` are trainings."""
    checks: tuple[CheckJob, ...] = ()
    """Jobs of drift checks that somebody requested; those of schedules are theirs."""
    orphans: frozenset[ObjectKey] = frozenset()
    """Those of `children` that have no living owner yet (plan.objects.adoption)."""
    foreign_jobs: tuple[ObjectKey, ...] = ()
    """Jobs with our owner reference that the operator did not create: to be removed, and never believed."""
    schedules: tuple[RetrainSchedule, ...] = ()
    """The model's RetrainSchedules: their requests (plan.training.requests) and findings (plan.status.drift)."""
    usage: Usage = NO_USAGE
    """Of the model's namespace, for its quotas."""
    destinations: tuple[Destination, ...] = ()
    """Who is told of decisions."""
    delivered: frozenset[tuple[str, Destination]] = frozenset()
    """Entries of the outbox, by id, and who has acknowledged them."""
    installation: tuple[BlockedWorkload, ...] = ()
    """What cannot start of HeartOps itself, such as MLflow."""
    sites: tuple[ObservedSite, ...] = ()
    """Of `spec.federation`; what it selects, or names whether it exists or not."""
    coordinator: CoordinatorIdentity | None = None
    """Of the running federated training, once its pod has said it."""
    progress: Progress | None = None
    """Of the running federated training, if its pod answers."""

    @property
    def all_jobs(self) -> tuple[ObservedJob[Any, Any], ...]:
        """Of trainings, evaluations and drift checks."""
        return (*self.jobs, *self.evaluations, *self.checks)

    @property
    def stable_version(self) -> str | None:
        """The serving version, read from the Service's selector and not from the status.

        During a canary that selects the pods of every version, an annotation beside it names the stable one.
        """
        for key, child in self.children.items():
            if key.kind == "Service" and key.name == self.model.name:
                selector: dict[str, str] = child["spec"].get("selector") or {}
                annotations: dict[str, str] = child["metadata"].get("annotations") or {}
                return selector.get(Label.MODEL_VERSION) or annotations.get(Annotation.STABLE_VERSION)
        return None
