"""The observed state of a HeartModel: `status`. Losing it does not change which version serves."""

from typing import Annotated, Literal

from pydantic import Field

from heart_api.base import FrozenLenient
from heart_api.checks import CheckOrder, CheckStatus
from heart_api.outbox import OutboxStatus
from heart_api.rules import list_map
from heart_api.statustypes import Digest, DriftVerdict, Time, Version

Evidence = Annotated[
    dict[str, tuple[float, ...]],
    Field(description="Log-wealth of each sequential test, carried from one analysis interval to the next."),
]


class PostPromotionStatus(FrozenLenient):
    """Analysis of the serving version after its promotion, while the previous version is kept warm."""

    time: Time = Field(description="Time of the latest analysis interval.")
    consecutive_failures: int = Field(0, description="Consecutive failed analysis intervals.")
    message: str = Field("", description="Result of the latest analysis interval.")
    requests: int = Field(0, description="Requests served since the promotion.")
    errors: int = Field(0, description="Requests that failed with 5xx.")
    predictions: int = Field(0, description="Predictions served since the promotion.")
    slow: int = Field(0, description="Predictions slower than the critical latency threshold.")
    evidence: Evidence = {}


class ServingStatus(FrozenLenient):
    """The serving (stable) version, selected by the Service."""

    version: Version
    digest: Digest
    since: Time = Field(description="Time at which the version became the serving version.")
    replicas: int = Field(0, description="Desired number of pods.")
    ready_replicas: int = Field(0, description="Number of ready pods.")
    url: str | None = Field(None, description="URL for prediction requests.")
    post_promotion_analysis: PostPromotionStatus | None = Field(
        None, description="Analysis of the serving version since its promotion, until the rollback window ends."
    )


Origin = Literal["Training", "Sealed", "Outside"]
Phase = Literal["Starting", "Scaling", "Paused", "Held", "Experimenting", "AwaitingApproval"]


class TrackCounts(FrozenLenient):
    """Traffic of one version since the candidate received its first request."""

    requests: int = Field(0, description="Number of requests.")
    errors: int = Field(0, description="Requests that failed with 5xx.")
    invalid: int = Field(0, description="Requests rejected with 422 because they violate the data contract.")
    latency: tuple[int, ...] = Field((), description="Number of predictions per bucket of the latency histogram.")
    outputs: dict[str, int] = Field({}, description="Number of predictions per output bin.")


class MirrorStatus(FrozenLenient):
    """Comparison of the candidate's responses with the stable version's on mirrored requests."""

    compared: int = Field(0, description="Responses compared.")
    different: int = Field(0, description="Compared responses whose prediction differs.")
    failed: int = Field(0, description="Mirrored requests that the candidate did not answer.")
    max_difference: float = Field(
        0, description="Largest absolute difference of a probability (regression: relative difference)."
    )


class AnalysisStatus(FrozenLenient):
    """Canary analysis of the candidate."""

    time: Time = Field(description="Time of the latest analysis interval.")
    intervals: int = Field(0, description="Analysis intervals completed.")
    consecutive_failures: int = Field(0, description="Consecutive failed analysis intervals.")
    verdict: Literal["Passed", "Failed", "Inconclusive"] = Field(
        "Inconclusive", description="Verdict of the latest analysis interval."
    )
    message: str = Field("", description="Human-readable explanation of the verdict.")
    stable: TrackCounts = Field(default=TrackCounts(), description="Traffic of the stable version.")
    candidate: TrackCounts = Field(default=TrackCounts(), description="Traffic of the candidate.")
    evidence: Evidence = {}


class ArmStatus(FrozenLenient):
    """One group of an experiment's users: the version that answers them, and its figure."""

    count: int = Field(0, description="Outcomes (ErrorRate: requests) that the figure rests on.")
    total: float = Field(0, description="Their sum.")
    squares: float = Field(0, description="Sum of their squares.")
    mean: float | None = Field(None, description="The figure.")
    low: float | None = Field(None, description="Lower bound of its 95% confidence sequence.")
    high: float | None = Field(None, description="Upper bound of its 95% confidence sequence.")


