"""Federated training: what the operator hands to the coordinator's pod and to the sites, and what they report.

operator ──FederatedTrainingRequest──► coordinator's pod ──TrainingOutcome (with `sites`)──► operator
              its container `identity` ──CoordinatorIdentity (termination message)──► operator
operator ──SiteRequest──► a site's Job, in the site's namespace ──SiteOutcome──► operator
operator ──SiteCheckRequest──► a check Job there ──SiteCheckOutcome──► operator (FederationSite.status)

Rows never leave a site: a site answers requests with sums (heart_trainer.sums), through Flower.
"""

import hashlib
import json
from typing import Literal

from pydantic import Field

from heart_api.base import Frozen, FrozenLenient
from heart_api.contract import Dataset, Feature, Target
from heart_api.handover import DataAccess, FailureReason, ModelRequest, SiteResult

FLEET_PORT = 8443
"""Of the coordinator's pod and Service: TLS, and of Flower's interfaces the one for sites alone."""
PROGRESS_PORT = 8082
"""Of the coordinator's pod: `GET /progress` answers with a Progress as JSON, for the operator."""
IDENTITY, SUPERLINK, GATE = "identity", "superlink", "gate"
"""Containers of the coordinator's pod beside `trainer`; each is `python3 -m heart_trainer.federation <name>`."""
MAX_SITES = 16
"""So many results fit into a termination message."""

TrainingTask = Literal["classification", "regression"]
OnMissingSite = Literal["Hold", "Continue"]
Aggregation = Literal["Sum"]
PUBLIC_KEY_PATTERN = r"^ecdsa-sha2-nistp(256|384|521) [A-Za-z0-9+/=]{40,400}( [^\r\n]{0,100})?$"
ADDRESS_PATTERN = r"^[A-Za-z0-9.-]{1,253}:[0-9]{1,5}$"


def contract_sha256(task: TrainingTask, target: Target, features: tuple[Feature, ...]) -> str:
    """Digest of what a site agrees to answer about: task, target and features, less fields at their default."""
    contract = {
        "task": task,
        "target": target.model_dump(mode="json", exclude_defaults=True),
        "features": [feature.model_dump(mode="json", exclude_defaults=True) for feature in features],
    }
    return f"sha256:{hashlib.sha256(json.dumps(contract, sort_keys=True).encode()).hexdigest()}"


class SiteRef(Frozen):
    """A site that takes part in a training, as the coordinator knows it."""

    namespace: str
    name: str
    public_key: str = Field(pattern=PUBLIC_KEY_PATTERN, description="OpenSSH format: only its owner can answer.")
    minimum_rows: int = Field(50, ge=1, description="The site answers nothing about fewer rows.")
    minimum_cell: int = Field(5, ge=1, description="Least rows of a cell that the site shows.")


class FederatedTrainingRequest(ModelRequest):
    """Input of the coordinator: a training without a dataset of its own."""

    sites: tuple[SiteRef, ...] = Field(min_length=1, max_length=MAX_SITES)
    min_sites: int = Field(2, ge=1)
    on_missing_site: OnMissingSite = "Hold"
    round_deadline_seconds: int = Field(
        300, ge=10, description="Longest wait for a site: to join, and for each answer."
    )
    aggregation: Aggregation = "Sum"

    @property
    def contract_sha256(self) -> str:
        return contract_sha256(self.training.task, self.target, self.features)


class CoordinatorIdentity(FrozenLenient):
    """Termination message of the container `identity`: what sites have to trust."""

    certificate: str = Field(description="PEM of the certificate authority; the same for every training of a model.")
    bundle_sha256: str = Field(description="Of the Flower app bundle that this release runs.")


class SiteRequest(FrozenLenient):
    """Input of `python -m heart_trainer site`."""

    namespace: str
    name: str
    model_namespace: str
    model_name: str
    trigger: str = ""
    """Empty: any training of the model (a site that is not started by an operator)."""
    dataset: Dataset
    target: Target
    features: tuple[Feature, ...]
    task: TrainingTask = "classification"
    contract_sha256: str = Field("", description="What the data holder agreed to; empty: that of the fields above.")
    minimum_rows: int = Field(50, ge=1)
    minimum_cell: int = Field(5, ge=1)
    coordinator: str = Field(pattern=ADDRESS_PATTERN, description="host:port")
    certificate: str = Field(description="PEM of the coordinator's certificate authority.")
    bundle_sha256: str = Field("", description="Empty: that of this image's release.")
    deadline_seconds: int = Field(3600, ge=10, description="The site ends after so long, whatever happens.")
    access: DataAccess = DataAccess()


SiteFailureReason = Literal[
    FailureReason,
    "TooFewRows",
    "BundleMismatch",
    "CoordinatorUnreachable",
    "CoordinatorUntrusted",
    "Withdrawn",
]


PASSING: frozenset[SiteFailureReason] = frozenset({"CoordinatorUnreachable", "DatasetUnreachable", "Withdrawn"})
"""What another attempt may mend: the Job's pod is tried again."""


class SiteFailure(FrozenLenient):
    reason: SiteFailureReason
    message: str = Field(max_length=2000)


class SiteOutcome(FrozenLenient):
    """Termination message of a site's Job; without a failure the site answered until the coordinator was done."""

    exchanges: int = 0
    sent_bytes: int = 0
    seconds: float = 0
    failure: SiteFailure | None = None


class SiteModel(FrozenLenient):
    """A model that a site allows, with the contract that its data have to meet."""

    namespace: str
    name: str
    target: Target
    features: tuple[Feature, ...]
    task: TrainingTask = "classification"


class SiteCheckRequest(FrozenLenient):
    """Input of `python -m heart_trainer site check`."""

    namespace: str
    name: str
    dataset: Dataset | None = Field(None, description="None: only the public key is wanted.")
    models: tuple[SiteModel, ...] = ()
    access: DataAccess = DataAccess()


class SiteProblem(FrozenLenient):
    """`column`: empty where the whole file is meant."""

    model: str = Field(description="namespace/name")
    column: str = ""
    message: str = Field(max_length=300)


class SiteCheckOutcome(FrozenLenient):
    """Termination message of a check Job (at most 4096 bytes: the first problems)."""

    public_key: str = ""
    rows: int = 0
    problems: tuple[SiteProblem, ...] = ()
    more_problems: int = 0
    failure: SiteFailure | None = None


class Progress(FrozenLenient):
    """What `GET /progress` of the coordinator's pod answers while it trains."""

    step: str = ""
    exchanges: int = 0
    sites: tuple[SiteResult, ...] = ()
