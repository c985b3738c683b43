"""Obstacles that stop training and rollouts. The serving version continues to serve in every case."""

from dataclasses import dataclass

from heart_api.names import Reason
from heart_operator.plan.observed import Observed
from heart_operator.plan.quota import models_wait
from heart_operator.plan.validate import problems
from heart_operator.plan.versions import Version, with_prefix


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Reason and message as conditions show them."""

    reason: str
    message: str


def find_obstacle(observed: Observed, stable: Version | None) -> Obstacle | None:
    """The first of: suspended by a person, a spec that cannot be carried out, a namespace with too many models, a
    registry that cannot be used."""
    return (
        find_suspension(observed)
        or find_invalid_spec(observed)
        or find_quota(observed)
        or find_silent_registry(observed)
        or find_lost_registry(observed, stable)
        or find_taken_name(observed)
    )


def find_suspension(observed: Observed) -> Obstacle | None:
    if not observed.model.spec.suspend:
        return None
    return Obstacle(Reason.SUSPENDED, "Reconciliation is suspended; set spec.suspend to false to resume")


def find_invalid_spec(observed: Observed) -> Obstacle | None:
    found = problems(observed)
    return Obstacle(Reason.INVALID_SPEC, "; ".join(found)) if found else None


def find_quota(observed: Observed) -> Obstacle | None:
    wait = models_wait(observed.model.namespace, observed.model.spec.runtime, observed.profile, observed.usage)
    return Obstacle(Reason.QUOTA_EXCEEDED, wait.message) if wait else None


def find_silent_registry(observed: Observed) -> Obstacle | None:
    error = observed.registry.error
    if error is None:
        return None
    blocked = "".join(f"; {entry.kind} {entry.name} cannot start ({entry.cause})" for entry in observed.installation)
    return Obstacle(
        Reason.REGISTRY_UNAVAILABLE,
        f"MLflow is unavailable ({error}{blocked}); the stable version continues to serve; everything else waits until"
        f" MLflow is available again",
    )


def find_lost_registry(observed: Observed, stable: Version | None) -> Obstacle | None:
    """An emptied or restored registry must not start a training of every model."""
    reported = observed.model.status.serving
    if reported is None and stable is None:
        return None
    for version, digest in expected(observed, stable):
        registered = observed.registry.versions.get(version)
        if registered is None or differs(registered.artifact_sha256, digest):
            difference = "does not have" if registered is None else "has other bytes for"
            return Obstacle(
                Reason.REGISTRY_LOST,
                f"The registry {difference} version {version}, which is serving; no training is started and pods"
                f" continue to serve. "
                f"Restore {observed.model.registry_name} in MLflow from its backup",
            )
    return None


def expected(observed: Observed, stable: Version | None) -> set[tuple[str, str]]:
    """Version and digest of the serving version, as observed and as recorded in the status."""
    reported = observed.model.status.serving
    found = {(stable.version, stable.digest)} if stable else set()
    return found | ({(reported.version, with_prefix(reported.digest))} if reported else set())


def differs(registered: str, known: str) -> bool:
    return bool(registered and known) and with_prefix(registered) != known


def find_taken_name(observed: Observed) -> Obstacle | None:
    model, owner = observed.model, observed.registry.claimed_by
    if owner is None or owner == f"{model.namespace}/{model.name}":
        return None
    return Obstacle(
        Reason.REGISTRY_NAME_TAKEN,
        f"The registered model {model.registry_name} belongs to the HeartModel {owner}; "
        "delete that one, or create this one with another spec.registryName",
    )
