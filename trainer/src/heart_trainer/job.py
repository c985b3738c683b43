"""What a training and the evaluation of a version registered by hand share: the Job, and what it leaves in MLflow."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Generic, TypeVar

from heart_api.evaluation import Comparison, Evaluation, Finding, ServingReference
from heart_api.handover import Env, ModelRequest, Tag, TrainingResult
from heart_trainer.evaluation.compare import NotComparable
from heart_trainer.evaluation.evaluate import Measurement
from heart_trainer.evaluation.findings import not_compared
from heart_trainer.mlflow.client import Store
from heart_trainer.mlflow.registry import claim
from heart_trainer.redaction import redact
from heart_trainer.values import Table

Progress = Callable[[str], None]
Compared = tuple[Comparison | None, tuple[Finding, ...]]
"""With the version that serves; without a comparison, a finding that says why it is missing."""
R = TypeVar("R", bound=ModelRequest)


@dataclass(frozen=True)
class Job(Generic[R]):
    """A request and where it runs.

    `data`: a local file in place of the dataset's URI; `out`: where copies go; `trainer`: on a laptop, the command of a
    trainer of one's own.
    """

    request: R
    environ: Mapping[str, str]
    tracking_uri: str
    today: date
    progress: Progress
    data: Path | None = None
    out: Path | None = None
    trainer: str = ""

    @property
    def row_key(self) -> str:
        return self.environ.get(Env.ROW_KEY, "")


@dataclass(frozen=True)
class JobResult:
    """What a Job of either kind made; `evaluation` is None when an earlier pod had already registered the version."""

    result: TrainingResult
    evaluation: Evaluation | None


def open_store(job: Job[R]) -> Store:
    """Raises TrainerError: MLflow does not answer, or the registered model belongs to another HeartModel."""
    job.progress(f"opening MLflow at {redact(job.tracking_uri)}")
    store = Store(job.tracking_uri)
    claim(store, job.request)
    return store


@contextmanager
def open_run(job: Job[R], store: Store, name: str, tags: Mapping[str, str] | None = None) -> Iterator[str]:
    """The id of a run that ends with the block; runs that earlier pods of this trigger left open are closed."""
    request = job.request
    experiment = store.experiment(request.registry_name)
    store.close_running(experiment, Tag.TRIGGER, request.trigger)
    general = {Tag.TRIGGER: request.trigger, Tag.JOB: request.job, Tag.MODEL: f"{request.namespace}/{request.name}"}
    with store.run(experiment, request.job or name, general | dict(tags or {})) as run_id:
        yield run_id


def compare_with_serving(job: Job[R], compare: Callable[[ServingReference], Comparison]) -> Compared:
    """`compare` may raise NotComparable. Nothing is compared where nothing serves."""
    serving = job.request.serving
    if serving is None:
        return None, ()
    job.progress(f"comparing with version {serving.version}, which serves")
    try:
        return compare(serving), ()
    except NotComparable as why:
        return None, (not_compared(serving.version, str(why)),)


def build_evaluation(
    table: Table,
    algorithm: str,
    measured: Measurement,
    findings: tuple[Finding, ...],
    compared: Compared,
    profile_sha256: str,
    out_of_fold_sha256: str | None = None,
) -> Evaluation:
    comparison, remarks = compared
    return Evaluation(
        task=table.task,
        algorithm=algorithm,
        dataset_sha256=table.raw_sha256,
        synthetic=table.synthetic,
        rows=table.all_rows,
        duplicates=round(table.duplicates * table.all_rows / len(table)),
        metrics=measured.metrics,
        slices=measured.slices,
        gaps=measured.gaps,
        comparison=comparison,
        findings=(*findings, *remarks),
        out_of_fold_sha256=out_of_fold_sha256,
        reference_profile_sha256=profile_sha256,
    )
