"""The content of each condition: state, cause and the user's next step. All conditions have positive polarity.

`Unknown` is for what waits (training, evidence, an outage, a suspension); `False` for what needs a user's attention.
"""

from heart_api.heartmodel import ConditionStatus, HeartModel
from heart_api.names import Annotation, Condition, Reason
from heart_operator.plan.blocked import is_pending, pods_text
from heart_operator.plan.decision import Decision
from heart_operator.plan.rollout.route import route_rejection
from heart_operator.plan.rollout.scale import fewest
from heart_operator.plan.selection.selection import LATEST
from heart_operator.plan.status.condition import Finding
from heart_operator.plan.status.findings_rollout import is_under_way, progress_of_candidate

MONITORING_KINDS = frozenset({"ServiceMonitor", "PrometheusRule"})
RETRAIN = f"give the annotation {Annotation.RETRAIN} a new value"


def previous_condition(decision: Decision, type_: str) -> ConditionStatus | None:
    return next((entry for entry in decision.observed.model.status.conditions if entry.type == type_), None)


def find_ready(decision: Decision) -> Finding:
    """The version that should serve does, with the wanted replicas."""
    obstacle = decision.obstacle
    if obstacle and decision.has_obstacle(Reason.INVALID_SPEC, Reason.REGISTRY_LOST, Reason.REGISTRY_NAME_TAKEN):
        return Finding("False", obstacle.reason, obstacle.message)
    found = ready_of_nothing(decision) if decision.rollout.stable is None else ready_of_stable(decision)
    if obstacle and obstacle.reason == Reason.SUSPENDED:
        return Finding("True" if found.status == "True" else "Unknown", obstacle.reason, obstacle.message)
    return found


def ready_of_nothing(decision: Decision) -> Finding:
    """Before the first version serves: whatever it waits for."""
    finding = find_progressing(decision)
    if finding.reason == Reason.UP_TO_DATE:
        finding = find_trained(decision)
    reason = Reason.WAITING_FOR_TRAINING if finding.reason == Reason.TRAINING_STARTED else finding.reason
    return Finding("False", reason, f"No version is serving yet. {finding.message}")


def ready_of_stable(decision: Decision) -> Finding:
    stable, deployment = decision.rollout.stable, decision.stable_deployment
    assert stable
    ready, wanted = deployment.ready if deployment else 0, fewest(decision.observed.model.spec.serving)
    if deployment is None or ready < wanted:
        message = f"{ready} of {wanted} pods of version {stable.version} are ready{pods_text(deployment)}"
        reason = Reason.PODS_PENDING if is_pending(deployment) else Reason.REPLICAS_UNAVAILABLE
        return Finding("False", reason, message)
    if is_under_way(decision) or misses_what_is_named(decision):
        return find_progressing(decision)._replace(status="False")
    if failure := route_rejection(decision.observed):
        message = f"Version {stable.version} is reachable only inside the cluster: {failure}"
        return Finding("False", Reason.ROUTE_NOT_ACCEPTED, message)
    if deployment.blocked:
        count = f"{ready} of {deployment.replicas} pods are ready{pods_text(deployment)}"
        return Finding("True", Reason.SERVING, f"Version {stable.version} serves; {count}")
    return Finding("True", Reason.SERVING, f"Version {stable.version} serves")


def misses_what_is_named(decision: Decision) -> bool:
    """The version of `spec.version` does not exist or was rejected: another one serves."""
    named = str(decision.observed.model.spec.version) != LATEST
    return named and (decision.rejection is not None or bool(decision.selection.why or decision.selection.unknown))


def find_available(decision: Decision) -> Finding:
    """Something serves; stays True through every rollout."""
    stable, deployment = decision.rollout.stable, decision.stable_deployment
    if stable and deployment and deployment.ready > 0:
        return Finding("True", Reason.SERVING, f"Version {stable.version} serves")
    if stable and fewest(decision.observed.model.spec.serving) == 0:
        return Finding("False", Reason.NO_SERVING_VERSION, "spec.serving.replicas is 0; raise it to serve")
    if stable and deployment and deployment.problem:
        return Finding("False", Reason.NO_SERVING_VERSION, f"No pod is ready: {deployment.problem}")
    return Finding("False", Reason.NO_SERVING_VERSION, "No pod is ready; the condition Ready says why")


