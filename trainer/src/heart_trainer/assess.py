"""One evaluation: a version that somebody registered by hand, measured on the HeartModel's rows by a Job of ours.

Whoever made the version may have shown it these rows. Nobody can tell, so that its figures are a best case, and the
evaluation says so. An out-of-fold file in the version's own run proves nothing and is not read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from heart_operator.api.evaluation import EVALUATION_PATH, Comparison, Estimate, Evaluation, Finding, OutOfFold
from heart_operator.api.handover import EvaluationRequest, Tag, TrainingResult
from heart_operator.api.referenceprofile import PROFILE_PATH
from heart_trainer.compare import NotComparable, ServingModel, compare
from heart_trainer.data import load
from heart_trainer.evaluate import measure
from heart_trainer.export import run_onnx
from heart_trainer.findings import TOO_GOOD, duplicates, leakage, not_compared
from heart_trainer.job import Job, Trained
from heart_trainer.mlflow_store import Store, without_password
from heart_trainer.profile import build_profile
from heart_trainer.registry import Digests, claim, mark_evaluated, sha256
from heart_trainer.servable import answers, check_contract, fetch_model, open_model
from heart_trainer.serving_version import read_package, serving_file
from heart_trainer.tracking import as_json, figures, log_dataset, write
from heart_trainer.values import OutOfFoldResult, Table

LEARNT = (
    "the version may have learnt these very rows: name rows in spec.dataset that it has not seen, let HeartOps train "
    "it, or name its number in spec.version"
)


@dataclass(frozen=True)
class Assessment:
    """What was measured, before any of it is stored."""

    table: Table
    artifact_sha256: str
    evaluation: Evaluation
    documents: Mapping[str, bytes]


def assess(job: Job[EvaluationRequest]) -> Trained:
    """Measure the version and log the evaluation to a run of its own. Raises TrainerError (NotServable, …)."""
    request = job.request
    job.progress(f"opening MLflow at {without_password(job.tracking_uri)}")
    store = Store(job.tracking_uri)
    claim(store, request)
    experiment = store.experiment(request.registry_name)
    store.close_running(experiment, Tag.TRIGGER, request.trigger)
    tags = {
        Tag.TRIGGER: request.trigger,
        Tag.JOB: request.job,
        Tag.MODEL: f"{request.namespace}/{request.name}",
        Tag.VERSION: request.version,
    }
    with store.run(experiment, request.job or f"evaluate-{request.version}", tags) as run_id:
        assessment = _assess(job, store)
        result = _keep(job, store, run_id, assessment)
    return Trained(result, assessment.evaluation)


def _assess(job: Job[EvaluationRequest], store: Store) -> Assessment:
    request = job.request
    data = fetch_model(store, request.registry_name, request.version)
    model = open_model(data)
    check_contract(model.package, request)
    job.progress(f"version {request.version} can be served; running it over the dataset")
    table = load(request, job.environ, data=job.data)
    output = answers(model, table)
    job.progress(f"measuring {len(table)} rows, with bootstrap intervals")
    seen = OutOfFoldResult(output, np.zeros(len(table), np.int64), ())
    profile = as_json(build_profile(table, request.features, seen))
    evaluation = _evaluate(job, store, table, seen, model.package.algorithm, sha256(profile))
    documents = {EVALUATION_PATH: as_json(evaluation), PROFILE_PATH: profile}
    return Assessment(table, sha256(data), evaluation, documents)


def _evaluate(
    job: Job[EvaluationRequest],
    store: Store,
    table: Table,
    seen: OutOfFoldResult,
    algorithm: str,
    profile_sha256: str,
) -> Evaluation:
    features = job.request.features
    measured = measure(table, features, seen, job.request.training.seed)
    comparison, remarks = _compare(job, store, table, seen)
    return Evaluation(
        task=table.task,
        algorithm=algorithm,
        dataset_sha256=table.raw_sha256,
        synthetic=table.synthetic,
        rows=len(table),
        duplicates=table.duplicates,
        metrics=measured.metrics,
        slices=measured.slices,
        gaps=measured.gaps,
        comparison=comparison,
        findings=(*_findings(job.request, table, measured.metrics), *remarks),
        reference_profile_sha256=profile_sha256,
    )


def _findings(request: EvaluationRequest, table: Table, metrics: dict[str, Estimate]) -> tuple[Finding, ...]:
    message = f"not out of fold, a best case: {LEARNT}"
    learnt = Finding(name="in-sample", verdict="InsufficientEvidence", message=message)
    return _leak(request, table, metrics), duplicates(table), learnt


def _leak(request: EvaluationRequest, table: Table, metrics: dict[str, Estimate]) -> Finding:
    """Here the estimate counts, not its lower bound: more rows known by heart would prove no more."""
    found = leakage(table, request.features, metrics)
    reasons = [found.message] if found.verdict == "Failed" else []
    for name, bound in TOO_GOOD.items():
        if name in metrics and metrics[name].estimate > bound:
            reasons.append(f"{name} {metrics[name].estimate:.3f} is too good to be true, and {LEARNT}")
    return Finding(name="leakage", verdict="Failed", message="; ".join(reasons)) if reasons else found


def _compare(
    job: Job[EvaluationRequest], store: Store, table: Table, seen: OutOfFoldResult
) -> tuple[Comparison | None, tuple[Finding, ...]]:
    """Both files run over every row.

    Out-of-fold predictions of the serving version would be held against a best case of this one: by them, a mere copy
    of the serving version would be better than itself.
    """
    request = job.request
    if request.serving is None:
        return None, ()
    job.progress(f"comparing with version {request.serving.version}, which serves")
    try:
        data = serving_file(store, request.registry_name, request.serving)
        serving = ServingModel(request.serving, data, read_package(data), OutOfFold(task=table.task, predictions={}))
        found = compare(table, request.features, seen, serving, run_onnx, request.training.seed)
    except NotComparable as why:
        return None, (not_compared(request.serving.version, str(why)),)
    return found.model_copy(update={"rows_unseen_by_serving": 0}), ()  # none that anybody knows of


def _keep(job: Job[EvaluationRequest], store: Store, run_id: str, assessment: Assessment) -> TrainingResult:
    request, table = job.request, assessment.table
    job.progress("writing the evaluation to MLflow")
    digests = Digests(assessment.artifact_sha256, sha256(assessment.documents[EVALUATION_PATH]), table.raw_sha256)
    parameters = {
        "version": request.version,
        "algorithm": assessment.evaluation.algorithm,
        "task": table.task,
        "rows": str(len(table)),
        "dataset_sha256": table.raw_sha256,
    }
    store.log_values(run_id, parameters, figures(assessment.evaluation))
    log_dataset(store, run_id, request, table)
    with TemporaryDirectory() as folder:
        write(Path(folder), assessment.documents)
        store.log_folder(run_id, Path(folder))
    return mark_evaluated(store, request, run_id, digests, job.row_key)
