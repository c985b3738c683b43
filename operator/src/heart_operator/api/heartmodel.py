"""`HeartModel`: what a person declares, and what the operator reports.

Fields whose behaviour does not exist yet are not here: nothing is accepted and then ignored.
"""

from typing import Literal

from pydantic import Field

from heart_operator.api.base import Duration, Frozen, FrozenLenient
from heart_operator.api.contract import Dataset, Feature, Target
from heart_operator.api.resources import Resources
from heart_operator.api.training import Training

METRICS = "accuracy|precision|recall|f1|roc_auc|pr_auc|brier|ece|calibration_slope|net_benefit|log_loss|rmse|mae|r2"


class GateCheck(Frozen):
    """One demand on a version; exactly one of min, max, maxRegression and maxGap."""

    metric: str = Field(pattern=f"^({METRICS})$", description="Metric of the evaluation.")
    min: float | None = Field(None, description="Least value.")
    max: float | None = Field(None, description="Greatest value.")
    max_regression: float | None = Field(
        None,
        ge=0,
        description="How much worse than the serving version it may be (paired, confidence bound).",
    )
    max_gap: float | None = Field(None, ge=0, description="Greatest difference between groups of `slice`.")
    slice: str | None = Field(None, max_length=63, description="A sensitive feature (with maxGap).")


class Gates(Frozen):
    checks: tuple[GateCheck, ...] = Field((), max_length=32, description="Every one must pass.")
    on_insufficient_evidence: Literal["Hold", "Pass"] = Field(
        "Hold", description="What to do when the data cannot support a verdict."
    )


class Autoscaling(Frozen):
    min_replicas: int = Field(3, ge=1, le=1000, description="Fewest pods.")
    max_replicas: int = Field(20, ge=1, le=1000, description="Most pods.")
    target_cpu_utilization_percentage: int | None = Field(
        70, alias="targetCPUUtilizationPercentage", ge=1, le=100, description="Mean CPU use to aim at."
    )
    target_memory_utilization_percentage: int | None = Field(80, ge=1, le=100, description="Mean memory use to aim at.")


class Ingress(Frozen):
    class_name: str | None = Field(None, max_length=63, description="IngressClass.")
    host: str = Field(pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253, description="Host name.")
    path: str = Field("/", pattern=r"^/[A-Za-z0-9._~/-]*$", max_length=253, description="Path prefix.")
    tls_secret_name: str | None = Field(None, max_length=253, description="Secret read by the ingress controller.")


class Serving(Frozen):
    replicas: int | None = Field(None, ge=0, le=1000, description="Fixed number of pods (no autoscaler).")
    autoscaling: Autoscaling | None = Field(None, description="Or an HPA; with neither, 3 to 20 on CPU and memory.")
    resources: Resources | None = Field(None, description="Requests and limits of a serving pod.")
    ingress: Ingress | None = Field(None, description="Ingress for the model's Service.")


class Rollout(Frozen):
    ready_deadline: Duration = Field("60s", description="A candidate that is not ready by then is rejected.")
    rollback_window: Duration = Field("1h", description="How long the previous version stays warm.")
    history_limit: int = Field(10, ge=1, le=100, description="Entries kept in status.history and status.rejected.")


class RateLimits(Frozen):
    warning: float = Field(gt=0, le=1)
    critical: float = Field(gt=0, le=1)


class LatencyLimits(Frozen):
    warning: Duration
    critical: Duration


class Alerts(Frozen):
    error_rate: RateLimits = Field(default=RateLimits(warning=0.02, critical=0.05), description="Share of 5xx.")
    latency_p95: LatencyLimits = Field(
        default=LatencyLimits(warning="500ms", critical="1s"),
        alias="latencyP95",
        description="95th percentile.",
    )
    availability_objective: float = Field(0.999, gt=0.5, lt=1, description="Objective of the burn-rate alerts.")


class Monitoring(Frozen):
    service_monitor: bool = Field(True, description="Create ServiceMonitor and PrometheusRule where they exist.")
    alerts: Alerts = Field(default=Alerts(), description="When to alert.")


class HeartModelSpec(Frozen):
    suspend: bool = Field(False, description="The operator stops acting; pods keep serving.")
    registry_name: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9._-]*$",
        max_length=200,
        description="MLflow registered model; `<namespace>.<name>` by default. Cannot be changed.",
    )
    runtime: str = Field("default", max_length=63, description="An administrator's runtime profile.")
    dataset: Dataset
    target: Target
    features: tuple[Feature, ...] = Field(min_length=1, max_length=256, description="The data contract.")
    training: Training = Field(default=Training())
    gates: Gates = Field(default=Gates())
    serving: Serving = Field(default=Serving())
    rollout: Rollout = Field(default=Rollout())
    monitoring: Monitoring = Field(default=Monitoring())


class ServingStatus(FrozenLenient):
    version: str
    digest: str
    since: str
    replicas: int = 0
    ready_replicas: int = 0
    url: str | None = None


class CandidateStatus(FrozenLenient):
    version: str
    digest: str
    since: str


class PreviousStatus(FrozenLenient):
    version: str
    digest: str
    warm_until: str


class RejectedStatus(FrozenLenient):
    version: str
    digest: str
    reason: str
    gates_hash: str | None = None
    message: str
    time: str


class TrainingStatus(FrozenLenient):
    job: str
    trigger: str
    phase: Literal["Running", "Succeeded", "Failed"]
    started_at: str | None = None
    finished_at: str | None = None
    run_id: str | None = None
    version: str | None = None
    artifact_sha256: str | None = None
    evaluation_sha256: str | None = None
    reason: str | None = None
    message: str | None = None


class HistoryEntry(FrozenLenient):
    version: str
    digest: str
    from_: str = Field(alias="from")
    until: str | None = None
    reason: str
    by: str = "heartops"


class ConditionStatus(FrozenLenient):
    """metav1.Condition."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    last_transition_time: str
    observed_generation: int | None = None


class HeartModelStatus(FrozenLenient):
    observed_generation: int | None = None
    conditions: tuple[ConditionStatus, ...] = ()
    serving: ServingStatus | None = None
    candidate: CandidateStatus | None = None
    previous: PreviousStatus | None = None
    rejected: tuple[RejectedStatus, ...] = ()
    training: TrainingStatus | None = None
    history: tuple[HistoryEntry, ...] = ()
    gate: str | None = Field(None, description="Summary of the newest gate, for the Gate column.")
    replicas: int | None = None
    selector: str | None = None


class HeartModel(Frozen):
    """A HeartModel with the part of its metadata that decisions use."""

    namespace: str
    name: str
    uid: str
    generation: int = 1
    annotations: dict[str, str] = {}
    spec: HeartModelSpec
    status: HeartModelStatus = HeartModelStatus()

    @property
    def registry_name(self) -> str:
        return self.spec.registry_name or f"{self.namespace}.{self.name}"
