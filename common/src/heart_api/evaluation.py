"""What a Job of the trainer measured: the figures that the gates judge, and what later runs compare theirs with."""

from typing import Literal

from pydantic import Field

from heart_api.base import Frozen, FrozenLenient

EVALUATION_PATH = "evaluation/evaluation.json"
"""Run artifact with the Evaluation; the termination message has its digest."""
OOF_PATH = "evaluation/out_of_fold.json"
"""Run artifact with OutOfFold; digest inside the Evaluation."""
CARD_PATH = "model_card.html"
"""Run artifact: the model card, for people."""

Task = Literal["binary", "multiclass", "regression"]
Verdict = Literal["Passed", "Failed", "InsufficientEvidence"]


class ServingReference(Frozen):
    """The version that serves while a candidate is trained: what the candidate is compared with."""

    version: str
    digest: str


class Estimate(FrozenLenient):
    """The value of a metric with its evidence: rows and events (rarer class), 95% bootstrap interval."""

    n: int
    events: int | None = None
    estimate: float
    low: float
    high: float


class SliceEstimate(FrozenLenient):
    feature: str
    group: str = Field(description="Value of a category, or a range such as `[40, 60)` of a number.")
    metrics: dict[str, Estimate]


class Gap(FrozenLenient):
    """Greatest difference of a metric between two groups of a feature; n and events of the smaller group."""

    feature: str
    metric: str
    groups: tuple[str, str]
    gap: Estimate


class Difference(FrozenLenient):
    """Candidate minus serving version, paired on the same rows."""

    n: int
    events: int | None = None
    candidate: float
    serving: float
    difference: float
    low: float
    high: float


class Comparison(FrozenLenient):
    against: ServingReference
    metrics: dict[str, Difference]
    rows_unseen_by_serving: int = 0


class Finding(FrozenLenient):
    """A check of the method itself (leakage, duplicates, parity)."""

    name: str
    verdict: Verdict
    message: str


class Evaluation(FrozenLenient):
    """`evaluation.json`: the trainer measures, the operator decides."""

    schema_version: int = 1
    task: Task
    algorithm: str
    dataset_sha256: str
    synthetic: bool = False
    rows: int
    duplicates: int = 0
    metrics: dict[str, Estimate]
    slices: tuple[SliceEstimate, ...] = ()
    gaps: tuple[Gap, ...] = ()
    comparison: Comparison | None = None
    findings: tuple[Finding, ...] = ()
    out_of_fold_sha256: str | None = None
    reference_profile_sha256: str | None = None


class OutOfFold(FrozenLenient):
    """Out-of-fold predictions keyed by HMAC of the raw row; equal rows share a key and a fold."""

    task: Task
    predictions: dict[str, tuple[float, ...]] = Field(
        description="Row key → probabilities or [value]; empty: learnt, never judged."
    )
    complete: bool = Field(
        True, description="False: a sample. Rows without a key here may have been learnt, and are never judged."
    )
    fold_models: str | None = Field(
        None, description="Of a federated version, which has no rows: the models that judged each fold, as JSON."
    )
