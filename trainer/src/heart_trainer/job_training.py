"""One training, from the request to the registered version."""

from dataclasses import dataclass

from heart_api.evaluation import (
    CARD_PATH,
    EVALUATION_PATH,
    Comparison,
    Estimate,
    Evaluation,
    Finding,
    OutOfFold,
    ServingReference,
)
from heart_api.handover import TrainingRequest, TrainingResult
from heart_api.package import MODEL_FILE, ServingPackage
from heart_api.referenceprofile import ReferenceProfile
from heart_trainer.data.load import contract_of, load
from heart_trainer.evaluation.compare import compare, out_of_fold
from heart_trainer.evaluation.evaluate import Measurement, judged_sample, measure
from heart_trainer.evaluation.families import as_values, estimates_of, measure_families
from heart_trainer.evaluation.findings import training_findings
from heart_trainer.external.decide import Scale, decide
from heart_trainer.external.train import train_external
from heart_trainer.fit.nested_cv import fit
from heart_trainer.fit.onnx_export import attach_package, is_double, run_onnx
from heart_trainer.job import Job, JobResult, build_evaluation, compare_with_serving, open_run, open_store
from heart_trainer.mlflow.client import Store
from heart_trainer.mlflow.registry import Digests, already_registered, register
from heart_trainer.mlflow.seals import contract_sha256, sha256
from heart_trainer.mlflow.serving_version import read_package, serving_model
from heart_trainer.mlflow.tracking import (
    as_json,
    documents,
    figures,
    log_dataset,
    log_files,
    log_model,
    parameters,
    write,
    write_files,
)
from heart_trainer.package.example import typical_record
from heart_trainer.package.explanation import build_explanation
from heart_trainer.package.influence import Influence, measure_influence
from heart_trainer.package.profile import build_profile
from heart_trainer.package.reference_rows import reference_rows
from heart_trainer.report.card import Provenance, render_card
from heart_trainer.report.plot_style import Subject
from heart_trainer.report.plots import as_png, draw_plots
from heart_trainer.report.plots_families import draw_families
from heart_trainer.report.wording import class_names
from heart_trainer.values import FamilyResult, Fitted, Table


@dataclass(frozen=True)
class Learnt:
    """A fitted model and what was measured, whichever way the rows were read.

    `out_of_fold`: for comparisons with later versions. `remarks`: findings about the way itself.
    """

    table: Table
    fitted: Fitted
    measured: Measurement
    profile: ReferenceProfile
    out_of_fold: OutOfFold
    remarks: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Product:
    """All that a training made, before any of it is stored."""

    table: Table
    fitted: Fitted
    evaluation: Evaluation
    influence: Influence | None
    model: bytes
    documents: dict[str, bytes]


def run_training(job: Job[TrainingRequest]) -> JobResult:
    """Train and register at most one version for the request's trigger. Raises TrainerError."""
    request = job.request
    store = open_store(job)
    found = already_registered(store, request, job.row_key)
    if found:
        job.progress(f"version {found.version} was already registered for this trigger; nothing to train")
        return JobResult(found, None)
    with open_run(job, store, request.name) as run_id:
        product = _make(job, store)
        result = _keep(job, store, run_id, product)
    return JobResult(result, product.evaluation)


def _make(job: Job[TrainingRequest], store: Store) -> Product:
    request = job.request
    learnt = _learn(job)
    table, fitted = learnt.table, learnt.fitted
    rows, profile = as_json(learnt.out_of_fold), as_json(learnt.profile)
    evaluation = _evaluate(job, store, learnt, sha256(rows), sha256(profile))
    package = build_package(request, table, fitted, evaluation.metrics, learnt.profile)
    job.progress("measuring what moves the answers")
    influence = measure_influence(fitted.onnx, package, table)
    files = documents(as_json(evaluation), rows, profile)
    return Product(table, fitted, evaluation, influence, attach_package(fitted.onnx, package), files)


def _learn(job: Job[TrainingRequest]) -> Learnt:
    scale = decide(job.request, job.data)
    job.progress(scale.why)
    return _from_sums(job, scale) if scale.external else _in_memory(job)


