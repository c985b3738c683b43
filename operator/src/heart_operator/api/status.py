"""What the operator reports in `status`. The same version goes on serving when all of it is lost."""

from typing import Annotated, Literal

from pydantic import Field

from heart_operator.api.base import FrozenLenient
from heart_operator.api.rules import list_map

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339, as Kubernetes writes times."""

Digest = Annotated[str, Field(description="sha256:<hex> of the model's file.")]
Version = Annotated[str, Field(description="Version in the registry.")]


class ServingStatus(FrozenLenient):
    """What the Service's selector names."""

    version: Version
    digest: Digest
    since: Time = Field(description="When it began to serve.")
    replicas: int = Field(0, description="Pods that it should have.")
    ready_replicas: int = Field(0, description="Pods that answer.")
    url: str | None = Field(None, description="Where to send predictions.")


class CandidateStatus(FrozenLenient):
    """A version on its way to serve."""

    version: Version
    digest: Digest
    since: Time = Field(description="When its rollout began.")


class PreviousStatus(FrozenLenient):
    """The version that served before, kept warm for a rollback."""

    version: Version
    digest: Digest
    warm_until: Time = Field(description="When its pods are given up.")


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
    history: tuple[HistoryEntry, ...] = Field((), description="Versions that served, newest first.")
    gate: str | None = Field(None, description="Summary of the newest gate, for the Gate column.")
    replicas: int | None = Field(None, description="Serving pods, for the scale subresource.")
    selector: str | None = Field(None, description="Selects the serving pods, for the scale subresource.")
