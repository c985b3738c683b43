"""A training on data that are read in chunks, by one worker or by several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from heart_api.contract import Feature
from heart_api.handover import TrainingRequest
from heart_api.referenceprofile import ReferenceProfile
from heart_api.training import Scoring
from heart_trainer.data.contract import CheckedRows, Contract
from heart_trainer.data.findings import file_findings
from heart_trainer.data.load import readable, row_key, with_target
from heart_trainer.data.rowgroups import Share
from heart_trainer.data.rows import equal_rows, row_keys
from heart_trainer.data.sources.stored import digest_of
from heart_trainer.data.stream import how_read, read_chunks
from heart_trainer.evaluation.evaluate import Measurement
from heart_trainer.external.decide import Scale
from heart_trainer.external.learned import Learned, Progress, ask
from heart_trainer.external.peers import ALONE, Peers, gather_values
from heart_trainer.external.prepared import Prepared, prepare_rows
from heart_trainer.fit import calibrate
from heart_trainer.fit.calibrate import CalibratedModel
from heart_trainer.fit.families import Setting
from heart_trainer.fit.offset import ShiftedModel
from heart_trainer.fit.onnx_export import export
from heart_trainer.fit.scoring import scorer
from heart_trainer.package.profile import PERCENTILES
from heart_trainer.sums.driver import (
    Choosing,
    Describing,
    Evaluating,
    FittedOwner,
    Fitting,
    Ranging,
    Searching,
    Solving,
    State,
    Trained,
    start,
    step,
)
from heart_trainer.sums.evaluation import judged_cells
from heart_trainer.sums.pipeline import fitted_pipeline, named
from heart_trainer.sums.profile import build_profile, score_percentiles
from heart_trainer.sums.scores import Cells
from heart_trainer.sums.split import cross_validation, hold_out
from heart_trainer.sums.study import Study, needs_double
from heart_trainer.values import Fitted, FoldChoice, OutOfFoldResult, Table, Whole

SEARCH_ROWS = 50_000
SEARCH_EVENTS = 1000
"""Penalty and calibration are chosen on about so many rows, and so many of the rarer class; models learn from all."""
LOGISTIC = (10.0, 1000.0, 100.0, 1.0, 0.1, 0.01)
RIDGE = (1.0, 1e-3, 0.1, 10.0, 100.0, 1000.0)
"""Penalties to choose from, the family's default first; no more than tuning.trials."""
PASSES: dict[type[State], str] = {
    Ranging: "ranges",
    Describing: "moments and histograms",
    Searching: "a Newton step of the search",
    Solving: "normal equations",
    Choosing: "scores of the search",
    Fitting: "a Newton step of the fit",
    Evaluating: "evaluation",
}


@dataclass(frozen=True)
class ExternalResult:
    """`table`: a sample of the rows, whose size and classes in all are in `table.whole`."""

    table: Table
    fitted: Fitted
    measured: Measurement
    profile: ReferenceProfile


@dataclass(frozen=True)
class Source:
    """Where the rows came from."""

    sha256: str
    read_as: str
    synthetic: bool


def train_external(
    request: TrainingRequest,
    contract: Contract,
    scale: Scale,
    environ: Mapping[str, str],
    progress: Progress,
) -> ExternalResult:
    """By one worker. Raises TrainerError."""
    sha256 = digest_of(scale.files, request.dataset)
    prepared, learned = learn(request, contract, scale, environ, ALONE, progress)
    return finish(request, contract, scale, sha256, prepared, learned, environ, progress)


def learn(
    request: TrainingRequest,
    contract: Contract,
    scale: Scale,
    environ: Mapping[str, str],
    peers: Peers,
    progress: Progress,
) -> tuple[Prepared, Learned]:
    """What all workers do. Of the prepared rows only the sample is left. Raises TrainerError."""
    with TemporaryDirectory() as folder:
        chunks = read_chunks(scale.files, contract, Share(peers.rank, peers.count))
        prepared = prepare_rows(chunks, contract, request, row_key(environ), scratch(folder), peers)
        progress(f"{prepared.rows} rows and {len(request.features)} features pass the data contract")
        study = study_of(request, prepared, peers)
        return prepared, _train(request, scale, study, prepared, peers, progress)


def _train(
    request: TrainingRequest, scale: Scale, study: Study, prepared: Prepared, peers: Peers, progress: Progress
) -> Learned:
    if scale.family != "xgboost":
        return linear(run_study(study, prepared, peers, progress))
    from heart_trainer.external.trees import train_trees  # noqa: PLC0415  XGBoost takes a second to import

    return train_trees(request, study, prepared, peers, progress)


def finish(
    request: TrainingRequest,
    contract: Contract,
    scale: Scale,
    sha256: str,
    prepared: Prepared,
    learned: Learned,
    environ: Mapping[str, str],
    progress: Progress,
) -> ExternalResult:
    """What the first worker does alone: figures, the sample as a table, and the ONNX file. Raises TrainerError."""
    source = Source(sha256, how_read(scale.files, contract), scale.synthetic)
    table = _table(request, prepared, learned, environ, source)
    fitted = _fitted(request, learned, table, prepared, progress)
    progress("measuring rows that the models did not learn from, with bootstrap intervals")
    return ExternalResult(table, fitted, learned.measurement(), profile_of(request.features, learned, table.classes))


def scratch(folder: str) -> Path:
    """Where prepared rows are written."""
    return Path(folder) / "rows"


