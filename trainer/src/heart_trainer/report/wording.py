"""Figures in words that a clinician would use."""

from collections.abc import Iterator

from heart_api.contract import Target
from heart_api.evaluation import Estimate, Evaluation, Gap
from heart_api.explanation import Unit

FEWEST_EVENTS = 100
"""Below this many events nothing is claimed about calibration."""

LOWER_IS_BETTER = ("brier", "log_loss", "ece", "rmse", "mae")

METRICS = {
    "roc_auc": ("ROC-AUC", "how well cases are ranked: 0.5 is chance, 1 is perfect"),
    "pr_auc": ("PR-AUC", "precision averaged over all recalls"),
    "accuracy": ("Accuracy", "share of answers that are right"),
    "precision": ("Precision", "share of flagged cases that are true"),
    "recall": ("Recall (sensitivity)", "share of true cases that are flagged"),
    "f1": ("F1", "precision and recall in one figure"),
    "brier": ("Brier score", "mean squared error of the probabilities; lower is better"),
    "log_loss": ("Log loss", "how surprised the model is by the outcomes; lower is better"),
    "ece": ("Calibration error", "mean distance between stated and observed share; lower is better"),
    "calibration_slope": ("Calibration slope", "1 is right; below 1 the model is too sure of itself"),
    "net_benefit": ("Net benefit", "true cases found less false alarms, per case, at a threshold of 0.5"),
    "rmse": ("RMSE", "typical size of the error, large errors count more; lower is better"),
    "mae": ("Mean absolute error", "typical size of the error; lower is better"),
    "r2": ("R²", "share of the variation that is explained; 1 is perfect"),
}


UNITS: dict[Unit, str] = {
    "log-odds": "log-odds; near even odds, 0.4 is about 10 percentage points",
    "logit": "logits, averaged over the classes",
    "probability": "probability; 0.1 is 10 percentage points",
    "target": "the unit of what is predicted",
}
"""What sizes of contributions are counted in."""


def title(metric: str) -> str:
    return METRICS[metric][0] if metric in METRICS else metric


def figure(estimate: Estimate) -> str:
    return f"{number(estimate.estimate)} ({number(estimate.low)} to {number(estimate.high)})"


def number(value: float) -> str:
    """A number for the text: three decimals below 10, four significant digits below 1,000, whole numbers above."""
    return f"{value:z.3f}" if abs(value) < 10 else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def class_names(classes: tuple[int | str, ...], target: Target) -> tuple[str, ...]:
    """What the classes are called in figures: the labels, else the condition on the target column."""
    if all(isinstance(name, str) for name in classes):
        return tuple(map(str, classes))
    if target.positive_above is not None:
        return (f"{target.name} up to {target.positive_above:g}", f"{target.name} above {target.positive_above:g}")
    return tuple(f"{target.name} = {name}" for name in classes)


def in_plain_language(evaluation: Evaluation, classes: tuple[str, ...], target: Target) -> Iterator[str]:
    if evaluation.task == "binary":
        yield from _binary(evaluation.metrics, classes[1])
    elif evaluation.task == "multiclass":
        yield from _multiclass(evaluation.metrics, len(classes))
    else:
        yield from _regression(evaluation.metrics, target)


def _binary(metrics: dict[str, Estimate], positive: str) -> Iterator[str]:
    texts = {
        "recall": f"Of 100 cases with “{positive}”, it flags {{}}.",
        "precision": f"Of 100 cases that it flags, {{}} truly are “{positive}”.",
        "accuracy": "Of 100 answers, {} are right.",
        "roc_auc": f"Of 100 pairs of one case with “{positive}” and one without, it ranks {{}} the right way round.",
    }
    yield from (text.format(_of_hundred(metrics[name])) for name, text in texts.items() if name in metrics)


def false_alarms(share: float, low: float, high: float, positive: str) -> str:
    estimate = Estimate(n=0, estimate=share, low=low, high=high)
    return f"Of 100 cases without “{positive}”, it flags {_of_hundred(estimate)} all the same."


def _multiclass(metrics: dict[str, Estimate], classes: int) -> Iterator[str]:
    if "accuracy" in metrics:
        yield f"Of 100 answers among {classes} classes, {_of_hundred(metrics['accuracy'])} are right."
    if "recall" in metrics:
        yield f"Averaged over the classes, of 100 cases of a class it finds {_of_hundred(metrics['recall'])}."


def _regression(metrics: dict[str, Estimate], target: Target) -> Iterator[str]:
    unit = f" {target.unit}" if target.unit else ""
    if "mae" in metrics:
        mae = metrics["mae"]
        yield (
            f"A prediction of {target.name} is off by {number(mae.estimate)}{unit} on average "
            f"({number(mae.low)} to {number(mae.high)})."
        )
    if "r2" in metrics:
        share = metrics["r2"]
        yield f"It explains {share.estimate:.0%} ({share.low:.0%} to {share.high:.0%}) of the variation between cases."


def _of_hundred(estimate: Estimate) -> str:
    """Whole cases; the interval is widened to whole cases, never narrowed."""
    low, high = int(estimate.low * 100), -int(-estimate.high * 100 // 1)
    return f"about {estimate.estimate * 100:.0f} (between {low} and {min(high, 100)})"


def calibration(metrics: dict[str, Estimate]) -> str:
    """A sentence about calibration, or why the data do not support one."""
    if "calibration_slope" not in metrics or "ece" not in metrics:
        return "The calibration of the probabilities could not be measured."
    slope, error = metrics["calibration_slope"], metrics["ece"]
    if (slope.events or 0) < FEWEST_EVENTS:
        return (
            f"The data hold {slope.events} events; fewer than {FEWEST_EVENTS} do not support any claim about whether "
            "the probabilities can be taken at their word."
        )
    return (
        f"Stated probabilities and observed shares differ by about {error.estimate * 100:.1f} percentage points. "
        f"{_slope(slope)} (calibration slope {figure(slope)}; 1 is right)."
    )


def _slope(slope: Estimate) -> str:
    if slope.high < 1:
        return "The probabilities are too extreme: read 90% as somewhat less, 10% as somewhat more"
    if slope.low > 1:
        return "The probabilities are too cautious: read 70% as somewhat more, 30% as somewhat less"
    return "The probabilities are neither too extreme nor too cautious, as far as these data can tell"


def gap_sentence(gap: Gap) -> str:
    high, low = gap.groups
    worse = " (worse)" if gap.metric in LOWER_IS_BETTER else ""
    doubt = "" if gap.gap.low > 0 else " The data are too few to say whether this is more than chance."
    return (
        f"{title(gap.metric)} is {number(gap.gap.estimate)} ({number(gap.gap.low)} to {number(gap.gap.high)}) "
        f"higher{worse} for {gap.feature} {high} than for {gap.feature} {low}.{doubt}"
    )
