"""One training, from the request to the registered version."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

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
from heart_api.handover import ModelRequest, TrainingRequest, TrainingResult
from heart_api.package import MODEL_FILE, ServingPackage
from heart_api.referenceprofile import ReferenceProfile
from heart_trainer.data.load import contract_of, load
from heart_trainer.evaluation.compare import ServingModel, compare, out_of_fold
from heart_trainer.evaluation.evaluate import Measurement, judged_sample, measure
from heart_trainer.evaluation.families import as_values, estimates_of, measure_families
from heart_trainer.evaluation.findings import training_findings
from heart_trainer.external.decide import Scale, decide
from heart_trainer.external.place import place_of
from heart_trainer.fit.nested_cv import fit, help_searching
from heart_trainer.fit.onnx_export import attach_package, is_double, run_onnx
from heart_trainer.fit.workers import begin_beside, workers_of
from heart_trainer.job import Job, JobResult, R, build_evaluation, compare_with_serving, open_run, open_store
from heart_trainer.mlflow.client import Store
from heart_trainer.mlflow.registry import Digests, already_registered, register
from heart_trainer.mlflow.seals import contract_sha256, sha256
from heart_trainer.mlflow.serving_version import read_package, serving_model
from heart_trainer.mlflow.shared_search import SharedSearch, rank_of
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
from heart_trainer.own.exchange import exchanged, prepare_in_pod
from heart_trainer.own.judge import judge
from heart_trainer.package.example import typical_record
from heart_trainer.package.explanation import build_explanation, by_answers
from heart_trainer.package.influence import Influence, measure_influence
from heart_trainer.package.profile import build_profile
from heart_trainer.package.reference_rows import reference_rows
from heart_trainer.report.card import Provenance, Sites, render_card
from heart_trainer.report.draw import Figures, draw
from heart_trainer.report.plot_style import Subject
from heart_trainer.report.wording import class_names
from heart_trainer.values import FamilyResult, Fitted, Table

MOST_ROWS_SENT = 50_000
"""Rows that another process is given: more would cost more memory than time is saved."""


@dataclass(frozen=True)
class Learnt:
    """A fitted model and what was measured, whichever way the rows were read.

    `table`: rows, or (`sites`) a stand-in for rows that stayed where they are. `checks`: findings about data and
    method. `out_of_fold`: for comparisons with later versions. `compare` may raise NotComparable.
    """

    table: Table
    fitted: Fitted
    measured: Measurement
    profile: ReferenceProfile
    out_of_fold: OutOfFold
    checks: tuple[Finding, ...]
    compare: Callable[[ServingModel], Comparison]
    sites: Sites | None = None


@dataclass(frozen=True)
class Product:
    """All that a training made, before any of it is stored. `drawn`: waits for the figures, PNG bytes by name."""

    table: Table
    fitted: Fitted
    evaluation: Evaluation
    sites: Sites | None
    drawn: Callable[[], dict[str, bytes]]
    influence: Influence | None
    model: bytes
    documents: dict[str, bytes]


def run_training(job: Job[TrainingRequest]) -> JobResult | None:
    """Train and register at most one version for the request's trigger. Raises TrainerError.

    None for a worker other than the first, which has nothing to tell.
    """
    place = place_of(job.request.training, job.environ)
    if place and place.rank:
        from heart_trainer.external.distributed import follow  # noqa: PLC0415  XGBoost takes a second to import

        follow(job.request, place, job.environ, job.data, job.progress)
        return None
    if rank_of(job.request, job.environ):
        _help(job)
        return None
    done = train_and_register(job, lambda: _learn(job))
    if place and done.evaluation is None:
        from heart_trainer.external.distributed import dismiss  # noqa: PLC0415

        dismiss(job.request, place, job.progress)
    return done


def train_and_register(job: Job[R], learn: Callable[[], Learnt]) -> JobResult:
    """What `learn` gives, measured, sealed and registered. It is not called if that was done before.

    Raises TrainerError.
    """
    request = job.request
    store = open_store(job)
    found = already_registered(store, request, job.row_key)
    if found:
        job.progress(f"version {found.version} was already registered for this trigger; nothing to train")
        return JobResult(found, None)
    with open_run(job, store, request.name) as run_id:
        product = _make(job, store, learn())
        result = _keep(job, store, run_id, product)
    return JobResult(result, product.evaluation)


def _make(job: Job[R], store: Store, learnt: Learnt) -> Product:
    request = job.request
    table, fitted = learnt.table, learnt.fitted
    drawn = _begin_drawing(request, learnt)
    rows, profile = as_json(learnt.out_of_fold), as_json(learnt.profile)
    evaluation = _evaluate(job, store, learnt, sha256(rows), sha256(profile))
    package = build_package(request, table, fitted, evaluation.metrics, learnt.profile)
    job.progress("measuring what moves the answers")
    influence = measure_influence(fitted.onnx, package, table)
    files = documents(as_json(evaluation), rows, profile)
    model = attach_package(fitted.onnx, package)
    return Product(table, fitted, evaluation, learnt.sites, drawn, influence, model, files)


def _begin_drawing(request: ModelRequest, learnt: Learnt) -> Callable[[], dict[str, bytes]]:
    """The figures need nothing of what is computed next, so that a process which has searched can draw them."""
    table, fitted = learnt.table, learnt.fitted
    names = class_names(table.classes, request.target)
    subject = Subject(table, request.features, judged_sample(table, fitted.oof), names, request.target.name)
    families = compared(table, fitted) if len(fitted.families) > 1 else ()
    figures = Figures(subject, learnt.sites is None, families, fitted.algorithm)
    few = len(table) <= MOST_ROWS_SENT
    return begin_beside(workers_of(request.training) if few else 0, partial(draw, figures))


def _learn(job: Job[TrainingRequest]) -> Learnt:
    if job.request.training.trainer:
        return _in_memory(job, _by_own_trainer)
    scale = decide(job.request, job.data)
    job.progress(scale.why)
    return _from_sums(job, scale) if scale.external else _in_memory(job, _by_families)


def _in_memory(job: Job[TrainingRequest], fit_model: Callable[[Job[TrainingRequest], Table], Fitted]) -> Learnt:
    request = job.request
    table = load(request, job.environ, data=job.data)
    job.progress(f"read as {'; '.join(table.reading)}")
    job.progress(f"{len(table)} rows and {len(request.features)} features pass the data contract")
    fitted = fit_model(job, table)
    job.progress("measuring out of fold, with bootstrap intervals")
    measured = measure(table, request.features, fitted.oof, request.training.seed)
    profile = build_profile(table, request.features, fitted.oof)
    oof = out_of_fold(table, fitted.oof)
    return Learnt(table, fitted, measured, profile, oof, *_by_rows(job, table, fitted, measured))


def _by_families(job: Job[TrainingRequest], table: Table) -> Fitted:
    helpers = _helpers(job, Store(job.tracking_uri), table)
    if helpers is None:
        return fit(table, job.request, job.progress)
    job.progress(f"the search is shared by {helpers.count} pods")
    fitted = fit(table, job.request, job.progress, helpers)
    helpers.forget()
    return fitted


def _helpers(job: Job[TrainingRequest], store: Store, table: Table) -> SharedSearch | None:
    """The pods that share the search; None where this one is alone."""
    rank = rank_of(job.request, job.environ)
    if rank is None:
        return None
    return SharedSearch(store, job.request, table.raw_sha256, job.row_key, rank, job.progress)


def _help(job: Job[TrainingRequest]) -> None:
    """A pod other than the first: it searches its part, unless the training is done or needs no search."""
    store = Store(job.tracking_uri)
    if already_registered(store, job.request, job.row_key) or decide(job.request, job.data).external:
        job.progress("there is nothing to search")
        return
    table = load(job.request, job.environ, data=job.data)
    if helpers := _helpers(job, store, table):
        help_searching(table, job.request, helpers, job.progress)


def _by_own_trainer(job: Job[TrainingRequest], table: Table) -> Fitted:
    with exchanged(job, table) as exchange:
        job.progress(f"judging what {job.request.training.trainer} returned, on rows that it never had")
        return judge(table, job.request, exchange)


def prepare_own(job: Job[TrainingRequest]) -> None:
    """The first container of a pod with a trainer of one's own. Raises TrainerError."""
    table = load(job.request, job.environ, data=job.data)
    prepare_in_pod(table, job.request, job.environ)
    job.progress(f"rows are prepared for {job.request.training.trainer}")


