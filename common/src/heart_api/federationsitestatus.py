"""The observed state of a FederationSite: `status`. Losing it repeats a check, and ends no training."""

from typing import Literal

from pydantic import Field

from heart_api.base import FrozenLenient
from heart_api.rules import list_map
from heart_api.status import ConditionStatus, JobRecord
from heart_api.statustypes import Time

ModelState = Literal["Ready", "Checking", "ModelNotFound", "NotNamed", "ContractMismatch", "TooFewRows", "CheckFailed"]
SiteTrainingPhase = Literal["Running", "Succeeded", "Failed", "Withdrawn"]


class ColumnProblem(FrozenLenient):
    """A column of the site's data that breaks a model's contract."""

    model: str = Field(description="The HeartModel, as `namespace/name`.")
    column: str = Field(description="Name of the column.")
    message: str = Field(description="What is wrong with it, without values of rows.")


class AllowedModelStatus(FrozenLenient):
    """What the site has found for one of the models in `spec.allow`."""

    model: str = Field(description="The HeartModel, as `namespace/name`.")
    contract_hash: str | None = Field(None, description="Hash of the model's data contract now.")
    state: ModelState = Field(description="Ready: the site can take part in the model's next training.")
    message: str = Field("", description="Human-readable explanation, with the next step where one is needed.")


class SiteCheckStatus(FrozenLenient):
    """The latest check of the data against the contracts of the allowed models."""

    job: str = Field(description="Name of the Job.")
    trigger: str = Field(description="Hash of what was checked: dataset, bounds and contracts.")
    phase: Literal["Running", "Succeeded", "Failed"] = Field(description="Phase of the Job.")
    time: Time | None = Field(None, description="Time at which the Job finished.")
    next_attempt_time: Time | None = Field(
        None, description="Time at which a check that failed is tried again; absent if it is not."
    )
    enough_rows: bool = Field(True, description="True if there are at least `spec.minimumRows` valid rows.")
    more_problems: int = Field(0, description="Problems that are in the Job's log alone.")
    message: str = Field("", description="Why it failed.")


class SiteTrainingStatus(FrozenLenient):
    """This site's part in a training."""

    model: str = Field(description="The HeartModel, as `namespace/name`.")
    trigger: str = Field(description="Identity of the training.")
    job: str = Field(description="Name of the site's Job.")
    phase: SiteTrainingPhase = Field(
        description="Phase of the site's Job. Withdrawn: the consent ended before the Job."
    )
    started_at: Time | None = Field(None, description="Time at which the Job was created.")
    finished_at: Time | None = Field(None, description="Time at which it finished.")
    message: str = Field("", description="Human-readable result.")


class FederationSiteStatus(FrozenLenient):
    """Most recently observed status, written by the operator. Read-only."""

    observed_generation: int | None = Field(None, description="Generation of the spec last acted on.")
    conditions: tuple[ConditionStatus, ...] = Field(
        (), description="Conditions of the site.", json_schema_extra=list_map("type")
    )
    rows: int | None = Field(
        None, description="Number of valid rows at the latest check, rounded down to two significant digits."
    )
    public_key: str | None = Field(None, description="Public key by which a coordinator knows the site.")
    models: tuple[AllowedModelStatus, ...] = Field(
        (), description="The models in `spec.allow`.", json_schema_extra=list_map("model")
    )
    problems: tuple[ColumnProblem, ...] = Field(
        (), description="Columns that break a contract, twenty at most; the check Job's log has all of them."
    )
    check: SiteCheckStatus | None = None
    trainings: tuple[SiteTrainingStatus, ...] = Field(
        (),
        description="Trainings that the site takes part in, and its latest ones, newest first; ten at most.",
    )
    last_training_time: Time | None = Field(None, description="Time at which the site's part in a training last ended.")
    last_error: str | None = Field(None, description="Why the latest check or training failed; absent after a success.")
    jobs: tuple[JobRecord, ...] | None = Field(
        None,
        description="Jobs that the operator created. Results of other Jobs are not believed.",
        json_schema_extra=list_map("name"),
    )
