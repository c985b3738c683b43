"""Figures of a training, as PNG files. Drawn on Figure objects: no display, no global state."""

from collections.abc import Callable
from io import BytesIO
from typing import Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from heart_trainer.evaluation.metrics import THRESHOLD, Array, net_benefit, wilson
from heart_trainer.report.plot_style import COLOURS, MOST_CLASSES, STYLE, Subject, set_margins
from heart_trainer.report.plots_data import correlation, distributions

Layout = Literal["constrained"]


def draw_plots(subject: Subject, rows: bool = True) -> dict[str, bytes]:
    """The plots of the subject's task: PNG bytes by file name without `.png`.

    `rows`: whether its table holds rows. If not, what needs features beside outcomes, or single errors, is left out.
    """
    of_task = {"binary": BINARY, "multiclass": MULTICLASS, "regression": REGRESSION if rows else {}}
    painters = of_task[subject.table.task] | (COMMON if rows else {})
    with rc_context(STYLE):
        return {name: as_png(painter(subject)) for name, painter in painters.items()}


def as_png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def _square(title: str, x: str, y: str, layout: Layout | None = None) -> tuple[Figure, Axes]:
    """`layout`: constrained for axes whose numbers may be long."""
    figure = Figure(figsize=(5, 4.4), layout=layout)
    axes = figure.subplots()
    if layout is None:
        set_margins(figure, 0.75, 0.2, 0.6, 0.4)
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def roc(subject: Subject) -> Figure:
    figure, axes = _square("ROC curve", "False positive rate", "True positive rate (recall)")
    axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1)
    y, output = subject.sample.y, subject.sample.output
    curves = [(1, "")] if subject.table.task == "binary" else list(enumerate(subject.classes))[:MOST_CLASSES]
    for index, (c, name) in enumerate(curves):
        false, true, _ = roc_curve(y == c, output[:, c])
        area = float(np.trapezoid(true, false))
        label = f"{name} AUC {area:.3f}".strip()
        again = "--" if index >= len(COLOURS) else "-"
        axes.plot(false, true, color=COLOURS[index % len(COLOURS)], linestyle=again, linewidth=2, label=label)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.legend(loc="lower right", fontsize=8 if len(curves) > 4 else 10)
    return figure


def precision_recall(subject: Subject) -> Figure:
    figure, axes = _square("Precision and recall", "Recall", "Precision")
    y, p = subject.sample.y == 1, subject.sample.output[:, 1]
    precision, recall, _ = precision_recall_curve(y, p)
    axes.plot(recall, precision, color=COLOURS[0], linewidth=2, drawstyle="steps-post", label="model")
    axes.axhline(y.mean(), color="#999999", linestyle="--", linewidth=1, label=f"flag everyone ({y.mean():.2f})")
    axes.set(xlim=(-0.01, 1.01), ylim=(0, 1.02))
    axes.legend(loc="lower left")
    return figure