class ExperimentStatus(FrozenLenient):
    """The A/B experiment between the stable version and the candidate."""

    since: Time = Field(description="Time from which on requests and their outcomes count.")
    stable: ArmStatus = Field(default=ArmStatus(), description="Users whom the stable version answers.")
    candidate: ArmStatus = Field(default=ArmStatus(), description="Users whom the candidate answers.")
    difference: float | None = Field(None, description="The candidate's figure less the stable version's.")
    low: float | None = Field(
        None, description="Lower bound of the difference, valid at every analysis interval (95%)."
    )
    high: float | None = Field(
        None, description="Upper bound of the difference, valid at every analysis interval (95%)."
    )
    verdict: Literal["Running", "Better", "Worse", "NoDifference", "TimeUp"] = Field(
        "Running",
        description="Better, Worse: of the candidate, beyond doubt. NoDifference: none as large as minDetectable."
        " TimeUp: undecided at the end of the duration.",
    )
    message: str = Field("", description="Human-readable result so far.")


class CandidateStatus(FrozenLenient):
    """The version being rolled out."""

    version: Version
    digest: Digest
    since: Time = Field(description="Time at which the rollout started.")
    step: int = Field(
        0,
        description="Index of the current step in `spec.rollout.steps`; equal to their number once all steps"
        " are complete.",
    )
    step_since: Time | None = Field(None, description="Time at which the current step started.")
    weight: int = Field(0, description="Desired traffic weight, in percent.")
    actual_weight: int = Field(
        0, description="Actual traffic weight, in percent, as given by the ready pods or the route."
    )
    paused: bool = Field(False, description="True if a user paused the rollout.")
    approved: bool = Field(False, description="True if a user approved the rollout.")
    forced: bool = Field(False, description="True if a user skipped the remaining steps and the analysis.")
    base_replicas: int = Field(
        0, description="Pods of the stable version when the candidate received its first request."
    )
    phase: Phase = Field("Starting", description="Phase of the rollout.")
    phase_since: Time | None = Field(None, description="Time at which the phase started.")
    message: str = Field("", description="Human-readable description of the phase.")
    analysis: AnalysisStatus | None = Field(None, description="Canary analysis of its traffic.")
    mirror: MirrorStatus | None = Field(None, description="Comparison on mirrored traffic.")
    experiment: ExperimentStatus | None = Field(None, description="A/B experiment.")
    origin: Origin | None = Field(
        None,
        description="Training: its training Job reported it. Sealed: an evaluation Job found a training Job's"
        " valid seal. Outside: anybody may have registered it.",
    )

    @property
    def waits_for(self) -> str:
        """The message without the analysis' figures, which change with every interval."""
        figures = self.analysis.message if self.analysis else ""
        return self.message.removesuffix(f": {figures}") if figures else self.message


class PreviousStatus(FrozenLenient):
    """The previously serving version, kept warm for a rollback."""

    version: Version
    digest: Digest
    warm_until: Time = Field(description="Time at which its pods are removed.")


class DriftSummary(FrozenLenient):
    """Latest drift checks of the model's RetrainSchedules for the serving version."""

    verdict: DriftVerdict = Field(description="Most severe verdict among the latest drift checks.")
    share: float | None = Field(None, description="Share of drifted features in that check.")
    time: Time = Field(description="End of the window that was checked.")
    schedule: str = Field(description="RetrainSchedule whose `status.lastDrift` holds the details.")


class RejectedStatus(FrozenLenient):
    """A rejected version."""

    version: Version
    digest: Digest
    reason: str = Field(description="Machine-readable reason for the rejection.")
    gates_hash: str | None = Field(
        None, description="Hash of the gates that the version failed; it is evaluated again when the gates change."
    )
    message: str = Field(description="Human-readable reason for the rejection.")
    time: Time = Field(description="Time of the rejection.")


