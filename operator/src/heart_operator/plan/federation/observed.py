"""What is observed of a FederationSite: frozen values for its pure plan."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from heart_api.federation import SiteCheckOutcome, SiteFailure, SiteOutcome
from heart_api.federationsite import FederationSite
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest, ObjectKey
from heart_api.profile import RuntimeProfile
from heart_operator.plan.federation.consent import names, refusal
from heart_operator.plan.observed import ObservedJob

SiteCheckJob: TypeAlias = ObservedJob[SiteCheckOutcome, SiteFailure]
PartJob: TypeAlias = ObservedJob[SiteOutcome, SiteFailure]


@dataclass(frozen=True, slots=True)
class SitePart:
    """A Job of the site that takes part in a training."""

    model: str
    """`namespace/name`, from the Job's template."""
    job: PartJob


@dataclass(frozen=True, slots=True)
class SiteObserved:
    """The world as the plan of one site sees it."""

    site: FederationSite
    profile: RuntimeProfile | None
    """None: no profile of the name in spec.runtime."""
    profiles: tuple[str, ...] = ()
    models: Mapping[str, HeartModel] = field(default_factory=dict)
    """Those of `spec.allow` that exist and can be read, by `namespace/name`."""
    checks: tuple[SiteCheckJob, ...] = ()
    parts: tuple[SitePart, ...] = ()
    children: Mapping[ObjectKey, Manifest] = field(default_factory=dict)
    """Every living child of the site, as the API server returns it."""
    foreign_jobs: tuple[ObjectKey, ...] = ()
    """Jobs with our owner reference that the operator did not create: to be removed, and never believed."""

    @property
    def consenting(self) -> Iterable[HeartModel]:
        """Models that name the site and that it lets be trained, by name."""
        found = sorted(self.models.items())
        return [
            model for _, model in found if names(model.spec.federation, self.site) and refusal(self.site, model) is None
        ]
