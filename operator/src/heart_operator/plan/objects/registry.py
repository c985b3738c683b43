"""Updates of the registry: aliases, rejection tags and finished runs; only those that differ from its contents."""

from collections.abc import Iterable

from heart_api.handover import Tag
from heart_api.names import Reason
from heart_operator.plan.actions import CloseRuns, RegistryAction, SetAlias, TagVersion
from heart_operator.plan.gates.verdict import GateReport
from heart_operator.plan.observed import Observed, RegisteredVersion
from heart_operator.plan.rollout.result import RolloutPlan
from heart_operator.plan.selection.rejections import is_forgiven, tag_of
from heart_operator.plan.versions import Version


def plan_registry(
    observed: Observed, rollout: RolloutPlan, wanted: Version | None, gate: GateReport | None, *, may_act: bool
) -> tuple[RegistryAction, ...]:
    """Runs are closed whenever the registry is reachable; aliases and tags only while the registered model is this
    owner's."""
    if observed.registry.error:
        return ()
    closing = tuple(runs_to_close(observed))
    if not may_act:
        return closing
    return (*closing, *aliases(observed, rollout), *tags(observed, rollout, wanted, gate))


def runs_to_close(observed: Observed) -> Iterable[CloseRuns]:
    """Runs that are RUNNING though their Job is not: it was killed, evicted, out of memory, or deleted."""
    jobs = (*observed.jobs, *observed.evaluations)
    running = {job.trigger for job in jobs if job.phase == "Running"}
    ended = {job.trigger for job in jobs}
    for trigger in sorted(observed.registry.open_runs - running):
        yield CloseRuns(trigger, "FAILED" if trigger in ended else "KILLED")


def aliases(observed: Observed, rollout: RolloutPlan) -> Iterable[SetAlias]:
    """`serving`, `candidate` and `previous` are the operator's own."""
    registry = observed.registry
    if registry.claimed_by is None:
        return  # a person's own aliases on a model that is not ours yet
    if rollout.stable:
        yield from alias(registry.aliases.get("serving"), SetAlias("serving", rollout.stable.version), observed)
    candidate = rollout.candidate.version if rollout.candidate else None
    yield from alias(registry.aliases.get("candidate"), SetAlias("candidate", candidate), observed)
    previous = rollout.previous.version if rollout.previous else None
    yield from alias(registry.aliases.get("previous"), SetAlias("previous", previous), observed)


def alias(living: str | None, wanted: SetAlias, observed: Observed) -> Iterable[SetAlias]:
    if wanted.version != living and (wanted.version is None or wanted.version in observed.registry.versions):
        yield wanted


def tags(
    observed: Observed, rollout: RolloutPlan, wanted: Version | None, gate: GateReport | None
) -> Iterable[TagVersion]:
    """Rejection tags survive a lost status; they are removed when the status has none and nothing confirms them."""
    versions = observed.registry.versions
    for entry in rollout.rejected:
        if entry.version in versions and (versions[entry.version].rejected or "") != tag_of(entry):
            yield TagVersion(entry.version, Tag.REJECTED, tag_of(entry))
    rejected = {entry.version for entry in rollout.rejected}
    passed = wanted.version if wanted and gate and gate.passed else None
    for name, registered in versions.items():
        if name not in rejected and has_fallen(observed, rollout, registered, passed):
            yield TagVersion(name, Tag.REJECTED, "")


def has_fallen(observed: Observed, rollout: RolloutPlan, registered: RegisteredVersion, passed: str | None) -> bool:
    """True if the rejected version serves after all, is to be retried, or passes changed gates."""
    if not registered.rejected:
        return False
    serves = rollout.stable is not None and rollout.stable.version == registered.version
    by_gate = registered.rejected.startswith(Reason.GATE_FAILED)
    return serves or is_forgiven(observed, registered.version) or (by_gate and registered.version == passed)