def _in_memory(job: Job[TrainingRequest]) -> Learnt:
    request = job.request
    table = load(request, job.environ, data=job.data)
    job.progress(f"read as {'; '.join(table.reading)}")
    job.progress(f"{len(table)} rows and {len(request.features)} features pass the data contract")
    fitted = fit(table, request, job.progress)
    job.progress("measuring out of fold, with bootstrap intervals")
    measured = measure(table, request.features, fitted.oof, request.training.seed)
    profile = build_profile(table, request.features, fitted.oof)
    return Learnt(table, fitted, measured, profile, out_of_fold(table, fitted.oof))


def _from_sums(job: Job[TrainingRequest], scale: Scale) -> Learnt:
    request = job.request
    found = train_external(request, contract_of(request, job.data), scale, job.environ, job.progress)
    oof = out_of_fold(found.table, found.fitted.oof).model_copy(update={"complete": False})
    return Learnt(found.table, found.fitted, found.measured, found.profile, oof, (scale.finding,))


def _evaluate(
    job: Job[TrainingRequest], store: Store, learnt: Learnt, rows_sha256: str, profile_sha256: str
) -> Evaluation:
    request, table, fitted, measured = job.request, learnt.table, learnt.fitted, learnt.measured
    compared = compare_with_serving(job, lambda version: _compare(job, store, table, fitted, version))
    checks = (
        *training_findings(table, request.features, request.target, measured.metrics, fitted),
        *table.findings,
        *learnt.remarks,
    )
    return build_evaluation(table, fitted.algorithm, measured, checks, compared, profile_sha256, rows_sha256)


def _compare(
    job: Job[TrainingRequest], store: Store, table: Table, fitted: Fitted, version: ServingReference
) -> Comparison:
    """The candidate compared with the serving version on the same rows. Raises NotComparable."""
    request = job.request
    serving = serving_model(store, request.registry_name, version, job.row_key)
    return compare(table, request.features, fitted.oof, serving, run_onnx, request.training.seed)


def build_package(
    request: TrainingRequest, table: Table, fitted: Fitted, metrics: dict[str, Estimate], profile: ReferenceProfile
) -> ServingPackage:
    """All that serving knows of the version."""
    return ServingPackage(
        registry_name=request.registry_name,
        task=table.task,
        algorithm=fitted.algorithm,
        features=request.features,
        target=request.target,
        classes=table.classes,
        double=is_double(fitted.onnx),
        synthetic=table.synthetic,
        metrics=metrics,
        reference=reference_rows(fitted.onnx, table, request.features),
        explanation=build_explanation(fitted.pipeline, table, request.features),
        example=typical_record(request.features, profile.features),
    )


def compared(table: Table, fitted: Fitted) -> tuple[FamilyResult, ...]:
    """The families' out-of-fold predictions; those of the search where there are too many rows."""
    return estimates_of(fitted.oof, table.y) or fitted.families


def family_values(table: Table, fitted: Fitted) -> dict[str, float]:
    """As MLflow's metrics, both kinds."""
    inner = measure_families(table.task, fitted.families)
    outer = measure_families(table.task, estimates_of(fitted.oof, table.y))
    return as_values(inner) | as_values(outer, "out_of_fold")


def _keep(job: Job[TrainingRequest], store: Store, run_id: str, product: Product) -> TrainingResult:
    request, table, fitted, evaluation = job.request, product.table, product.fitted, product.evaluation
    job.progress("writing figures, model card and model to MLflow")
    names = class_names(table.classes, request.target)
    sample = judged_sample(table, fitted.oof)
    plots = draw_plots(Subject(table, request.features, sample, names, request.target.name))
    if len(fitted.families) > 1:
        plots["families"] = as_png(draw_families(table.task, compared(table, fitted), fitted.algorithm))
    digests = Digests(
        artifact=sha256(product.model),
        evaluation=sha256(product.documents[EVALUATION_PATH]),
        dataset=table.raw_sha256,
        contract=contract_sha256(read_package(product.model)),
    )
    provenance = Provenance(run_id, digests.artifact, digests.evaluation, job.today)
    card = render_card(request, table, fitted, evaluation, plots, provenance, product.influence)
    values = figures(evaluation) | family_values(table, fitted)
    store.log_values(run_id, parameters(request, table, fitted), values)
    log_dataset(store, run_id, request, table)
    log_files(store, run_id, lambda folder: write_files(folder, fitted, product.documents, card, plots))
    if job.out:
        write(job.out, {CARD_PATH: card.encode(), MODEL_FILE: product.model, **product.documents})
    model_id = log_model(store, run_id, product.model, table)
    return register(store, request, run_id, model_id, digests, job.row_key)