def find_progressing(decision: Decision) -> Finding:
    """What the operator is doing, or what keeps it from doing more."""
    if obstacle := decision.obstacle:
        waits = decision.has_obstacle(Reason.SUSPENDED, Reason.REGISTRY_UNAVAILABLE)
        return Finding("Unknown" if waits else "False", obstacle.reason, obstacle.message)
    training, rejection = decision.training.status, decision.rejection
    if decision.training.wanted or (training and training.phase == "Running"):
        trained = find_trained(decision)
        if trained.status == "False":
            return trained  # held by a site
        pending = trained.reason in (Reason.TRAINING_PENDING, Reason.QUOTA_EXCEEDED, Reason.WAITING_FOR_SITES)
        return Finding("True", trained.reason if pending else Reason.TRAINING_STARTED, trained.message)
    if decision.rollout.candidate:
        return progress_of_candidate(decision)
    if waits_for_gate(decision):
        return find_gate_passed(decision)
    if decision.unmeasured and not rejection:
        measured = find_gate_passed(decision)
        return measured._replace(status="True") if measured.status == "Unknown" else measured
    if decision.selection.why:
        return Finding("False", Reason.VERSION_NOT_FOUND, f"spec.version: {decision.selection.why}")
    if training and training.phase == "Failed" and not decision.training.pinned:
        return find_trained(decision)
    if rejection:
        return Finding("False", rejection.reason, f"Version {rejection.version} was rejected: {rejection.message}")
    return Finding("True", Reason.UP_TO_DATE, "Up to date")


def waits_for_gate(decision: Decision) -> bool:
    """A version should serve that is neither a candidate yet nor rejected."""
    wanted, stable = decision.wanted, decision.rollout.stable
    return wanted is not None and decision.rejection is None and (stable is None or wanted.version != stable.version)


def find_trained(decision: Decision) -> Finding:
    """A version was trained for what the spec says now."""
    training = decision.training.status
    if decision.training.pinned:
        return find_pinned(decision.observed.model)
    if decision.training.wait:
        return Finding("Unknown", Reason.QUOTA_EXCEEDED, decision.training.wait.message)
    if held := decision.training.site_wait:
        waits = held.reason == Reason.WAITING_FOR_SITES
        return Finding("Unknown" if waits else "False", held.reason, held.message)
    if decision.training.wanted or training is None:
        return untrained(decision)
    if training.phase == "Running" and training.reason == Reason.TRAINING_PENDING:
        return Finding("Unknown", Reason.TRAINING_PENDING, training.message or "")
    if training.phase == "Running":
        return Finding(
            "Unknown", Reason.TRAINING_STARTED, f"Job {training.job} trains; see kubectl logs job/{training.job}"
        )
    if training.phase == "Failed":
        return Finding("False", training.reason or Reason.TRAINING_FAILED, training.message or "")
    return Finding("True", Reason.TRAINING_SUCCEEDED, f"Version {training.version} was trained for this spec")


def find_pinned(model: HeartModel) -> Finding:
    """The spec names the version to serve: no other one has to be trained for it."""
    asks = f"`kubectl heart retrain {model.name}` trains without serving, `latest` or an alias trains and serves"
    message = f"spec.version names version {model.spec.pinned_version}: nothing is trained for this spec. {asks}"
    return Finding("Unknown", Reason.VERSION_PINNED, message)


def untrained(decision: Decision) -> Finding:
    if decision.obstacle:
        return Finding("Unknown", decision.obstacle.reason, decision.obstacle.message)
    if decision.training.delete:
        return Finding(
            "Unknown", Reason.TRAINING_STARTED, "The spec has changed: the active training is being replaced"
        )
    return Finding("Unknown", Reason.NEVER_TRAINED, "No version has been trained for this spec yet")


