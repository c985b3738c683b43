"""`HeartModel`: desired and observed state.

Fields whose behaviour does not exist yet are not here: nothing is accepted and then ignored.
"""

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from heart_api.base import NAME_PATTERN, Frozen
from heart_api.contract import Dataset, Feature, Target
from heart_api.federating import Federation
from heart_api.federation import contract_sha256
from heart_api.gates import GateCheck, Gates
from heart_api.monitoring import Alerts, LatencyLimits, Monitoring, RateLimits
from heart_api.rollout import Analysis, Mirror, Pause, Rollout, RolloutStep
from heart_api.rules import list_map, rule, rules
from heart_api.serving import Autoscaling, Ingress, Route, Serving
from heart_api.status import (
    AnalysisStatus,
    CandidateStatus,
    CommandStatus,
    ConditionStatus,
    HeartModelStatus,
    HistoryEntry,
    MirrorStatus,
    PreviousStatus,
    RejectedStatus,
    ServingStatus,
    TrackCounts,
    TrainingStatus,
)
from heart_api.training import Training

__all__ = [
    "NAME_RULE",
    "Alerts",
    "Analysis",
    "AnalysisStatus",
    "Autoscaling",
    "CandidateStatus",
    "CommandStatus",
    "ConditionStatus",
    "GateCheck",
    "Gates",
    "HeartModel",
    "HeartModelSpec",
    "HeartModelStatus",
    "HistoryEntry",
    "Ingress",
    "LatencyLimits",
    "Mirror",
    "MirrorStatus",
    "Monitoring",
    "Pause",
    "PreviousStatus",
    "RateLimits",
    "RejectedStatus",
    "Rollout",
    "RolloutStep",
    "Route",
    "Serving",
    "ServingStatus",
    "TrackCounts",
    "TrainingStatus",
]


NAME_RULE = rule(
    "self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    "metadata.name is also the Service's name: at most 63 characters of a-z, 0-9 and -, starting with a letter",
)
DISTRIBUTED = "(has(self.training.scale.mode) && self.training.scale.mode == 'Distributed')"
VERSION_RULES = rules(
    rule(
        "type(self) == int ? self >= 1 : self.matches('^(latest|[1-9][0-9]{0,8}|@[A-Za-z0-9_.-]{1,100})$')",
        "write latest, a version's number, or @alias",
    ),
    rule(
        "type(self) == int || !(self in ['@serving', '@candidate', '@previous'])",
        "these aliases are managed by the operator: choose another one",
    ),
)