class TrainingSite(FrozenLenient):
    """A site that takes part in a training. Its identity and bounds are those of the training's start."""

    site: str = Field(description="The FederationSite, as `namespace/name`.")
    uid: str = Field("", description="UID of the FederationSite.")
    public_key: str = Field("", description="Key by which the coordinator knows the site.")
    minimum_rows: int = Field(1, description="The site's minimum number of rows.")
    minimum_cell: int = Field(1, description="The site's minimum number of rows behind a count.")
    state: Literal["Waiting", "Active", "Offline", "Late", "Rejected", "Completed", "Withdrawn"] = Field(
        "Waiting",
        description="Waiting: not seen yet. Offline: no heartbeat for about a minute. Late: no answer within the"
        " deadline of an exchange. Rejected: it does not answer this training, and says why. Withdrawn: its consent"
        " ended during the training.",
    )
    rows: int | None = Field(None, description="Number of its rows, rounded down to two significant digits.")
    exchanges: int = Field(0, description="Exchanges that it has answered.")
    seconds: float = Field(0, description="Time that it took to answer, in all.")
    received_bytes: int = Field(0, description="Size of its answers, in all.")
    last_seen: Time | None = Field(None, description="Time of its latest answer.")
    message: str = Field("", description="Why it does not take part.")


class CoordinatorStatus(FrozenLenient):
    """What the sites of a federated training have to trust."""

    certificate: str = Field(description="PEM of the coordinator's certificate authority.")
    bundle_sha256: str = Field(description="Digest of the only code that sites run.")


class TrainingStatus(FrozenLenient):
    """The latest training or evaluation Job."""

    job: str = Field(description="Name of the Job.")
    trigger: str = Field(description="Identity of the trigger.")
    phase: Literal["Running", "Succeeded", "Failed"] = Field(description="Phase of the Job.")
    started_at: Time | None = Field(None, description="Time at which the Job was created.")
    finished_at: Time | None = Field(None, description="Time at which the Job finished.")
    run_id: str | None = Field(None, description="MLflow run ID.")
    version: str | None = Field(None, description="Version registered by the Job.")
    artifact_sha256: str | None = Field(None, description="Digest of the model file as reported by the Job.")
    evaluation_sha256: str | None = Field(None, description="Digest of the evaluation as reported by the Job.")
    sealed: bool | None = Field(
        None,
        description="Of an evaluation: true if the version carries a valid seal of a training Job of this namespace."
        " Otherwise it is a version from outside (`spec.versionsFromOutside`).",
    )
    seal_message: str | None = Field(None, description="Why the seal is not valid.")
    reason: str | None = Field(
        None, description="Machine-readable reason of a failure, or of a Job without a running pod."
    )
    message: str | None = Field(None, description="Human-readable explanation of the reason.")
    sites: tuple[TrainingSite, ...] | None = Field(
        None, description="Sites of a federated training, fixed when it starts.", json_schema_extra=list_map("site")
    )
    coordinator: CoordinatorStatus | None = None


class SiteConsent(FrozenLenient):
    """Whether a site can take part in the next training."""

    site: str = Field(description="The FederationSite, as `namespace/name`.")
    state: Literal["Ready", "Checking", "Missing", "Rejected", "ContractMismatch"] = Field(
        description="Ready: it allows this model, and its data keep the contract."
    )
    rows: int | None = Field(None, description="Number of its rows, rounded down to two significant digits.")
    message: str = Field("", description="Why it cannot, with the next step.")


class JobRecord(FrozenLenient):
    """A Job or TrainJob that the operator created."""

    name: str = Field(description="Name of the Job.")
    uid: str = Field(description="UID of the Job; one of the same name with another UID is not believed.")
    template: str | None = Field(
        None, description="Digest of a TrainJob's template, which can be edited; an edited one is not believed."
    )


