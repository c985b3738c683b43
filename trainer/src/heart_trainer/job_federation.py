"""One federated training, from the request to the registered version: the rows stay at the sites."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import cast

from heart_api.evaluation import Comparison, Finding, OutOfFold
from heart_api.federation import FederatedTrainingRequest
from heart_api.training import Algorithm, Scoring
from heart_trainer.errors import DataInvalid, TrainerError
from heart_trainer.evaluation.compare import NotComparable, ServingModel
from heart_trainer.evaluation.evaluate import Measurement
from heart_trainer.evaluation.findings import better_than_chance, onnx_parity, positive_class
from heart_trainer.evaluation.leaks import given_away
from heart_trainer.external.learned import Learned
from heart_trainer.external.train import LOGISTIC, RIDGE, linear, profile_of
from heart_trainer.federation.families import FOREST, choose_families
from heart_trainer.federation.federate import Federation, SitesLost, attempt, folds_key, with_the_rest
from heart_trainer.federation.synthetic_rows import synthesize
from heart_trainer.fit import calibrate
from heart_trainer.fit.families import Setting
from heart_trainer.fit.onnx_export import export
from heart_trainer.fit.scoring import scorer
from heart_trainer.job import Job, JobResult
from heart_trainer.job_training import Learnt, train_and_register
from heart_trainer.report.card import SiteRow, Sites
from heart_trainer.sums.additive import Sums, total
from heart_trainer.sums.evaluation import measure
from heart_trainer.sums.paired import FoldModels, PairedRequest, compare_tables
from heart_trainer.sums.split import cross_validation, hold_out
from heart_trainer.sums.study import Study
from heart_trainer.values import Fitted, OutOfFoldResult, Table

OpenFederation = Callable[[], AbstractContextManager[Federation]]
SITES = "sites"


def run_federated(job: Job[FederatedTrainingRequest], open_federation: OpenFederation) -> JobResult:
    """Train with the sites and register at most one version for the request's trigger. Raises TrainerError."""
    with open_federation() as federation:
        try:
            found = train_and_register(job, lambda: _learn(job, federation))
        except TrainerError as error:
            if error.permanent:  # else the Job tries again, and the sites wait for it
                federation.end()
            raise
        federation.end()
    result = found.result.model_copy(update={"sites": federation.results or None})
    return JobResult(result, found.evaluation)


def _learn(job: Job[FederatedTrainingRequest], federation: Federation) -> Learnt:
    request = job.request
    _check_possible(request)
    job.progress(f"waiting for {len(request.sites)} sites")
    federation.join()
    study = study_of(request, federation)
    job.progress(f"{sum(site.rows for site in federation.sites)} rows at {len(federation.sites)} sites")
    learned, answers = with_the_rest(lambda: _study(request, study, federation), federation)
    measured = _measure(learned, answers, federation)
    here = {site.title: federation.joined[site.title] for site in federation.sites}
    table, oof = synthesize(learned, request.features, here)
    fitted = _fitted(job, learned, table, oof)
    return Learnt(
        table,
        fitted,
        measured,
        profile_of(request.features, learned, table.classes),
        _out_of_fold(request, learned, table),
        _checks(request, table, fitted, measured, federation),
        lambda serving: _compare(request, learned, table, federation, serving),
        _sites(federation),
    )


def _study(request: FederatedTrainingRequest, study: Study, federation: Federation) -> tuple[Learned, dict[str, Sums]]:
    """Raises SitesLost or SitesFailed."""
    studied = attempt(study, federation)
    algorithms = request.training.algorithms or ()
    if FOREST not in algorithms:
        return linear(studied.trained), studied.answers
    return choose_families(studied, federation, only_forest=family_of(request) not in algorithms)


def _check_possible(request: FederatedTrainingRequest) -> None:
    """Raises DataInvalid. A forest is grown on request alone: trees say more of single rows than sums do."""
    family, offered = family_of(request), request.training.algorithms
    known = {family} if request.training.task == "regression" else {family, FOREST}
    if offered is not None and not known & set(offered):
        trained = " and ".join(sorted(known))
        raise DataInvalid(
            f"spec.training.algorithms names {', '.join(offered)}; a federation trains {trained}: add it."
        )


def family_of(request: FederatedTrainingRequest) -> Algorithm:
    return "ridge" if request.training.task == "regression" else "logistic-regression"


def study_of(request: FederatedTrainingRequest, federation: Federation) -> Study:
    """As a training from sums in one pod has it; the search looks at all rows."""
    training, first = request.training, federation.joined[federation.sites[0].title]
    regression = first.task == "regression"
    rows = sum(site.rows for site in federation.sites)
    return Study(
        features=request.features,
        regression=regression,
        split=hold_out(training.holdout) if training.holdout else cross_validation(training.cross_validation.folds),
        penalties=(RIDGE if regression else LOGISTIC)[: max(1, training.tuning.trials)],
        methods=("none",) if regression else calibrate.methods(training.calibration, rows),
        scoring=cast(Scoring, scorer(training.scoring, first.task)[0]),
        seed=training.seed,
        target=request.target.name,
    )