class HeartModelSpec(Frozen):
    """Specification of the desired behavior."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.registryName) == has(oldSelf.registryName)"
                " && (!has(self.registryName) || self.registryName == oldSelf.registryName)",
                "registryName cannot be added, changed or removed: create a new HeartModel instead",
                ".registryName",
                "FieldValueForbidden",
            ),
            rule(
                "has(self.dataset) != has(self.federation)",
                "exactly one of dataset and federation is needed",
                ".dataset",
                "FieldValueRequired",
            ),
            rule(
                "!has(self.federation) || !self.features.exists(f, f.name == 'site')",
                "with federation, site means the FederationSite: give the feature another name",
                ".features",
            ),
            rule(
                "!self.features.exists(f, f.name == self.target.name)",
                "the target must not be among the features",
                ".features",
            ),
            rule(
                "!self.features.exists(f, f.name != self.target.name && (has(f.column) ? f.column : f.name)"
                " == (has(self.target.column) ? self.target.column : self.target.name))",
                "a feature must not be read from the target's column",
                ".features",
            ),
            rule(
                "!has(self.dataset) || !has(self.dataset.columns)"
                " || (has(self.target.column) ? self.target.column : self.target.name) in self.dataset.columns",
                "columns must hold the target",
                ".dataset.columns",
            ),
            rule(
                "!has(self.dataset) || !has(self.dataset.columns)"
                " || self.features.all(f, (has(f.column) ? f.column : f.name) in self.dataset.columns)",
                "columns must hold every feature",
                ".dataset.columns",
            ),
            rule(
                "!has(self.federation) || !has(self.training.trainer)",
                "a trainer of your own needs rows, which stay at the sites: remove it",
                ".training.trainer",
            ),
            rule(
                "!has(self.federation) || !has(self.training.algorithms)"
                " || self.training.algorithms.exists(name, name in ['logistic-regression', 'ridge', 'random-forest'])",
                "sites train linear models and random forests: name logistic-regression, ridge or random-forest",
                ".training.algorithms",
            ),
            rule(
                f"!has(self.federation) || !{DISTRIBUTED}",
                "Distributed deals a dataset to its workers: with federation leave scale.mode as it is",
                ".training.scale.mode",
            ),
            rule(
                f"!{DISTRIBUTED} || !has(self.dataset) || self.dataset.format == 'parquet'",
                "Distributed deals row groups of Parquet to its workers: the format must be parquet",
                ".dataset.format",
            ),
            rule(
                f"!{DISTRIBUTED} || !has(self.dataset) || self.dataset.uri.matches('^(pvc|s3|gs)://')",
                "Distributed reads from a volume or a bucket: pvc://, s3:// or gs://",
                ".dataset.uri",
            ),
            rule(
                "self.training.task == 'classification' || !has(self.target.positiveAbove)",
                "positiveAbove is for training.task classification",
                ".target.positiveAbove",
            ),
            rule(
                "!has(self.gates.checks) || self.gates.checks.all(c,"
                " (self.training.task == 'regression') == (c.metric in ['rmse', 'mae', 'r2']))",
                "rmse, mae and r2 are for regression, every other metric is for classification",
                ".gates.checks",
            ),
            rule(
                "!has(self.dataset) || !has(self.dataset.includeFeedback) || !self.dataset.includeFeedback"
                " || (self.serving.predictionLog.sink == 'PostgreSQL' && (!has(self.serving.predictionLog.redact)"
                " || size(self.serving.predictionLog.redact) == 0))",
                "includeFeedback needs whole rows: predictionLog.sink PostgreSQL, and nothing redacted",
                ".dataset.includeFeedback",
            ),
            rule(
                "!has(self.serving.predictionLog.redact) || self.serving.predictionLog.redact.all(r,"
                " self.features.exists(f, f.name == r))",
                "redact must name features",
                ".serving.predictionLog.redact",
            ),
            rule(
                "!has(self.gates.checks) || self.gates.checks.all(c,"
                " !has(c.slice) || (has(self.federation) && c.slice == 'site')"
                " || self.features.exists(f, f.name == c.slice && f.sensitive))",
                "slice must name a feature with sensitive: true, or site with federation",
                ".gates.checks",
            ),
        )
    )

    suspend: bool = Field(False, description="Suspend reconciliation; pods continue to serve.")
    version: int | str = Field(
        "latest",
        description="Version to serve: `latest`, a version number, or `@alias` of the registry. While it is a number,"
        " changes of the spec and RetrainSchedules train nothing; `kubectl heart retrain` does.",
        json_schema_extra=VERSION_RULES,
    )
    approval: Literal["Automatic", "Manual"] = Field(
        "Automatic", description="Manual: no version is promoted until a user approves it."
    )
    versions_from_outside: Literal["Ignore", "Approve", "Adopt"] = Field(
        "Approve",
        description="What `latest` and aliases do with versions that no training Job of this HeartModel registered."
        " Approve: evaluated and gated, then an approver must name version and digest. Adopt: as a trained one."
        " Ignore: `latest` passes over them.",
    )
    registry_name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=200,
        description="Name of the MLflow registered model. Defaults to the HeartModel's name, or to `<namespace>.<name>`"
        " where MLflow has no workspace per namespace; there, other names need the runtime profile (registryNames)."
        " Immutable.",
    )
    runtime: str = Field("default", pattern=NAME_PATTERN, max_length=63, description="Name of a runtime profile.")
    dataset: Dataset | None = Field(None, description="Location and format of the training data.")
    federation: Federation | None = Field(
        None, description="Sites to train at in place of a `dataset`: their rows stay where they are."
    )
    target: Target
    features: tuple[Feature, ...] = Field(
        min_length=1,
        max_length=256,
        description="Features of the model: the data contract.",
        json_schema_extra=list_map("name"),
    )
    training: Training = Field(default=Training())
    gates: Gates = Field(default=Gates())
    serving: Serving = Field(default=Serving())
    rollout: Rollout = Field(default=Rollout())
    monitoring: Monitoring = Field(default=Monitoring())

    @property
    def pinned_version(self) -> str:
        """The version that `version` names by its number; empty for `latest` and aliases, which follow the registry."""
        return named if (named := str(self.version)).isdecimal() else ""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.dataset is None) == (self.federation is None):
            raise ValueError("exactly one of dataset and federation is needed")
        return self

    @model_validator(mode="after")
    def _regression_has_no_classes(self) -> Self:
        """Here and not in CEL, which cannot see fields without a type."""
        if self.training.task == "regression":
            for field in ("labels", "positive"):
                if getattr(self.target, field) is not None:
                    raise ValueError(f"target.{field}: classes are for training.task classification; remove it")
        return self

    @model_validator(mode="after")
    def _federation_has_two_classes(self) -> Self:
        """As far as labels say; each site's check counts the classes of its data."""
        if self.federation is not None and len(self.target.labels or ()) > 2:
            raise ValueError("target.labels: a federation trains two classes; with positiveAbove numbers become two")
        return self

    @model_validator(mode="after")
    def _chunks_have_two_classes(self) -> Self:
        """As far as labels say; the Job sees the classes of the data in the first chunks."""
        mode = self.training.scale.mode
        if mode not in ("External", "Distributed"):
            return self
        if len(self.target.labels or ()) > 2:
            raise ValueError(
                f"target.labels: {mode} trains two classes or a number; set training.scale.mode to Single"
                " (with training.resources for the whole table), or make two classes of numbers with positiveAbove"
            )
        if self.dataset is not None and self.dataset.include_feedback:
            raise ValueError(
                f"dataset.includeFeedback: feedback is not read in mode {mode}; turn it off, or set"
                " training.scale.mode to Single"
            )
        return self


class HeartModel(Frozen):
    """A HeartModel with the part of its metadata that decisions use."""

    namespace: str
    name: str
    uid: str
    generation: int = 1
    annotations: dict[str, str] = {}
    spec: HeartModelSpec
    status: HeartModelStatus = HeartModelStatus()
    has_workspace: bool = False
    """MLflow has a workspace for the namespace, so that names of registered models need no prefix."""

    @property
    def registry_name(self) -> str:
        """The registered model in MLflow."""
        return self.spec.registry_name or (self.name if self.has_workspace else f"{self.namespace}.{self.name}")

    @property
    def contract_hash(self) -> str:
        """Of task, target and features: what a data holder may limit a consent to."""
        return contract_sha256(self.spec.training.task, self.spec.target, self.spec.features)