class HistoryEntry(FrozenLenient):
    """A version that is or was serving."""

    version: Version
    digest: Digest
    from_: Time = Field(alias="from", description="Time at which the version became the serving version.")
    until: Time | None = Field(None, description="Time at which it was replaced.")
    reason: str = Field(description="Machine-readable reason for the change.")
    by: str = Field("heartops", description="User who requested the change; `heartops` for automatic changes.")
    message: str = Field("", description="Human-readable explanation.")


class CommandStatus(FrozenLenient):
    """The latest user command that was processed."""

    id: str = Field(description="ID of the command.")
    action: str = Field(description="Requested action.")
    version: str = Field("", description="Version that the command applies to.")
    by: str = Field("", description="User who requested it.")
    reason: str = Field("", description="Reason given by the user.")
    time: Time = Field(description="Time at which the command was processed.")
    done: bool = Field(True, description="True if the command was executed.")
    result: str = Field("", description="Human-readable result.")
    announced: bool = Field(False, description="True if the Event for the command has been published.")


class ConditionStatus(FrozenLenient):
    """metav1.Condition."""

    type: str = Field(description="Type of the condition.")
    status: Literal["True", "False", "Unknown"] = Field(description="Status of the condition: True, False or Unknown.")
    reason: str = Field(description="Machine-readable reason for the status, in CamelCase.")
    message: str = Field("", description="Human-readable explanation, with the next step where one is needed.")
    last_transition_time: Time = Field(description="Last time the status changed.")
    observed_generation: int | None = Field(None, description="Generation of the spec that the condition is based on.")


class RequestStatus(FrozenLenient):
    """A request that came over HTTP."""

    id: str = Field(description="ID of the request; a later one sorts behind it.")
    by: str = Field("", description="User or webhook that sent it.")


class RequestsStatus(FrozenLenient):
    """The latest requests that came over HTTP, by what they ask for."""

    retrain: RequestStatus | None = Field(None, description="Start a training.")
    check: CheckOrder | None = Field(None, description="Run a drift check.")
    registry: RequestStatus | None = Field(None, description="Look at the registry now.")


class HeartModelStatus(FrozenLenient):
    """Most recently observed status, written by the operator. Read-only."""

    observed_generation: int | None = Field(None, description="Generation of the spec last acted on.")
    conditions: tuple[ConditionStatus, ...] = Field(
        (), description="Conditions of the model.", json_schema_extra=list_map("type")
    )
    serving: ServingStatus | None = None
    candidate: CandidateStatus | None = None
    previous: PreviousStatus | None = None
    rejected: tuple[RejectedStatus, ...] = Field((), description="Rejected versions.")
    training: TrainingStatus | None = None
    evaluation: TrainingStatus | None = Field(
        None, description="The latest evaluation of a manually registered version."
    )
    history: tuple[HistoryEntry, ...] = Field((), description="Serving versions in chronological order, latest last.")
    jobs: tuple[JobRecord, ...] | None = Field(
        None,
        description="Jobs that the operator created. Results of other Jobs are not believed.",
        json_schema_extra=list_map("name"),
    )
    command: CommandStatus | None = None
    check: CheckStatus | None = None
    requests: RequestsStatus | None = None
    outbox: OutboxStatus | None = None
    erasure: str | None = Field(None, description="ID of the latest erasure from the prediction log that was noticed.")
    desired_version: str | None = Field(None, description="`spec.version` last acted on.")
    gate: str | None = Field(None, description="Summary of the latest gate evaluation, for the Gate column.")
    drift: DriftSummary | None = None
    sites: tuple[SiteConsent, ...] | None = Field(
        None, description="The sites of `spec.federation`, as they are now.", json_schema_extra=list_map("site")
    )
    replicas: int | None = Field(None, description="Number of serving pods, for the scale subresource.")
    selector: str | None = Field(None, description="Label selector of the serving pods, for the scale subresource.")
