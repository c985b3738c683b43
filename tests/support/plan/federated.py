"""A model with spec.federation and its sites, in memory: each plan is carried out in its own namespace."""

import copy
from dataclasses import dataclass, field, replace
from typing import Any

from heart_api.federating import place_of
from heart_api.federation import (
    CoordinatorIdentity,
    Progress,
    SiteCheckOutcome,
    SiteFailure,
    SiteOutcome,
    SiteProblem,
)
from heart_api.federationsite import FederationSite
from heart_api.federationsitestatus import FederationSiteStatus
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest, ObjectKey
from heart_api.names import Annotation
from heart_api.profile import RuntimeProfile
from heart_operator.manifests.children import key_of
from heart_operator.plan.actions import SitePlan
from heart_operator.plan.federation.observed import PartJob, SiteCheckJob, SiteObserved, SitePart
from heart_operator.plan.federation.site import plan_site
from heart_operator.plan.observed import Observed, ObservedJob, ObservedSite
from tests.support.plan.world import PROFILE, SPEC, World, heart_model

KEY = "ecdsa-sha2-nistp384 " + "A" * 100
IDENTITY = CoordinatorIdentity(certificate="-----BEGIN CERTIFICATE-----", bundle_sha256="b" * 64)
SITES = ("north/ward", "south/ward", "west/ward")
FEDERATED = RuntimeProfile.model_validate(
    {**PROFILE.dump(), "images": {"trainer": "trainer:1", "serving": "serving:1", "federation": "federation:1"}}
)


def federated_spec(**federation: Any) -> dict[str, Any]:
    """A HeartModel's spec that names three sites."""
    spec = copy.deepcopy(SPEC)
    del spec["dataset"]
    return spec | {"federation": {"sites": list(SITES)} | federation, "gates": {"checks": []}}


def federated_model(**federation: Any) -> HeartModel:
    return heart_model().model_copy(
        update={"spec": type(heart_model().spec).model_validate(federated_spec(**federation))}
    )


def site(reference: str = "north/ward", model: str = "clinic/heart", **spec: Any) -> FederationSite:
    """A site that lets the model be trained on its data."""
    namespace, name = place_of(reference)
    wanted = {"dataset": {"uri": "pvc://cohort/rows.csv"}, "allow": [{"model": model}], "minimumRows": 50}
    found = {"namespace": namespace, "name": name, "uid": f"uid-{namespace}", "spec": wanted | spec}
    return FederationSite.model_validate(found)


def watched(found: FederationSite, *models: HeartModel, **changes: Any) -> SiteObserved:
    """What the plan of a site sees: these models, and nothing else unless told otherwise."""
    known = {f"{model.namespace}/{model.name}": model for model in models}
    alone = SiteObserved(found, FEDERATED, ("default",), known)
    return replace(alone, **changes)


def reported(found: FederationSite, **status: Any) -> FederationSite:
    """The site with these fields of its status."""
    return found.model_copy(update={"status": FederationSiteStatus.model_validate(status)})


def answered(found: FederationSite, model: HeartModel, state: str = "Ready", message: str = "") -> FederationSite:
    """The site with what a check of its 1200 rows found for the model."""
    entry = {"model": f"{model.namespace}/{model.name}", "contractHash": model.contract_hash}
    models = [entry | {"state": state, "message": message}]
    return reported(found, observedGeneration=found.generation, rows=1200, publicKey=KEY, models=models)


@dataclass
class SiteWorld:
    """One site with its Jobs."""

    site: FederationSite
    checks: dict[str, SiteCheckJob] = field(default_factory=dict)
    parts: dict[str, SitePart] = field(default_factory=dict)
    children: dict[ObjectKey, Manifest] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    def change(self, **spec: Any) -> None:
        changed = type(self.site.spec).model_validate(self.site.spec.dump() | spec)
        self.site = self.site.model_copy(update={"spec": changed, "generation": self.site.generation + 1})

    def condition(self, type_: str) -> tuple[str, str]:
        found = next(entry for entry in self.site.status.conditions if entry.type == type_)
        return found.status, found.reason

    @property
    def running(self) -> list[str]:
        """Models that it takes part in the training of."""
        return [part.model for part in self.parts.values() if part.job.phase == "Running"]