def calibration(subject: Subject) -> Figure:
    """Observed against predicted share in tenths of the rows, with Wilson intervals and the number of rows."""
    y, p = subject.sample.y == 1, subject.sample.output[:, 1]
    figure = Figure(figsize=(5, 5))
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    set_margins(figure, 0.85, 0.2, 0.6, 0.4, hspace=0.15)
    axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1, label="perfect")
    parts = [rows for rows in np.array_split(np.argsort(p), min(10, max(2, len(p) // 20))) if len(rows)]
    predicted, observed = (np.array([values[rows].mean() for rows in parts]) for values in (p, y.astype(float)))
    low, high = wilson(observed, np.array([len(rows) for rows in parts]))
    axes.errorbar(
        *(predicted, observed, (observed - low, high - observed)),
        **{"fmt": "o-", "color": COLOURS[0], "capsize": 2, "label": f"model ({len(parts)} groups of ≈{len(parts[0])})"},
    )
    axes.set(title="Calibration", ylabel="Observed share", xlim=(-0.01, 1.01), ylim=(-0.02, 1.02))
    axes.legend(loc="upper left")
    below.hist(p, bins=np.linspace(0, 1, 21), color=COLOURS[0], alpha=0.6)
    below.set(xlabel="Predicted probability", ylabel="Rows")
    return figure


def decision_curve(subject: Subject) -> Figure:
    """Net benefit of acting on the model, on everyone, on no one (Vickers and Elkin 2006)."""
    y, p = subject.sample.y, subject.sample.output[:, 1]
    thresholds = np.linspace(0.01, 0.99, 99)
    model, everyone = (np.array([net_benefit(y, q, t) for t in thresholds]) for q in (p, np.ones_like(p)))
    figure, axes = _square("Decision curve", "Risk from which one would act", "Net benefit")
    axes.plot(thresholds, model, color=COLOURS[0], linewidth=2, label="act on the model")
    axes.plot(thresholds, everyone, color=COLOURS[1], linewidth=1.5, linestyle="--", label="act on everyone")
    axes.axhline(0, color="#555555", linewidth=1.2, linestyle=":", label="act on no one")
    top = float(np.mean(y == 1))
    axes.set(xlim=(0, 1), ylim=(-0.15 * top, 1.1 * top))
    axes.legend()
    return figure


def confusion(subject: Subject) -> Figure:
    y, output = subject.sample.y, subject.sample.output
    chosen = output.argmax(axis=1) if len(subject.classes) > 2 else (output[:, 1] >= THRESHOLD).astype(int)
    counts = confusion_matrix(y, chosen, labels=range(len(subject.classes)))
    side = max(4.4, 0.55 * len(subject.classes) + 2)
    figure = Figure(figsize=(side + 0.3, side), layout="constrained")
    axes = figure.subplots()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names = [name[:14] for name in subject.classes]
    axes.set(title="Confusion (threshold 0.5)" if len(names) == 2 else "Confusion", xlabel="Predicted", ylabel="True")
    axes.set_xticks(range(len(names)), names, rotation=45 if len(names) > 4 else 0, ha="center")
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    for (row, column), count in np.ndenumerate(counts):
        text = f"{count}\n{share[row, column]:.0%}" if len(names) <= 6 else str(count)
        colour = "white" if share[row, column] > 0.5 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour)
    return figure


def predicted_actual(subject: Subject) -> Figure:
    names = f"True {subject.target}", f"Predicted {subject.target}"
    figure, axes = _square("Predicted and true values", *names, layout="constrained")
    y, predicted = np.asarray(subject.sample.y, dtype=float), subject.sample.output[:, 0]
    ends = (min(y.min(), predicted.min()), max(y.max(), predicted.max()))
    _cloud(axes, y, predicted)
    axes.plot(ends, ends, color="#555555", linestyle="--", linewidth=1)
    return figure


def residuals(subject: Subject) -> Figure:
    figure, axes = _square("Residuals", f"Predicted {subject.target}", "True less predicted", layout="constrained")
    predicted = subject.sample.output[:, 0]
    _cloud(axes, predicted, np.asarray(subject.sample.y, dtype=float) - predicted)
    axes.axhline(0, color="#555555", linestyle="--", linewidth=1)
    return figure


def _cloud(axes: Axes, x: Array, y: Array) -> None:
    """Draw a scatter plot of up to 2,000 points, a hexagonal density plot of more."""
    if len(x) <= 2000:
        axes.scatter(x, y, s=10, alpha=0.4, color=COLOURS[0], linewidths=0)
    else:
        axes.hexbin(x, y, gridsize=50, bins="log", mincnt=1, cmap="Blues", linewidths=0)


Painters = dict[str, Callable[[Subject], Figure]]
COMMON: Painters = {"distributions": distributions, "correlation": correlation}
BINARY: Painters = {
    "confusion": confusion,
    "calibration": calibration,
    "roc": roc,
    "precision_recall": precision_recall,
    "decision_curve": decision_curve,
}
MULTICLASS: Painters = {"confusion": confusion, "roc": roc}
REGRESSION: Painters = {"predicted_actual": predicted_actual, "residuals": residuals}