def _from_sums(job: Job[TrainingRequest], scale: Scale) -> Learnt:
    from heart_trainer.external.train import train_external  # noqa: PLC0415  a third of a second that most need not spend

    request, place = job.request, place_of(job.request.training, job.environ)
    if place:
        from heart_trainer.external.distributed import lead  # noqa: PLC0415

        found = lead(request, place, scale, job.environ, job.data, job.progress)
    else:
        found = train_external(request, contract_of(request, job.data), scale, job.environ, job.progress)
    oof = out_of_fold(found.table, found.fitted.oof).model_copy(update={"complete": False})
    checks, compared = _by_rows(job, found.table, found.fitted, found.measured)
    return Learnt(found.table, found.fitted, found.measured, found.profile, oof, (*checks, scale.finding), compared)


def _by_rows(
    job: Job[TrainingRequest], table: Table, fitted: Fitted, measured: Measurement
) -> tuple[tuple[Finding, ...], Callable[[ServingModel], Comparison]]:
    """The checks of a training that has rows at hand, and its comparison with the serving version on those rows."""
    request = job.request
    checks = training_findings(table, request.features, request.target, measured.metrics, fitted)

    def compared(serving: ServingModel) -> Comparison:
        return compare(table, request.features, fitted.oof, serving, run_onnx, request.training.seed)

    return (*checks, *table.findings), compared