@dataclass
class FederatedWorld(World):
    """A model and its sites; a site that is taken out of `sites` was deleted, with all it owns."""

    sites: dict[str, SiteWorld] = field(default_factory=dict)
    identity: CoordinatorIdentity | None = IDENTITY
    progress: Progress | None = None

    def observe(self) -> Observed:
        federation = self.model.spec.federation
        names = federation.sites if federation and federation.sites else self.sites
        found = tuple(
            ObservedSite(place_of(name), self.sites[name].site if name in self.sites else None) for name in names
        )
        runs = any(job.phase == "Running" for job in self.jobs.values())
        identity, progress = (self.identity, self.progress) if runs else (None, None)
        return replace(super().observe(), sites=found, coordinator=identity, progress=progress)

    def observe_site(self, name: str) -> SiteObserved:
        found = self.sites[name]
        models = {"clinic/heart": self.model}
        allowed = {entry.model for entry in found.site.spec.allow}
        return SiteObserved(
            site=found.site,
            profile=self.profile,
            profiles=("default",),
            models={reference: model for reference, model in models.items() if reference in allowed},
            checks=tuple(found.checks.values()),
            parts=tuple(found.parts.values()),
            children=found.children,
        )

    def plan_site(self, name: str) -> SitePlan:
        return plan_site(self.observe_site(name), self.now)

    def reconcile_site(self, name: str) -> SitePlan:
        found, plan = self.sites[name], self.plan_site(name)
        for manifest in plan.apply:
            found.children[key_of(manifest)] = manifest
        for manifest in plan.create:
            self._create_site_job(found, manifest)
        for key in plan.delete:
            found.checks.pop(key.name, None)
            found.parts.pop(key.name, None)
            found.children.pop(key, None)
        status = FederationSiteStatus.model_validate(plan.status.dump())
        found.site = found.site.model_copy(update={"status": status})
        found.events += [event.reason for event in plan.events]
        return plan

    def rest(self, limit: int = 30) -> None:
        """Reconcile the model and its sites until none has anything left to do."""
        for _ in range(limit):
            before = self.statuses
            plans = [self.reconcile_site(name) for name in self.sites]
            quiet = not any(plan.create or plan.delete or plan.apply or plan.events for plan in plans)
            if self.is_at_rest(self.reconcile()) and quiet and self.statuses == before:
                return
        raise AssertionError(f"no fixed point after {limit} reconciles")

    @property
    def statuses(self) -> list[Any]:
        return [self.model.status, *(found.site.status for found in self.sites.values())]

    def answer_checks(self, rows: int = 400, problems: dict[str, SiteProblem] | None = None) -> None:
        """Every running check ends; `problems` by site."""
        for name, found in self.sites.items():
            ours = [problems[name]] if problems and name in problems else []
            for job in found.checks.values():
                if job.phase == "Running":
                    outcome = SiteCheckOutcome(public_key=KEY, rows=rows, problems=tuple(ours))
                    ended = replace(job, phase="Succeeded", finished=self.now, result=outcome)
                    found.checks[job.name] = ended
        self.rest()

    def fail_check(self, name: str, message: str = "no such file") -> None:
        found = self.sites[name]
        (job,) = found.checks.values()
        failure = SiteFailure(reason="DataInvalid", message=message)
        found.checks[job.name] = replace(job, phase="Failed", finished=self.now, failure=failure)
        self.rest()

    def lose_check(self, name: str) -> None:
        """The pod of a running check is lost, more often than its Job makes another."""
        found = self.sites[name]
        for job in found.checks.values():
            if job.phase == "Running":
                found.checks[job.name] = replace(job, phase="Failed", finished=self.now, why="BackoffLimitExceeded")
        self.reconcile_site(name)

    def end_part(self, name: str, failure: SiteFailure | None = None) -> None:
        found = self.sites[name]
        for part in found.parts.values():
            if part.job.phase == "Running":
                result = None if failure else SiteOutcome(exchanges=8)
                phase = "Failed" if failure else "Succeeded"
                job: PartJob = replace(part.job, phase=phase, finished=self.now, result=result, failure=failure)  # type: ignore[arg-type]
                found.parts[job.name] = SitePart(part.model, job)
        self.reconcile_site(name)

    def _create_site_job(self, found: SiteWorld, manifest: Manifest) -> None:
        meta, about = manifest["metadata"], manifest["spec"]["template"]["metadata"]["annotations"]
        assert meta["namespace"] == found.site.namespace, "a plan writes in its own namespace alone"
        name = meta["name"]
        job: ObservedJob[Any, Any] = ObservedJob(name, f"uid-{name}", about[Annotation.TRIGGER], self.now, "Running")
        if Annotation.TRAINED_MODEL in about:
            found.parts[name] = SitePart(about[Annotation.TRAINED_MODEL], job)
        else:
            found.checks[name] = job


def federated_world(*, checked: bool = True, **federation: Any) -> FederatedWorld:
    """Three sites that allow the model, their data checked unless told otherwise; the training has begun then."""
    sites = {name: SiteWorld(site(name)) for name in SITES}
    world = FederatedWorld(model=federated_model(**federation), profile=FEDERATED, sites=sites)
    world.rest()
    if checked:
        world.answer_checks()
    return world