def _measure(learned: Learned, answers: dict[str, Sums], federation: Federation) -> Measurement:
    """With each site as a group of its own, so that `maxGap` says something about sites."""
    names = federation.names
    by_site = {names[title]: sums for title, sums in answers.items()}
    return measure(learned.request, learned.tables, learned.study.seed, by_site)


def _fitted(job: Job[FederatedTrainingRequest], learned: Learned, table: Table, oof: OutOfFoldResult) -> Fitted:
    last = learned.choices[-1]
    model = learned.estimator(Setting(job.request.features, learned.study.regression, job.request.training.seed))
    job.progress(f"converting {last.algorithm} to ONNX and comparing outputs")
    converted, parity = export(model, table, job.request.training.seed)
    return Fitted(last.algorithm, last.params, last.calibration, model, oof, converted, parity)


def _out_of_fold(request: FederatedTrainingRequest, learned: Learned, table: Table) -> OutOfFold:
    models = FoldModels(learned.study.split, folds_key(request), request.features, learned.request.models)
    return OutOfFold(task=table.task, predictions={}, complete=False, fold_models=models.dump())


def _checks(
    request: FederatedTrainingRequest, table: Table, fitted: Fitted, measured: Measurement, federation: Federation
) -> tuple[Finding, ...]:
    return (
        _leakage(federation),
        *better_than_chance(measured.metrics),
        _duplicates(table),
        *positive_class(table, request.target),
        onnx_parity(fitted.parity),
        *_missing(federation),
    )


def _leakage(federation: Federation) -> Finding:
    """Each site looks for columns that give the target away among its own rows."""
    names = sorted({name for site in federation.sites for name in federation.joined[site.title].telling})
    if names:
        return Finding(name="leakage", verdict="Failed", message=given_away(names))
    return Finding(name="leakage", verdict="Passed", message="no column alone gives the target away at any site")


def _duplicates(table: Table) -> Finding:
    message = (
        f"about {round(table.duplicates * table.all_rows / len(table))} of {table.all_rows} rows repeat another one"
    )
    return Finding(name="duplicates", verdict="Passed", message=f"{message} of their site (equal rows share a fold)")


def _missing(federation: Federation) -> tuple[Finding, ...]:
    """Says so where a site that was asked is not in the model, or holds no value of a column."""
    found = [f"{site.title} did not take part: {_why(site.refused)}" for site in federation.dropped]
    for site in federation.sites:
        if without := federation.joined[site.title].without:
            found.append(f"{site.title} holds no value of {', '.join(without)}, which was imputed")
    if not found:
        return ()
    return (Finding(name=SITES, verdict="InsufficientEvidence", message="; ".join(found)),)


def _why(refused: object) -> str:
    return str(getattr(refused, "message", "")) or "it did not answer"


def _sites(federation: Federation) -> Sites:
    cells = {f"{site.namespace}/{site.name}": site.minimum_cell for site in federation.request.sites}
    rows = tuple(
        SiteRow(site.title, site.rows, cells[site.title], federation.joined[site.title].without)
        for site in federation.sites
    )
    return Sites(rows, tuple((site.title, _why(site.refused)) for site in federation.dropped))


def _compare(
    request: FederatedTrainingRequest, learned: Learned, table: Table, federation: Federation, serving: ServingModel
) -> Comparison:
    """Both versions' models of each fold, on the rows of that fold, which neither has learnt. Raises NotComparable."""
    theirs = _fold_models(serving)
    own = learned.study.split, folds_key(request)
    if serving.package.task != table.task or serving.package.classes != table.classes:
        raise NotComparable("it answers another question (task or classes differ)")
    if (theirs.split, theirs.folds_key) != own or [_encoding(f) for f in theirs.features] != [
        _encoding(f) for f in request.features
    ]:
        raise NotComparable("its folds or its columns are others (spec.training or spec.features have changed since)")
    asked = PairedRequest(learned.study.split, learned.request.models, theirs.models, learned.request.scale)
    try:
        summed = total(asked.schema(), federation.sum(asked).values())
    except SitesLost as lost:
        raise NotComparable("a site was lost before its rows were compared") from lost
    metrics = compare_tables(summed, request.training.seed)
    return Comparison(against=serving.reference, metrics=metrics, rows_unseen_by_serving=0)


def _encoding(feature: object) -> tuple[object, ...]:
    return tuple(getattr(feature, name) for name in ("name", "type", "values"))


def _fold_models(serving: ServingModel) -> FoldModels:
    if serving.oof.fold_models is None:
        raise NotComparable(
            "it was trained on rows in one place, and which of the sites' rows it has learnt is unknown"
        )
    try:
        return FoldModels.read(serving.oof.fold_models)
    except ValueError as error:
        raise NotComparable("its evaluation was written by a version of HeartOps that cannot be read here") from error
