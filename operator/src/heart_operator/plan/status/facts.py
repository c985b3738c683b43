"""The facts of the status: serving version, candidate, previous version, rejections, training."""

from heart_api.heartmodel import CommandStatus, HeartModel, HeartModelStatus, HistoryEntry, ServingStatus
from heart_api.kube.values import VersionDeployment
from heart_api.names import Label, Reason
from heart_api.times import written
from heart_operator.plan.decision import Decision
from heart_operator.plan.federation.sites import consents
from heart_operator.plan.jobs import records
from heart_operator.plan.status.drift import summarize_drift
from heart_operator.plan.versions import Version, as_deployment


def build_facts(decision: Decision) -> HeartModelStatus:
    """The next status, with the conditions as they were."""
    model, rollout = decision.observed.model, decision.rollout
    serving = serving_status(decision, rollout.stable) if rollout.stable else None
    return HeartModelStatus(
        observed_generation=model.generation,
        conditions=model.status.conditions,
        serving=serving,
        candidate=rollout.progress if rollout.candidate else None,
        previous=rollout.previous,
        rejected=rollout.rejected,
        training=decision.training.status,
        evaluation=decision.evaluation.status,
        history=history(decision, serving),
        jobs=records(decision.observed.all_jobs),
        command=rollout.command,
        check=decision.check.status,
        requests=model.status.requests,
        desired_version=str(model.spec.version),
        gate=decision.gate.summary if decision.gate else model.status.gate,
        drift=summarize_drift(decision.observed.schedules, rollout.stable.version if rollout.stable else None),
        sites=consents(decision.observed) or None,
        replicas=serving.replicas if serving else 0,
        selector=selector(model, rollout.stable) if rollout.stable else None,
    )


def serving_status(decision: Decision, stable: Version) -> ServingStatus:
    before, deployment = decision.observed.model.status.serving, decision.stable_deployment
    same = before is not None and before.version == stable.version
    return ServingStatus(
        version=stable.version,
        digest=stable.digest,
        since=before.since if before and same else written(decision.now),
        replicas=deployment.replicas if deployment else 0,
        ready_replicas=deployment.ready if deployment else 0,
        url=url(decision.observed.model, as_deployment(decision.observed, stable)),
        post_promotion_analysis=decision.rollout.post_promotion,
    )


def history(decision: Decision, serving: ServingStatus | None) -> tuple[HistoryEntry, ...]:
    """Versions by the time they served, newest last; the last entry is open: the serving version."""
    model = decision.observed.model
    entries = model.status.history
    last = entries[-1] if entries else None
    if serving is None or (last and last.until is None and last.version == serving.version):
        return entries
    closed = (*entries[:-1], last.model_copy(update={"until": serving.since})) if last and not last.until else entries
    opened = HistoryEntry(
        version=serving.version, digest=serving.digest, from_=serving.since, **why_it_serves(decision)
    )
    return (*closed, opened)[-model.spec.rollout.history_limit :]


def why_it_serves(decision: Decision) -> dict[str, str]:
    """Reason, and who and why where a person decided it."""
    rollout, before = decision.rollout, decision.observed.model.status.serving
    if rollout.action == "Return":
        rejected = next((entry for entry in rollout.rejected if before and entry.version == before.version), None)
        why = f"version {before.version}: {rejected.message}" if before and rejected else "spec.version names it"
        reason = Reason.ROLLED_BACK if decision.is_rollback else Reason.PROMOTED
        return {"reason": reason, "message": why} | decider(rollout.command, ("rollback",), before)
    return {"reason": Reason.PROMOTED} | decider(rollout.command, ("promote", "promote-full"), rollout.stable)


def decider(
    command: CommandStatus | None, actions: tuple[str, ...], about: Version | ServingStatus | None
) -> dict[str, str]:
    """The user of the last command, if it was about this version."""
    if command is None or about is None or not command.done:
        return {}
    if command.action not in actions or command.version != about.version:
        return {}
    return {"by": command.by or "a user"} | ({"message": command.reason} if command.reason else {})


def url(model: HeartModel, deployment: VersionDeployment) -> str:
    scheme = "https" if deployment.is_secure else "http"
    return f"{scheme}://{model.name}.{model.namespace}.svc"


def selector(model: HeartModel, stable: Version) -> str:
    """For the scale subresource: the pods that `status.replicas` counts."""
    return f"{Label.MODEL}={model.name},{Label.MODEL_VERSION}={stable.version}"
