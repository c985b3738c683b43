"""What the operator reports in `status`. The same version goes on serving when all of it is lost."""

from typing import Annotated, Literal

from pydantic import Field

from heart_api.base import FrozenLenient
from heart_api.rules import list_map

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339, as Kubernetes writes times."""

Digest = Annotated[str, Field(description="sha256:<hex> of the model's file.")]
Version = Annotated[str, Field(description="Version in the registry.")]


Evidence = Annotated[
    dict[str, tuple[float, ...]],
    Field(description="Logarithms of what each bet against a claim has become; carried from look to look."),
]


class PostPromotionStatus(FrozenLenient):
    """Whether the version that was promoted last holds what it showed; while the previous one is warm."""

    time: Time = Field(description="The last look.")
    consecutive_failures: int = Field(0, description="Consecutive failed intervals.")
    message: str = Field("", description="What the last look found.")
    requests: int = Field(0, description="Requests since its promotion.")
    errors: int = Field(0, description="Of these with 5xx.")
    predictions: int = Field(0, description="Predictions since its promotion.")
    slow: int = Field(0, description="Of these over the critical latency.")
    evidence: Evidence = {}


class ServingStatus(FrozenLenient):
    """What the Service's selector names."""

    version: Version
    digest: Digest
    since: Time = Field(description="When it began to serve.")
    replicas: int = Field(0, description="Pods that it should have.")
    ready_replicas: int = Field(0, description="Pods that answer.")
    url: str | None = Field(None, description="Where to send predictions.")
    post_promotion_analysis: PostPromotionStatus | None = Field(
        None, description="Analysis of the serving version since its promotion, until the rollback window ends."
    )


Phase = Literal["Starting", "Scaling", "Paused", "Held", "AwaitingApproval"]


class TrackCounts(FrozenLenient):
    """What one version answered since the candidate got its first requests."""

    requests: int = Field(0, description="Requests answered.")
    errors: int = Field(0, description="Of these with 5xx.")
    invalid: int = Field(0, description="Of these with 422: the request broke the data contract.")
    latency: tuple[int, ...] = Field((), description="Predictions per bucket of the latency histogram.")
    outputs: dict[str, int] = Field({}, description="Predictions per bin of the output.")


class MirrorStatus(FrozenLenient):
    """How the candidate's answers differ from the stable version's on copied requests."""

    compared: int = Field(0, description="Answers compared.")
    different: int = Field(0, description="Of these with another prediction.")
    failed: int = Field(0, description="Copies that the candidate did not answer.")
    max_difference: float = Field(0, description="Largest difference of a probability (regression: relative).")


class AnalysisStatus(FrozenLenient):
    """What the looks at the traffic found."""

    time: Time = Field(description="The last look.")
    intervals: int = Field(0, description="Analysis intervals completed.")
    consecutive_failures: int = Field(0, description="Consecutive failed intervals.")
    verdict: Literal["Passed", "Failed", "Inconclusive"] = Field("Inconclusive", description="The last verdict.")
    message: str = Field("", description="Why.")
    stable: TrackCounts = Field(default=TrackCounts(), description="The version that serves.")
    candidate: TrackCounts = Field(default=TrackCounts(), description="The candidate.")
    evidence: Evidence = {}


class CandidateStatus(FrozenLenient):
    """A version on its way to serve."""

    version: Version
    digest: Digest
    since: Time = Field(description="When its rollout began.")
    step: int = Field(0, description="Index of the step in spec.rollout.steps; their number: all are done.")
    step_since: Time | None = Field(None, description="When that step began.")
    weight: int = Field(0, description="Percentage of the traffic asked for.")
    actual_weight: int = Field(0, description="Percentage that the number of pods, or the route, gives.")
    paused: bool = Field(False, description="A person paused it.")
    approved: bool = Field(False, description="A person approved it.")
    forced: bool = Field(False, description="A person skipped the remaining steps and the analysis.")
    base_replicas: int = Field(0, description="Pods of the serving version when the candidate got its first requests.")
    phase: Phase = Field("Starting", description="What it does.")
    phase_since: Time | None = Field(None, description="Since when it does that.")
    message: str = Field("", description="What it does or waits for.")
    analysis: AnalysisStatus | None = Field(None, description="What its traffic shows.")
    mirror: MirrorStatus | None = Field(None, description="What shadow traffic shows.")


