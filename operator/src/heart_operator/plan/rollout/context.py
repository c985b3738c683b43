"""What a candidate's moves depend on, gathered from the observation."""

from dataclasses import dataclass
from datetime import datetime

from heart_api.experiment import Experiment
from heart_api.heartmodel import CandidateStatus, HeartModelSpec, Mirror, Pause, Rollout, RolloutStep
from heart_api.kube.values import VersionDeployment
from heart_api.names import evaluated_version
from heart_api.status import Origin
from heart_api.times import written
from heart_operator.plan.observed import Observed
from heart_operator.plan.rollout.route import route_rejection
from heart_operator.plan.rollout.scale import wanted_count
from heart_operator.plan.rollout.traffic import asked_weight, pods_for
from heart_operator.plan.versions import Version, deployment_of, with_prefix


@dataclass(frozen=True, slots=True)
class RolloutContext:
    """Everything that a candidate's next move depends on."""

    rollout: Rollout
    deployment: VersionDeployment
    full: int
    """Pods that carry all of the traffic."""
    stable_ready: int
    manual: bool
    exact: bool
    """An HTTPRoute splits the traffic, or the serving pods do: the Service does not."""
    route_rejected: bool
    """The Gateway does not accept the route: no request arrives."""
    crowded: bool
    """Pods of a third version live, which a Service that spreads would reach."""
    hold: str
    """Why it must not move on (an outage of the registry); empty: it may."""
    now: datetime
    origin: Origin = "Training"
    outside: str = ""
    """Why it is not known to be a training's version; empty: it is."""


def effective_rollout(observed: Observed, stable: Version | None) -> Rollout:
    """The first version skips the steps: there is nothing to compare it with."""
    rollout = observed.model.spec.rollout
    if stable is None:
        return rollout.model_copy(update={"steps": (), "mirror": Mirror(), "experiment": None})
    if rollout.experiment is None:
        return rollout
    return rollout.model_copy(update={"steps": experiment_steps(rollout.experiment), "mirror": Mirror()})


def experiment_steps(experiment: Experiment) -> tuple[RolloutStep, ...]:
    """An experiment is a rollout of one weight, and one pause that its result ends."""
    return RolloutStep(set_weight=experiment.split), RolloutStep(pause=Pause())


def splits_exactly(observed: Observed) -> bool:
    """An HTTPRoute splits the traffic, or the serving pods do for an experiment; else the numbers of pods."""
    return observed.model.spec.serving.route is not None or observed.model.spec.rollout.experiment is not None


def build_context(
    observed: Observed, stable: Version | None, wanted: Version, deployment: VersionDeployment, hold: str, now: datetime
) -> RolloutContext:
    stable_deployment = deployment_of(observed, stable)
    own = {stable.version if stable else "", wanted.version}
    origin = origin_of(wanted, deployment, known_candidate(observed, wanted))
    return RolloutContext(
        rollout=effective_rollout(observed, stable),
        deployment=deployment,
        full=full_count(observed, stable, wanted),
        stable_ready=stable_deployment.ready if stable_deployment else 0,
        manual=needs_approval(observed.model.spec, origin),
        origin=origin,
        outside=wanted.seal_message or "no training Job of this HeartModel reported it" if origin == "Outside" else "",
        exact=splits_exactly(observed),
        route_rejected=bool(route_rejection(observed)),
        crowded=any(entry.version not in own and entry.ready > 0 for entry in observed.deployments),
        hold=hold,
        now=now,
    )


def origin_of(wanted: Version, deployment: VersionDeployment | None, known: CandidateStatus | None) -> Origin:
    """Who vouches for the version. A seal once found valid is about these bytes, and holds."""
    if evaluated_version(wanted.trigger or (deployment.trigger if deployment else "")) is None:
        return "Training"
    return "Sealed" if wanted.sealed or (known and known.origin == "Sealed") else "Outside"


def needs_approval(spec: HeartModelSpec, origin: Origin) -> bool:
    """Every version, or only those from outside that are not named by number in `spec.version`."""
    asks = origin == "Outside" and not spec.pinned_version and spec.versions_from_outside == "Approve"
    return spec.approval == "Manual" or asks


def full_count(observed: Observed, stable: Version | None, wanted: Version) -> int:
    """Pods for all of the traffic. A stable version that shares its traffic shrinks: what it had before counts."""
    serving = observed.model.spec.serving
    count = wanted_count(serving, deployment_of(observed, stable))
    before = known_candidate(observed, wanted)
    return count if serving.replicas is not None or before is None else max(count, before.base_replicas)


def first_pods(observed: Observed, stable: Version | None) -> int:
    """Pods that a candidate starts with."""
    rollout = effective_rollout(observed, stable)
    full = wanted_count(observed.model.spec.serving, deployment_of(observed, stable))
    if not rollout.steps:
        return full
    exact = splits_exactly(observed)
    return min(full, pods_for(rollout, asked_weight(rollout, 0), max(1, full), exact=exact))


def known_candidate(observed: Observed, wanted: Version | None) -> CandidateStatus | None:
    """What was noted of exactly these bytes."""
    before = observed.model.status.candidate
    if wanted and before and (before.version, with_prefix(before.digest)) == (wanted.version, wanted.digest):
        return before
    return None


def candidate_status(observed: Observed, wanted: Version, since: datetime) -> CandidateStatus:
    """What was noted of it, or a new note."""
    new = CandidateStatus(
        version=wanted.version, digest=wanted.digest, since=written(since), origin=origin_of(wanted, None, None)
    )
    return known_candidate(observed, wanted) or new
