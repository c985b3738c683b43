"""The model card: one HTML file, images inline, that a clinician reads in five minutes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from heart_api.contract import Feature
from heart_api.evaluation import Evaluation, Task
from heart_api.handover import ModelRequest
from heart_trainer.evaluation.families import estimates_of, measure_families
from heart_trainer.evaluation.metrics import THRESHOLD, wilson
from heart_trainer.package.influence import Influence
from heart_trainer.redaction import source_of
from heart_trainer.report import wording as words
from heart_trainer.report.pages import inline_image, render_page
from heart_trainer.values import Fitted, Table

GROUP_METRICS = {
    "binary": ("recall", "precision", "roc_auc", "brier"),
    "multiclass": ("accuracy", "recall", "brier"),
    "regression": ("rmse", "mae", "r2"),
}
CAPTIONS = {
    "calibration": "Dots on the dashed line: the stated probability is the share that was observed. "
    "Below, how many rows got which probability.",
    "decision_curve": "Where the blue line is highest, acting on the model does more good than acting on everyone or "
    "on no one, for a reader who would act from that risk on.",
    "roc": "The further the line bends to the upper left, the better the ranking.",
    "precision_recall": "What more recall costs in false alarms.",
    "confusion": "How many cases of each true class got which answer; percentages are of the true class.",
    "predicted_actual": "Dots on the dashed line are exact predictions.",
    "residuals": "Errors should scatter evenly around the line.",
    "distributions": "What the model was trained on; each class is drawn to the same area.",
    "families": "Diamonds: all rows; dots: each fold; blue: the family that was chosen.",
    "correlation": "Spearman's rank correlation between the columns.",
}
FAMILY_METRICS: dict[Task, tuple[str, ...]] = {
    "binary": ("roc_auc", "pr_auc", "accuracy", "brier"),
    "multiclass": ("accuracy", "roc_auc", "brier"),
    "regression": ("rmse", "mae", "r2"),
}
MOST_INPUTS = 20
"""Inputs whose influence is told."""


@dataclass(frozen=True)
class SiteRow:
    """A site of a federated training, as the card tells of it. `without`: columns of which it holds no value."""

    name: str
    rows: int
    minimum_cell: int
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sites:
    """Who took part in a federated training, and (name, why) of those who did not."""

    rows: tuple[SiteRow, ...]
    missing: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Provenance:
    """The run, files and date of the training that the card describes; digests are `sha256:<hex>`."""

    run_id: str
    artifact_sha256: str
    evaluation_sha256: str
    trained: date


def render_card(
    request: ModelRequest,
    table: Table,
    fitted: Fitted,
    evaluation: Evaluation,
    plots: Mapping[str, bytes],
    provenance: Provenance,
    influence: Influence | None = None,
    sites: Sites | None = None,
) -> str:
    """The card as HTML; text of the resource is escaped."""
    names = words.class_names(table.classes, request.target)
    return render_page(
        "model_card.html",
        request=request,
        dataset=source_of(request),
        table=table,
        evaluation=evaluation,
        provenance=provenance,
        classes=names,
        counts=_counts(table, names),
        sentences=[*words.in_plain_language(evaluation, names, request.target), *_false_alarms(table, fitted, names)],
        calibration=words.calibration(evaluation.metrics) if evaluation.task == "binary" else None,
        gaps=_gaps(evaluation),
        sites=sites,
        influence=influence,
        most_inputs=MOST_INPUTS,
        unit=words.UNITS[influence.unit] if influence else "",
        group_metrics=GROUP_METRICS[evaluation.task],
        method=_method(request, fitted, len(fitted.oof.choices), table.whole is None),
        families=_families(table, fitted),
        families_out_of_fold=bool(fitted.oof.families),
        family_metrics=[words.title(metric) for metric in FAMILY_METRICS[table.task]],
        contract=[_contract_row(feature) for feature in request.features],
        coded=[feature.name for feature in request.features if is_coded(feature)],
        figures=[(name, CAPTIONS.get(name, ""), inline_image(png)) for name, png in plots.items()],
    )


def _families(table: Table, fitted: Fitted) -> list[tuple[str, bool, list[str]]]:
    """(family, whether it was chosen, its figures as text); empty if there was no choice."""
    if len(fitted.families) < 2:
        return []
    measured = measure_families(table.task, estimates_of(fitted.oof, table.y) or fitted.families)
    return [
        (
            name,
            name == fitted.algorithm,
            [words.number(found[m]) if m in found else "" for m in FAMILY_METRICS[table.task]],
        )
        for name, found in measured.items()
    ]


def _counts(table: Table, names: tuple[str, ...]) -> list[tuple[str, int]]:
    if table.whole:
        return list(zip(names, table.whole.class_counts, strict=True)) if table.whole.class_counts else []
    return [(name, int((table.y == index).sum())) for index, name in enumerate(names)]


def _false_alarms(table: Table, fitted: Fitted, names: tuple[str, ...]) -> Iterator[str]:
    if table.task == "binary":
        flagged = fitted.oof.output[fitted.oof.judged & (table.y == 0), 1] >= THRESHOLD
        low, high = wilson(float(flagged.mean()), len(flagged))
        yield words.false_alarms(float(flagged.mean()), float(low), float(high), names[1])


def _gaps(evaluation: Evaluation) -> list[tuple[bool, str]]:
    """(certain, sentence), the gaps that are more than chance first."""
    told = GROUP_METRICS[evaluation.task]
    found = [(gap.gap.low > 0, words.gap_sentence(gap)) for gap in evaluation.gaps if gap.metric in told]
    return sorted(found, key=lambda item: not item[0])


def is_coded(feature: Feature) -> bool:
    """Whether the feature is a category whose values are all integer codes."""
    return feature.type == "category" and all(isinstance(value, int) for value in feature.values or ())


def _contract_row(feature: Feature) -> dict[str, Any]:
    allowed = ", ".join(map(str, feature.values)) if feature.values else _bounds(feature)
    if feature.type == "boolean":
        allowed = "true, false"
    return {
        "name": feature.name,
        "type": feature.type,
        "allowed": allowed,
        "unit": feature.unit or "",
        "required": "yes" if feature.required else "no, a missing value is imputed",
        "description": feature.description or "",
    }


def _bounds(feature: Feature) -> str:
    low, high = feature.minimum, feature.maximum
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"{low:g} or more"
    return f"{high:g} or less" if high is not None else "any number"


def _method(request: ModelRequest, fitted: Fitted, folds: int, in_memory: bool) -> str:
    training = request.training
    if training.trainer:
        return _own_method(request)
    trials = training.tuning.trials
    search = f"a search of up to {trials} settings for each family" if trials else "default settings"
    chosen = ", ".join(sorted({choice.algorithm for choice in fitted.oof.choices}))
    calibrated = "" if fitted.calibration == "none" else f" Its probabilities were calibrated ({fitted.calibration})."
    judged = (
        f"{training.holdout:.0%} of the rows were kept out by a stable hash, and the figures are of those rows"
        if training.holdout
        else f"the rows were split into {folds} folds, and every row was judged by a model that had not seen it"
    )
    return (
        f"A {fitted.algorithm} model.{calibrated} For the figures, {judged}; imputation, scaling, {search}, the "
        f"choice of the family ({chosen}) and calibration all happened without the rows that were judged. Equal rows "
        "were kept together. The model that serves was then fitted on all rows that were not kept out. Intervals are "
        f"95% bootstrap intervals over {'distinct rows' if in_memory else 'rows'}. Seed {training.seed}."
    )


def _own_method(request: ModelRequest) -> str:
    training = request.training
    image = f" (image {request.trainer_image})" if request.trainer_image else ""
    return (
        f"A model of the trainer {training.trainer}{image}, which is not a part of HeartOps. It never got the "
        f"{training.holdout:.0%} of the rows that a stable hash kept out: the figures are of those rows, and of the "
        "very file that serves. Equal rows were kept together. Intervals are 95% bootstrap intervals over distinct "
        f"rows. Seed {training.seed}."
    )