class PreviousStatus(FrozenLenient):
    """The version that served before, kept warm for a rollback."""

    version: Version
    digest: Digest
    warm_until: Time = Field(description="When its pods are given up.")


DriftVerdict = Literal["Drift", "NoDrift", "Unconfirmed", "InsufficientSamples"]


class DriftSummary(FrozenLenient):
    """What the model's RetrainSchedules found in the live data of the version that serves."""

    verdict: DriftVerdict = Field(description="The gravest of their newest looks.")
    share: float | None = Field(None, description="Share of drifted features in that look.")
    time: Time = Field(description="End of the window that it looked at.")
    schedule: str = Field(description="The RetrainSchedule whose `status.lastDrift` has the figures.")


class RejectedStatus(FrozenLenient):
    """A version that is not served."""

    version: Version
    digest: Digest
    reason: str = Field(description="Why, as a condition's reason.")
    gates_hash: str | None = Field(None, description="The gates it failed; other gates judge it again.")
    message: str = Field(description="Why, in words.")
    time: Time = Field(description="When it was rejected.")


class TrainingStatus(FrozenLenient):
    """The newest training."""

    job: str = Field(description="Name of the Job.")
    trigger: str = Field(description="Identity of what started it.")
    phase: Literal["Running", "Succeeded", "Failed"] = Field(description="How far it is.")
    started_at: Time | None = Field(None, description="When the Job was created.")
    finished_at: Time | None = Field(None, description="When the Job ended.")
    run_id: str | None = Field(None, description="The run in MLflow.")
    version: str | None = Field(None, description="The version that it registered.")
    artifact_sha256: str | None = Field(None, description="Digest of the model, from the Job itself.")
    evaluation_sha256: str | None = Field(None, description="Digest of the evaluation, from the Job itself.")
    reason: str | None = Field(None, description="Why it failed.")
    message: str | None = Field(None, description="Why it failed, in words.")


class HistoryEntry(FrozenLenient):
    """A version that served."""

    version: Version
    digest: Digest
    from_: Time = Field(alias="from", description="When it began to serve.")
    until: Time | None = Field(None, description="When it stopped.")
    reason: str = Field(description="Why it began to serve.")
    by: str = Field("heartops", description="Who decided it.")
    message: str = Field("", description="Human-readable explanation.")


class CommandStatus(FrozenLenient):
    """The last command of a person that was handled."""

    id: str = Field(description="Its identity.")
    action: str = Field(description="What was asked for.")
    version: str = Field("", description="For which version.")
    by: str = Field("", description="Who asked.")
    reason: str = Field("", description="Reason given by the user.")
    time: Time = Field(description="When it was handled.")
    done: bool = Field(True, description="Whether it was carried out.")
    result: str = Field("", description="What came of it.")
    announced: bool = Field(False, description="Whether its event was told.")


class ConditionStatus(FrozenLenient):
    """metav1.Condition."""

    type: str = Field(description="What is asked.")
    status: Literal["True", "False", "Unknown"] = Field(description="The answer.")
    reason: str = Field(description="Why, in one word for programs.")
    message: str = Field("", description="Why, and what to do next.")
    last_transition_time: Time = Field(description="When the answer changed.")
    observed_generation: int | None = Field(None, description="The spec's generation that it speaks of.")


class HeartModelStatus(FrozenLenient):
    """What the operator saw and did."""

    observed_generation: int | None = Field(None, description="The spec's generation that was acted on.")
    conditions: tuple[ConditionStatus, ...] = Field(
        (), description="The answers to what one asks of a model.", json_schema_extra=list_map("type")
    )
    serving: ServingStatus | None = None
    candidate: CandidateStatus | None = None
    previous: PreviousStatus | None = None
    rejected: tuple[RejectedStatus, ...] = Field((), description="Versions that are not served, and why.")
    training: TrainingStatus | None = None
    evaluation: TrainingStatus | None = Field(
        None, description="The newest measurement of a version that somebody registered by hand."
    )
    history: tuple[HistoryEntry, ...] = Field((), description="Versions that served, newest last.")
    command: CommandStatus | None = None
    desired_version: str | None = Field(None, description="spec.version that was acted on last.")
    gate: str | None = Field(None, description="Summary of the newest gate, for the Gate column.")
    drift: DriftSummary | None = None
    replicas: int | None = Field(None, description="Serving pods, for the scale subresource.")
    selector: str | None = Field(None, description="Selects the serving pods, for the scale subresource.")
