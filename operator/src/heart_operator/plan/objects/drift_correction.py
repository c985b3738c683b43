"""Corrects Deployments that were edited by others.

A running Deployment is pinned: a new profile, a new operator or a change of `serving.resources` must not change it. So
it is corrected only while the Deployment built today equals the one built then, by the hash on it. A candidate that
does not become ready is not running yet: it is recreated, so that more memory helps it.
"""

from collections.abc import Iterable

from heart_api.kube.values import Manifest
from heart_api.names import Annotation
from heart_operator.manifests.children import key_of
from heart_operator.manifests.deployment import build_deployment
from heart_operator.plan.objects.diff import needs_apply, stamp
from heart_operator.plan.observed import Observed
from heart_operator.plan.versions import Version, deployment_of


def version_deployment(observed: Observed, version: Version) -> Manifest | None:
    """The stamped Deployment of a version, without a count; None where no profile says how to run it."""
    if observed.profile is None:
        return None
    built = build_deployment(
        observed.model,
        observed.profile,
        version=version.version,
        digest=version.digest,
        run_id=version.run_id,
        trigger=version.trigger,
        evaluation_sha256=version.evaluation_sha256,
    )
    return stamp(built)


def to_mend(observed: Observed, versions: Iterable[Version | None]) -> tuple[Manifest, ...]:
    """What to apply over the living Deployments of these versions."""
    wanted = (
        version_deployment(observed, version) for version in versions if deployment_of(observed, version) and version
    )
    return tuple(manifest for manifest in wanted if manifest and was_edited(observed, manifest))


def was_edited(observed: Observed, wanted: Manifest) -> bool:
    living = observed.children.get(key_of(wanted))
    if living is None or hash_of(living) != hash_of(wanted):
        return False
    return needs_apply(wanted, living) is not None


def is_outdated(observed: Observed, version: Version | None) -> bool:
    """True if the Deployment differs from the one that is built for this version today."""
    if version is None or deployment_of(observed, version) is None:
        return False
    wanted = version_deployment(observed, version)
    living = observed.children.get(key_of(wanted)) if wanted else None
    return living is not None and wanted is not None and hash_of(living) != hash_of(wanted)


def hash_of(manifest: Manifest) -> str | None:
    annotations: dict[str, str] = manifest["metadata"].get("annotations") or {}
    return annotations.get(Annotation.APPLIED)
