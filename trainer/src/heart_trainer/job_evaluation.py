"""One evaluation: a version that somebody registered by hand, measured on the HeartModel's rows by a Job of ours.

Whoever made the version may have shown it these rows. Nobody can tell, so that its figures are a best case, and the
evaluation says so. An out-of-fold file in the version's own run proves nothing and is not read.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from heart_api.evaluation import EVALUATION_PATH, Comparison, Estimate, Evaluation, Finding, OutOfFold, ServingReference
from heart_api.handover import EvaluationRequest, Tag, TrainingResult
from heart_api.package import ServingPackage
from heart_api.referenceprofile import PROFILE_PATH
from heart_trainer.data.load import load
from heart_trainer.evaluation.compare import ServingModel, compare
from heart_trainer.evaluation.evaluate import measure
from heart_trainer.evaluation.findings import better_than_chance, duplicates, in_sample, positive_class
from heart_trainer.evaluation.leaks import learnt_rows
from heart_trainer.fit.onnx_export import run_onnx
from heart_trainer.job import Job, JobResult, build_evaluation, compare_with_serving, open_run, open_store
from heart_trainer.mlflow.client import Store
from heart_trainer.mlflow.registry import Digests, evaluated, mark_evaluated
from heart_trainer.mlflow.seals import contract_sha256, seal_problem, sha256
from heart_trainer.mlflow.serving_version import read_package, serving_file
from heart_trainer.mlflow.tracking import as_json, figures, log_dataset, log_files, write
from heart_trainer.package.profile import build_profile
from heart_trainer.package.servable import answers, check_contract, fetch_model, open_model
from heart_trainer.values import OutOfFoldResult, Table

LEARNT = (
    "the version may have learnt these very rows: name rows in spec.dataset that it has not seen, let HeartOps train "
    "it, or name its number in spec.version"
)


@dataclass(frozen=True)
class Assessment:
    """The outcome of an evaluation in memory: the evaluation and the documents that will be stored with it."""

    table: Table
    artifact_sha256: str
    contract_sha256: str
    outside: str
    """Why it is not a version that a training of this namespace made; empty: its seal says that it is."""
    evaluation: Evaluation
    documents: Mapping[str, bytes]


def run_evaluation(job: Job[EvaluationRequest]) -> JobResult:
    """Measure the version and log the evaluation to a run of its own. Raises TrainerError (NotServable, …)."""
    request = job.request
    store = open_store(job)
    with open_run(job, store, f"evaluate-{request.version}", {Tag.VERSION: request.version}) as run_id:
        assessment = _assess(job, store)
        result = _keep(job, store, run_id, assessment)
    return JobResult(result, assessment.evaluation)


def _assess(job: Job[EvaluationRequest], store: Store) -> Assessment:
    request = job.request
    data = fetch_model(store, request.registry_name, request.version)
    model = open_model(data)
    check_contract(model.package, request)
    outside = _find_origin(job, store, data, model.package)
    job.progress(f"version {request.version} can be served; running it over the dataset")
    table = load(request, job.environ, data=job.data)
    job.progress(f"read as {'; '.join(table.reading)}")
    output = answers(model, table)
    job.progress(f"measuring {len(table)} rows, with bootstrap intervals")
    seen = OutOfFoldResult(output, np.zeros(len(table), np.int64), ())
    profile = as_json(build_profile(table, request.features, seen))
    evaluation = _evaluate(job, store, table, seen, model.package.algorithm, sha256(profile))
    documents = {EVALUATION_PATH: as_json(evaluation), PROFILE_PATH: profile}
    return Assessment(table, sha256(data), contract_sha256(model.package), outside, evaluation, documents)


def _find_origin(job: Job[EvaluationRequest], store: Store, data: bytes, package: ServingPackage) -> str:
    """Why the version is one from outside; empty if it is one of ours."""
    request = job.request
    with store.speaking():
        version = store.client.get_model_version(request.registry_name, request.version)
    problem = seal_problem(store, version, data, package, job.row_key)
    job.progress(f"version {request.version} is from outside: {problem}" if problem else "its seal is valid")
    return problem


def _evaluate(
    job: Job[EvaluationRequest],
    store: Store,
    table: Table,
    seen: OutOfFoldResult,
    algorithm: str,
    profile_sha256: str,
) -> Evaluation:
    request = job.request
    measured = measure(table, request.features, seen, request.training.seed)
    compared = compare_with_serving(job, lambda version: _compare(request, store, table, seen, version))
    findings = _findings(request, table, measured.metrics)
    return build_evaluation(table, algorithm, measured, findings, compared, profile_sha256)


def _findings(request: EvaluationRequest, table: Table, metrics: dict[str, Estimate]) -> tuple[Finding, ...]:
    return (
        learnt_rows(table, request.features, metrics, LEARNT),
        *better_than_chance(metrics),
        duplicates(table),
        *positive_class(table, request.target),
        in_sample(LEARNT),
        *table.findings,
    )


def _compare(
    request: EvaluationRequest, store: Store, table: Table, seen: OutOfFoldResult, version: ServingReference
) -> Comparison:
    """Both files run over every row. Raises NotComparable.

    Out-of-fold predictions of the serving version would be held against a best case of this one: by them, a mere copy
    of the serving version would be better than itself.
    """
    data = serving_file(store, request.registry_name, version)
    serving = ServingModel(version, data, read_package(data), OutOfFold(task=table.task, predictions={}))
    found = compare(table, request.features, seen, serving, run_onnx, request.training.seed)
    return found.model_copy(update={"rows_unseen_by_serving": 0})  # none that anybody knows of


def _keep(job: Job[EvaluationRequest], store: Store, run_id: str, assessment: Assessment) -> TrainingResult:
    request, table = job.request, assessment.table
    job.progress("writing the evaluation to MLflow")
    digests = Digests(
        artifact=assessment.artifact_sha256,
        evaluation=sha256(assessment.documents[EVALUATION_PATH]),
        dataset=table.raw_sha256,
        contract=assessment.contract_sha256,
    )
    parameters = {
        "version": request.version,
        "algorithm": assessment.evaluation.algorithm,
        "task": table.task,
        "rows": str(len(table)),
        "dataset_sha256": table.raw_sha256,
    }
    store.log_values(run_id, parameters, figures(assessment.evaluation))
    log_dataset(store, run_id, request, table)
    log_files(store, run_id, lambda folder: write(folder, assessment.documents))
    if not assessment.outside:  # the training's own evaluation and seal stay
        return evaluated(request, run_id, digests)
    marked = mark_evaluated(store, request, run_id, digests, job.row_key)
    return marked.model_copy(update={"sealed": False, "seal_message": assessment.outside})
