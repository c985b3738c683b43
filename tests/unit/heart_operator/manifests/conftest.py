"""Models and profiles to build manifests from."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from heart_api.evaluation import ServingReference
from heart_api.federationsite import FederationSite
from heart_api.heartmodel import HeartModel, HeartModelStatus, ServingStatus, TrainingStatus
from heart_api.kube.values import Manifest, VersionDeployment
from heart_api.profile import RuntimeProfile
from heart_api.retrainschedule import RetrainSchedule
from heart_api.status import CoordinatorStatus, TrainingSite
from heart_operator.manifests.check_job import build_check_job
from heart_operator.manifests.children import build_children
from heart_operator.manifests.coordinator_job import build_coordinator_job
from heart_operator.manifests.deployment import build_deployment
from heart_operator.manifests.evaluation_job import build_evaluation_job
from heart_operator.manifests.network_policy import build_training_policy
from heart_operator.manifests.service import build_fleet_service
from heart_operator.manifests.site_children import build_site_children
from heart_operator.manifests.site_job import build_site_check_job, build_site_job
from heart_operator.manifests.traffic import Traffic
from heart_operator.manifests.training_job import build_training_job
from tests.support.plan.federated import FEDERATED, IDENTITY, KEY, federated_model, site

INPUT = Path(__file__).parent / "input"
DIGEST = "sha256:" + "ab" * 32
TRIGGER = "spec-1a2b3c4d"
EVALUATION_TRIGGER = "evaluate-8-5e6f7a8b"
SCHEDULE = RetrainSchedule.model_validate(
    {
        "namespace": "clinic",
        "name": "watchful",
        "uid": "0d2c",
        "created": "2026-01-01T00:00:00Z",
        "spec": {"modelName": "heart-disease", "drift": {"anyFeature": True}, "performance": {"below": 0.75}},
    }
)
KINDS = frozenset({"ServiceMonitor", "PrometheusRule", "HTTPRoute"})
CANARY = Traffic(candidate="8", weight=25, mirror_percent=20)


@dataclass(frozen=True)
class FederatedCase:
    """A model that trains at a site, the site, and everything that is built from the two."""

    model: HeartModel
    site: FederationSite
    profile: RuntimeProfile

    @property
    def training_model(self) -> HeartModel:
        """In the middle of a training."""
        sites = (TrainingSite(site=str(self.site.place), uid=self.site.uid, public_key=KEY, minimum_rows=50),)
        coordinator = CoordinatorStatus.model_validate(IDENTITY.model_dump())
        record = {"job": "j", "trigger": TRIGGER, "phase": "Running", "sites": sites, "coordinator": coordinator}
        return self.model.model_copy(
            update={"status": HeartModelStatus(training=TrainingStatus.model_validate(record))}
        )

    @property
    def coordinator_job(self) -> Manifest:
        training = self.training_model.status.training
        assert training
        return build_coordinator_job(self.model, self.profile, TRIGGER, None, training.sites or ())

    @property
    def site_job(self) -> Manifest:
        return build_site_job(self.site, self.training_model, self.profile)

    @property
    def check_job(self) -> Manifest:
        return build_site_check_job(self.site, [self.model], self.profile, "1a2b3c4d")

    @property
    def fleet_service(self) -> Manifest:
        return build_fleet_service(self.model)

    @property
    def training_policy(self) -> Manifest:
        return build_training_policy(self.model, self.profile)

    def site_child(self, kind: str) -> Manifest:
        return next(child for child in build_site_children(self.site) if child["kind"] == kind)

    def everything(self) -> tuple[Manifest, ...]:
        built = (self.coordinator_job, self.site_job, self.check_job, self.fleet_service, self.training_policy)
        return (*built, *build_site_children(self.site))


@dataclass(frozen=True)
class Case:
    """A model with its profile, and everything that is built from the two."""

    model: HeartModel
    profile: RuntimeProfile

    @property
    def job(self) -> Manifest:
        reference = ServingReference(version="6", digest=DIGEST)
        return build_training_job(self.model, self.profile, TRIGGER, reference)

    @property
    def evaluation_job(self) -> Manifest:
        reference = ServingReference(version="6", digest=DIGEST)
        return build_evaluation_job(self.model, self.profile, EVALUATION_TRIGGER, "8", reference)

    @property
    def serving_model(self) -> HeartModel:
        """With version 7 in its status."""
        serving = ServingStatus(version="7", digest=DIGEST, since="2026-01-02T00:00:00Z")
        return self.model.model_copy(update={"status": HeartModelStatus(serving=serving)})

    @property
    def check_job(self) -> Manifest:
        return build_check_job(SCHEDULE, self.serving_model, self.profile, datetime(2026, 11, 22, 6, tzinfo=UTC))

    def deployment(self, version: str = "7") -> Manifest:
        return build_deployment(
            self.model,
            self.profile,
            version=version,
            digest=DIGEST,
            run_id="0123456789abcdef",
            trigger=TRIGGER,
            evaluation_sha256="cd" * 32,
        )

    def stable(self, version: str = "7") -> VersionDeployment:
        return VersionDeployment(
            name=self.deployment(version)["metadata"]["name"],
            uid="uid",
            version=version,
            digest=DIGEST,
            trigger=TRIGGER,
            run_id="0123456789abcdef",
            created=datetime(2026, 1, 2, tzinfo=UTC),
            replicas=3,
            ready=3,
            up_to_date=True,
        )

    def children(
        self, kinds: frozenset[str] = KINDS, version: str | None = "7", traffic: Traffic = CANARY
    ) -> tuple[Manifest, ...]:
        """Of a model whose version 8 is rolling out, unless `traffic` says otherwise."""
        stable = self.stable(version) if version else None
        return build_children(self.model, self.profile, kinds, stable, traffic)

    def child(self, kind: str, name: str | None = None) -> Manifest:
        found = [child for child in self.children() if child["kind"] == kind]
        return next(child for child in found if name is None or child["metadata"]["name"] == name)

    def everything(self) -> tuple[Manifest, ...]:
        return (self.job, self.evaluation_job, self.check_job, self.deployment(), *self.children())

    def with_spec(self, **changes: Any) -> "Case":
        """The same with other parts of the spec, by their names in the resource."""
        data = self.model.dump()
        return Case(HeartModel.model_validate(data | {"spec": data["spec"] | changes}), self.profile)

    def with_profile(self, **changes: Any) -> "Case":
        return Case(self.model, RuntimeProfile.model_validate(self.profile.dump() | changes))


def read_case(name: str) -> Case:
    data = yaml.safe_load((INPUT / f"{name}.yaml").read_text())
    return Case(HeartModel.model_validate(data["model"]), RuntimeProfile.model_validate(data["profile"]))


@pytest.fixture
def smallest() -> Case:
    return read_case("smallest")


@pytest.fixture
def full() -> Case:
    return read_case("full")


@pytest.fixture
def federated() -> FederatedCase:
    return FederatedCase(federated_model(), site(), FEDERATED)


@pytest.fixture
def distributed() -> Case:
    return read_case("distributed")


@pytest.fixture
def own_trainer() -> Case:
    return read_case("own-trainer")


@pytest.fixture(params=["smallest", "full"])
def case(request: pytest.FixtureRequest) -> Case:
    return read_case(request.param)


def containers(manifest: Manifest) -> list[dict[str, Any]]:
    """All containers of a Job or Deployment."""
    pod = manifest["spec"]["template"]["spec"]
    return [*pod.get("initContainers", ()), *pod["containers"]]


def environment(container: dict[str, Any]) -> dict[str, str]:
    """What the process sees: Kubernetes turns `$$` into `$`."""
    return {item["name"]: item["value"].replace("$$", "$") for item in container["env"] if "value" in item}


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()