def study_of(request: TrainingRequest, prepared: Prepared, peers: Peers) -> Study:
    training, regression = request.training, prepared.task == "regression"
    penalties = (RIDGE if regression else LOGISTIC)[: max(1, training.tuning.trials)]
    split = hold_out(training.holdout) if training.holdout else cross_validation(training.cross_validation.folds)
    return Study(
        features=request.features,
        regression=regression,
        split=split,
        penalties=penalties,
        methods=("none",) if regression else calibrate.methods(training.calibration, prepared.rows),
        scoring=cast(Scoring, scorer(training.scoring, prepared.task)[0]),
        seed=training.seed,
        target=request.target.name,
        search_share=_search_share(prepared, peers),
    )


def _search_share(prepared: Prepared, peers: Peers) -> float:
    """Of all rows; of a rare class the search needs more than its share of SEARCH_ROWS."""
    share = SEARCH_ROWS / prepared.rows
    if prepared.task == "binary":
        positive = sum(gather_values(peers, sum(float(rows.y.sum()) for rows in prepared.chunks())))
        share = max(share, SEARCH_EVENTS / max(min(positive, prepared.rows - positive), 1.0))
    return min(1.0, share)


def run_study(study: Study, prepared: Prepared, peers: Peers, progress: Progress) -> Trained:
    """One pass over the prepared rows for each exchange."""
    following: Any = start(study)
    with threadpool_limits(1):
        while not isinstance(following, Trained):
            state, request = following
            following = step(state, ask(request, prepared, peers))
            progress(f"pass {state.exchanges} over the rows done: {PASSES[type(state)]}")
    return following


def linear(trained: Trained) -> Learned:
    """What is learnt where a linear model is trained."""
    regression = trained.study.regression
    double = needs_double(trained.study, trained.description)
    return Learned(
        trained.study,
        trained.description,
        trained.request,
        trained.tables,
        tuple(_choice(one, regression) for one in trained.owners),
        lambda setting: estimator_of(trained.final, setting, double),
    )


def _table(
    request: TrainingRequest,
    prepared: Prepared,
    learned: Learned,
    environ: Mapping[str, str],
    source: "Source",
) -> Table:
    sample = prepared.sample
    names = [feature.name for feature in request.features]
    checked = CheckedRows(pd.DataFrame(sample.encoded, columns=names), pd.Series(sample.target), tuple(sample.unused))
    rows = readable(checked.encoded, request.features)
    keys = row_keys(with_target(rows, request.target, checked.target), row_key(environ))
    x, regression = sample.encoded.astype(np.float32), prepared.task == "regression"
    return Table(
        rows=rows,
        x=x,
        y=sample.y if regression else sample.y.astype(np.int64),
        classes=prepared.classes,
        keys=keys,
        groups=equal_rows(x),
        raw_sha256=source.sha256,
        synthetic=source.synthetic,
        task=prepared.task,
        duplicates=len(keys) - len(set(keys)),
        reading=(source.read_as, f"figures of all rows; plots, explanations and checks of a sample of {len(keys)}"),
        findings=file_findings(checked, request.features),
        whole=Whole(prepared.rows, () if regression else _class_counts(learned)),
    )


def _class_counts(learned: Learned) -> tuple[int, int]:
    rows = learned.description.rows()
    positive = round(learned.description.target(tuple(range(learned.study.split.parts)))[0] * rows)
    return rows - positive, positive


def _fitted(request: TrainingRequest, learned: Learned, table: Table, prepared: Prepared, progress: Progress) -> Fitted:
    setting = Setting(request.features, learned.study.regression, request.training.seed)
    last = learned.choices[-1]
    model = learned.estimator(setting)
    progress(f"converting {last.algorithm} to ONNX and comparing outputs")
    converted, parity = export(model, table, request.training.seed)
    oof = _out_of_fold(learned, table, prepared)
    return Fitted(last.algorithm, last.params, last.calibration, model, oof, converted, parity)


def estimator_of(owner: FittedOwner, setting: Setting, double: bool) -> Any:
    """A fitted estimator like those of fit.search: a pipeline, calibrated or (regression) shifted."""
    pipeline = fitted_pipeline(owner.model, setting, owner.penalty)
    if setting.regression:
        return ShiftedModel(pipeline, owner.model.offset or 0.0, double)
    return CalibratedModel(pipeline, owner.calibrator) if owner.calibrator else pipeline


def _choice(owner: FittedOwner, regression: bool) -> FoldChoice:
    algorithm, params = named(regression, owner.penalty)
    return FoldChoice(algorithm, dict(params), owner.method)


def _out_of_fold(learned: Learned, table: Table, prepared: Prepared) -> OutOfFoldResult:
    split, judges = learned.study.split, len(learned.request.models)
    fold = split.fold_of(split.part_of(prepared.sample.draw))
    output = learned.request.out_of_fold(table.x, fold)
    columns = output[:, None] if learned.study.regression else np.column_stack([1 - output, output])
    return OutOfFoldResult(columns, fold, learned.choices[:judges])


def profile_of(features: tuple[Feature, ...], learned: Learned, classes: Sequence[int | str]) -> ReferenceProfile:
    description, names = learned.description, [str(name) for name in classes]
    cells = judged_cells(learned.request, learned.tables, range(len(learned.request.models)))
    if isinstance(cells, Cells):
        return build_profile(description, features, dict(zip(names, score_percentiles(cells), strict=True)))
    axis, counts = learned.request.outputs, learned.tables["outputs"]
    assert axis is not None  # of a regression
    return build_profile(description, features, {"value": axis.quantiles(counts, PERCENTILES).tolist()})
