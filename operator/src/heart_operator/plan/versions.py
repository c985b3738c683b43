"""Which versions there are, which one serves, and which one was trained last: read from the world as it is.

Digests come from the Job's termination message, and live on in the status and in the Deployment's annotations.
What MLflow says of a digest is used in one case alone: the serving version's Deployment is gone, and all of these.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from heart_api.evaluation import ServingReference
from heart_api.heartmodel import TrainingStatus
from heart_api.kube.values import VersionDeployment
from heart_api.names import deployment_name
from heart_operator.plan.jobs import newest_first
from heart_operator.plan.observed import Observed, TrainingJob

EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Version:
    """A model version, with what a Deployment of it needs."""

    version: str
    digest: str
    trigger: str = ""
    run_id: str = ""
    evaluation_sha256: str = ""
    sealed: bool = field(default=False, compare=False)
    """An evaluation Job found the seal of a training of this namespace, and it is valid."""
    seal_message: str = field(default="", compare=False)
    """Why it is not valid."""

    @property
    def reference(self) -> ServingReference:
        return ServingReference(version=self.version, digest=self.digest)


def stable_version(observed: Observed) -> Version | None:
    """The serving version; with an empty digest if it is no longer known."""
    name = serving_version_name(observed)
    if name is None:
        return None
    known = (*map(of_deployment, observed.deployments), *trained_versions(observed))
    return next((version for version in known if version.version == name), None) or remembered(observed, name)


def serving_version_name(observed: Observed) -> str | None:
    """The version that the Service's selector names, or is about to name.

    A promotion is recorded first and the Service follows: where they differ the status is newer, and the operator
    stopped in between. It counts while its version could answer, or when the Service is gone or names a version
    that does not exist.
    """
    selected, reported = observed.stable_version, observed.model.status.serving
    if reported is None or selected == reported.version:
        return selected
    running = {deployment.version for deployment in observed.deployments}
    if any(deployment.version == reported.version and deployment.ready > 0 for deployment in observed.deployments):
        return reported.version
    if selected in running or (selected is not None and reported.version not in running):
        return selected
    return reported.version


def trained_versions(observed: Observed) -> Iterable[Version]:
    """Versions whose digests the operator has recorded, best source first: status, Jobs, Deployments."""
    if (training := observed.model.status.training) and training.phase == "Succeeded" and training.version:
        yield of_training(training)
    for job in newest_first(observed.jobs):
        if job.result and job.phase != "Running":
            yield of_job(job)
    yield from map(of_deployment, observed.deployments)


def remembered(observed: Observed, name: str) -> Version:
    """The serving version from the status and, for what is missing there, from the registry."""
    registered = observed.registry.versions.get(name)
    reported = observed.model.status.serving
    digest = reported.digest if reported and reported.version == name else ""
    if registered is None:
        return Version(name, digest)
    return Version(name, digest or with_prefix(registered.artifact_sha256), registered.trigger, registered.run_id)


def of_deployment(deployment: VersionDeployment) -> Version:
    return Version(
        deployment.version,
        with_prefix(deployment.digest),
        deployment.trigger,
        deployment.run_id,
        deployment.evaluation_sha256,
    )


def of_job(job: TrainingJob) -> Version:
    """Of a Job with a result."""
    assert job.result
    result = job.result
    return Version(
        result.version, with_prefix(result.artifact_sha256), job.trigger, result.run_id, result.evaluation_sha256
    )


def of_training(training: TrainingStatus) -> Version:
    return Version(
        training.version or "",
        with_prefix(training.artifact_sha256 or ""),
        training.trigger,
        training.run_id or "",
        training.evaluation_sha256 or "",
        sealed=bool(training.sealed),
        seal_message=training.seal_message or "",
    )


def deployment_of(observed: Observed, version: Version | None) -> VersionDeployment | None:
    """The Deployment of exactly these bytes."""
    if version is None:
        return None
    return next(
        (
            deployment
            for deployment in observed.deployments
            if deployment.version == version.version and with_prefix(deployment.digest) == version.digest
        ),
        None,
    )


def as_deployment(observed: Observed, version: Version) -> VersionDeployment:
    """The Deployment that `version` has, or will have once it is created."""
    return deployment_of(observed, version) or VersionDeployment(
        name=deployment_name(observed.model.name, version.version),
        uid="",
        version=version.version,
        digest=version.digest,
        trigger=version.trigger,
        run_id=version.run_id,
        created=EPOCH,
        replicas=0,
        ready=0,
        up_to_date=False,
        evaluation_sha256=version.evaluation_sha256,
        is_secure=observed.model.spec.serving.tls is not None,
    )


def with_prefix(digest: str) -> str:
    """`sha256:<hex>`, however it was written; empty stays empty."""
    return digest if not digest or digest.startswith("sha256:") else f"sha256:{digest}"


def order(version: str) -> int:
    """MLflow counts versions up from 1."""
    return int(version) if version.isdecimal() else 0