def find_gate_passed(decision: Decision) -> Finding:
    """The version that should serve meets the gates of the spec."""
    wanted, gate, rejection = decision.wanted, decision.gate, decision.rejection
    if wanted is None and decision.unmeasured:
        return find_evaluated(decision, decision.unmeasured.version)
    if wanted is None:
        return Finding("Unknown", Reason.NO_CANDIDATE, "No version has been trained yet")
    name = f"Version {wanted.version}: "
    if gate is None:
        if rejection and rejection.reason == Reason.GATE_FAILED:
            return Finding("False", Reason.GATE_FAILED, name + rejection.message)
        return unjudged(decision, name)
    if gate.verdict == "Passed":
        return Finding("True", Reason.GATE_PASSED, name + gate.message)
    if gate.verdict == "Failed":
        return Finding("False", Reason.GATE_FAILED, name + gate.message)
    advice = f"Train on more data, change spec.gates (onInsufficientEvidence: Pass accepts it), or {RETRAIN}"
    return Finding("Unknown", Reason.INSUFFICIENT_EVIDENCE, f"{name}{gate.message}. {advice}")


def find_evaluated(decision: Decision, version: str) -> Finding:
    """Finding for a version registered by hand, before its gate."""
    name, status, rejection = f"Version {version}", decision.evaluation.status, decision.rejection
    if rejection:
        return Finding("False", rejection.reason, f"{name}: {rejection.message}")
    if decision.obstacle:
        return Finding("Unknown", decision.obstacle.reason, decision.obstacle.message)
    if status and status.version == version and status.phase == "Failed":
        return Finding("False", status.reason or Reason.TRAINING_FAILED, f"{name}: {status.message}")
    if status and status.version == version and status.reason == Reason.EVALUATION_PENDING:
        return Finding("Unknown", Reason.EVALUATION_PENDING, f"{name}: {status.message}")
    job = f"; see kubectl logs job/{status.job}" if status else ""
    return Finding("Unknown", Reason.EVALUATING, f"{name} was registered manually: a Job is evaluating it{job}")


def unjudged(decision: Decision, name: str) -> Finding:
    """No evaluation at hand: what was found before still holds for the same version and spec."""
    old = previous_condition(decision, Condition.GATE_PASSED)
    generation = decision.observed.model.generation
    if old and old.status != "Unknown" and old.message.startswith(name) and old.observed_generation == generation:
        return Finding(old.status, old.reason, old.message)
    if error := decision.observed.registry.error:
        return Finding(
            "Unknown", Reason.REGISTRY_UNAVAILABLE, f"{name}cannot be evaluated until MLflow is available ({error})"
        )
    problem = decision.observed.registry.evaluation_error or "its evaluation is missing"
    return Finding("Unknown", Reason.EVALUATION_UNREADABLE, f"{name}{problem}. If this lasts, {RETRAIN}")


def find_monitoring(decision: Decision) -> Finding:
    observed = decision.observed
    if not observed.model.spec.monitoring.service_monitor:
        return Finding("False", Reason.MONITORING_DISABLED, "spec.monitoring.serviceMonitor is false")
    if missing := MONITORING_KINDS - observed.kinds:
        kinds = " and ".join(sorted(missing))
        message = f"The cluster has no {kinds}: install the Prometheus Operator, or scrape /metrics another way"
        return Finding("False", Reason.MONITORING_UNAVAILABLE, message)
    if decision.rollout.stable is None:
        return Finding("Unknown", Reason.NO_SERVING_VERSION, "Monitoring is configured once a version is serving")
    return Finding("True", Reason.MONITORING_APPLIED, "ServiceMonitor and PrometheusRule are in place")


def find_exposed_registry(decision: Decision) -> Finding | None:
    """Says that MLflow is reached over plain HTTP without credentials; None where it is not."""
    profile = decision.observed.profile
    if profile is None or not profile.is_registry_exposed:
        return None
    return Finding(
        "False",
        Reason.REGISTRY_EXPOSED,
        "MLflow is reached over plain HTTP without credentials: whoever is on the network may read and replace models. "
        "An administrator mends it with https and a trackingSecret in the runtime profile",
    )