def _evaluate(job: Job[R], store: Store, learnt: Learnt, rows_sha256: str, profile_sha256: str) -> Evaluation:
    def compared(version: ServingReference) -> Comparison:
        return learnt.compare(serving_model(store, job.request.registry_name, version, job.row_key))

    found = compare_with_serving(job, compared)
    algorithm = learnt.fitted.algorithm
    return build_evaluation(learnt.table, algorithm, learnt.measured, learnt.checks, found, profile_sha256, rows_sha256)


def build_package(
    request: ModelRequest, table: Table, fitted: Fitted, metrics: dict[str, Estimate], profile: ReferenceProfile
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
        explanation=(
            by_answers(table)
            if fitted.pipeline is None
            else build_explanation(fitted.pipeline, table, request.features)
        ),
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


def _keep(job: Job[R], store: Store, run_id: str, product: Product) -> TrainingResult:
    request, table, fitted, evaluation = job.request, product.table, product.fitted, product.evaluation
    job.progress("writing figures, model card and model to MLflow")
    digests = Digests(
        artifact=sha256(product.model),
        evaluation=sha256(product.documents[EVALUATION_PATH]),
        dataset=table.raw_sha256,
        contract=contract_sha256(read_package(product.model)),
    )
    provenance = Provenance(run_id, digests.artifact, digests.evaluation, job.today)
    values = figures(evaluation) | family_values(table, fitted)
    store.log_values(run_id, parameters(request, table, fitted), values)
    log_dataset(store, run_id, request, table)
    model_id = log_model(store, run_id, product.model, table)
    plots = product.drawn()
    card = render_card(request, table, fitted, evaluation, plots, provenance, product.influence, product.sites)
    log_files(store, run_id, lambda folder: write_files(folder, fitted, product.documents, card, plots))
    if job.out:
        write(job.out, {CARD_PATH: card.encode(), MODEL_FILE: product.model, **product.documents})
    return register(store, request, run_id, model_id, digests, job.row_key)
