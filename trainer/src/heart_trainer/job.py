"""One training, from the request to the registered version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Generic, TypeVar

from heart_operator.api.evaluation import CARD_PATH, EVALUATION_PATH, Comparison, Evaluation, Finding
from heart_operator.api.handover import Env, JobRequest, Tag, TrainingRequest, TrainingResult
from heart_operator.api.package import ServingPackage
from heart_trainer.card import Provenance, render_card
from heart_trainer.compare import NotComparable, compare, out_of_fold
from heart_trainer.data import load
from heart_trainer.evaluate import judged_sample, measure
from heart_trainer.explanation import build_explanation
from heart_trainer.export import attach_package, output_scale, run_onnx
from heart_trainer.findings import method_findings, not_compared
from heart_trainer.influence import Influence, measure_influence
from heart_trainer.mlflow_store import Store, without_password
from heart_trainer.plot_style import Subject
from heart_trainer.plots import draw_plots
from heart_trainer.profile import build_profile
from heart_trainer.reference import reference_rows
from heart_trainer.registry import Digests, already_registered, claim, register, sha256
from heart_trainer.serving_version import serving_model
from heart_trainer.tracking import as_json, documents, figures, log_dataset, log_model, parameters, write_files
from heart_trainer.train import fit
from heart_trainer.values import Fitted, Table
from heart_trainer.words import class_names

Progress = Callable[[str], None]
R = TypeVar("R", bound=JobRequest)


@dataclass(frozen=True)
class Job(Generic[R]):
    """A request and where it runs. `data`: a local file in place of the dataset's URI; `out`: where copies go."""

    request: R
    environ: Mapping[str, str]
    tracking_uri: str
    today: date
    progress: Progress
    data: Path | None = None
    out: Path | None = None

    @property
    def row_key(self) -> str:
        return self.environ.get(Env.ROW_KEY, "")


@dataclass(frozen=True)
class Trained:
    """What a Job of either kind made; `evaluation` is None when an earlier pod had already registered the version."""

    result: TrainingResult
    evaluation: Evaluation | None


@dataclass(frozen=True)
class Product:
    """All that a training made, before any of it is stored."""

    table: Table
    fitted: Fitted
    evaluation: Evaluation
    influence: Influence | None
    model: bytes
    documents: dict[str, bytes]


def train(job: Job[TrainingRequest]) -> Trained:
    """Train and register at most one version for the request's trigger. Raises TrainerError."""
    request = job.request
    job.progress(f"opening MLflow at {without_password(job.tracking_uri)}")
    store = Store(job.tracking_uri)
    claim(store, request)
    found = already_registered(store, request, job.row_key)
    if found:
        job.progress(f"version {found.version} was already registered for this trigger; nothing to train")
        return Trained(found, None)
    experiment = store.experiment(request.registry_name)
    store.close_running(experiment, Tag.TRIGGER, request.trigger)
    tags = {Tag.TRIGGER: request.trigger, Tag.JOB: request.job, Tag.MODEL: f"{request.namespace}/{request.name}"}
    with store.run(experiment, request.job or request.name, tags) as run_id:
        product = _make(job, store)
        result = _keep(job, store, run_id, product)
    return Trained(result, product.evaluation)


def _make(job: Job[TrainingRequest], store: Store) -> Product:
    request = job.request
    table = load(request, job.environ, data=job.data)
    job.progress(f"{len(table)} rows and {len(request.features)} features pass the data contract")
    fitted = fit(table, request, job.progress)
    job.progress("measuring out of fold, with bootstrap intervals")
    rows = as_json(out_of_fold(table, fitted.oof))
    profile = as_json(build_profile(table, request.features, fitted.oof))
    evaluation = _evaluate(job, store, table, fitted, sha256(rows), sha256(profile))
    package = _package(request, table, fitted, evaluation)
    job.progress("measuring what moves the answers")
    influence = measure_influence(fitted.onnx, package, table)
    files = documents(as_json(evaluation), rows, profile)
    return Product(table, fitted, evaluation, influence, attach_package(fitted.onnx, package), files)


def _evaluate(
    job: Job[TrainingRequest], store: Store, table: Table, fitted: Fitted, rows_sha256: str, profile_sha256: str
) -> Evaluation:
    request = job.request
    measured = measure(table, request.features, fitted.oof, request.training.seed)
    comparison, remarks = _compare(job, store, table, fitted)
    checks = method_findings(table, request.features, measured.metrics, fitted.parity / output_scale(table))
    return Evaluation(
        task=table.task,
        algorithm=fitted.algorithm,
        dataset_sha256=table.raw_sha256,
        synthetic=table.synthetic,
        rows=len(table),
        duplicates=table.duplicates,
        metrics=measured.metrics,
        slices=measured.slices,
        gaps=measured.gaps,
        comparison=comparison,
        findings=(*checks, *remarks),
        out_of_fold_sha256=rows_sha256,
        reference_profile_sha256=profile_sha256,
    )


def _compare(
    job: Job[TrainingRequest], store: Store, table: Table, fitted: Fitted
) -> tuple[Comparison | None, tuple[Finding, ...]]:
    request = job.request
    if request.serving is None:
        return None, ()
    job.progress(f"comparing with version {request.serving.version}, which serves")
    try:
        serving = serving_model(store, request.registry_name, request.serving, job.row_key)
        seed = request.training.seed
        return compare(table, request.features, fitted.oof, serving, run_onnx, seed), ()
    except NotComparable as why:
        return None, (not_compared(request.serving.version, str(why)),)


def _package(request: TrainingRequest, table: Table, fitted: Fitted, evaluation: Evaluation) -> ServingPackage:
    return ServingPackage(
        registry_name=request.registry_name,
        task=table.task,
        algorithm=fitted.algorithm,
        features=request.features,
        target=request.target,
        classes=table.classes,
        synthetic=table.synthetic,
        metrics=evaluation.metrics,
        reference=reference_rows(fitted.onnx, table),
        explanation=build_explanation(fitted.pipeline, table, request.features),
    )


def _keep(job: Job[TrainingRequest], store: Store, run_id: str, product: Product) -> TrainingResult:
    request, table, fitted, evaluation = job.request, product.table, product.fitted, product.evaluation
    job.progress("writing figures, model card and model to MLflow")
    names = class_names(table.classes, request.target)
    sample = judged_sample(table, fitted.oof)
    plots = draw_plots(Subject(table, request.features, sample, names, request.target.name))
    digests = Digests(sha256(product.model), sha256(product.documents[EVALUATION_PATH]), table.raw_sha256)
    provenance = Provenance(run_id, digests.artifact, digests.evaluation, job.today)
    card = render_card(request, table, fitted, evaluation, plots, provenance, product.influence)
    store.log_values(run_id, parameters(request, table, fitted), figures(evaluation))
    log_dataset(store, run_id, request, table)
    with TemporaryDirectory() as temporary:
        write_files(Path(temporary), fitted, product.documents, card, plots)
        store.log_folder(run_id, Path(temporary))
    if job.out:
        _copy(job.out, card, product)
    model_id = log_model(store, run_id, product.model, table)
    return register(store, request, run_id, model_id, digests, job.row_key)


def _copy(out: Path, card: str, product: Product) -> None:
    for path, data in {CARD_PATH: card.encode(), "model.onnx": product.model, **product.documents}.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(data)
