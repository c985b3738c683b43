"""Figures of a training, as PNG files. Drawn on Figure objects: no display, no global state."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from heart_operator.api.contract import Feature
from heart_trainer.bootstrap import Sample
from heart_trainer.metrics import THRESHOLD, Array, net_benefit, wilson
from heart_trainer.values import Table

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
"""Okabe and Ito's palette: told apart by colour-blind readers too."""
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
}
MOST_FEATURES = 24
"""Columns shown in a heatmap or in the grid of distributions."""
MOST_CLASSES = 12
MOST_FILLED = 3
"""Histograms over each other that can be told apart when they are filled."""


@dataclass(frozen=True)
class Subject:
    """What the figures are about; `classes` are the names people use."""

    table: Table
    features: tuple[Feature, ...]
    sample: Sample
    classes: tuple[str, ...]
    target: str


def draw_plots(subject: Subject) -> dict[str, bytes]:
    """File name (without .png) → PNG bytes."""
    painters = {"binary": BINARY, "multiclass": MULTICLASS, "regression": REGRESSION}[subject.table.task] | COMMON
    with rc_context(STYLE):
        return {name: _png(painter(subject)) for name, painter in painters.items()}


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def _square(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def correlation(subject: Subject) -> Figure:
    """Spearman: ranks do not care about skewed laboratory values."""
    shown = subject.features[:MOST_FEATURES]
    frame = subject.table.rows[[feature.name for feature in shown]].copy()
    for index, feature in enumerate(shown):
        frame[feature.name] = subject.table.x[:, index]
    frame[subject.target] = subject.table.y
    names, values = list(frame.columns), frame.corr("spearman").to_numpy()
    size = max(4.5, 0.5 * len(names) + 1.5)
    figure = Figure(figsize=(size + 0.6, size), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(values, cmap="PuOr", vmin=-1, vmax=1)
    axes.set(title="Rank correlation", xticks=range(len(names)), yticks=range(len(names)), yticklabels=names)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.grid(visible=False)
    for (row, column), value in np.ndenumerate(values):
        if row != column and np.isfinite(value):
            colour = "white" if abs(value) > 0.6 else "black"
            axes.text(column, row, f"{value:z.1f}", ha="center", va="center", fontsize=7, color=colour)
    figure.colorbar(image, ax=axes, shrink=0.8)
    return figure


def distributions(subject: Subject) -> Figure:
    shown = subject.features[:MOST_FEATURES]
    columns = min(4, len(shown))
    lines = -(-len(shown) // columns)
    figure = Figure(figsize=(2.9 * columns, 2.3 * lines + 0.5), layout="constrained")
    grid = np.atleast_1d(figure.subplots(lines, columns, squeeze=False)).ravel()
    for index, (feature, axes) in enumerate(zip(shown, grid, strict=False)):
        axes.set_title(f"{feature.name} ({feature.unit})" if feature.unit else feature.name, fontsize=10)
        _distribution(axes, feature, subject.table.x[:, index], subject)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    handles, labels = grid[0].get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 6))
    return figure


def _distribution(axes: Axes, feature: Feature, column: NDArray[np.float32], subject: Subject) -> None:
    """Share of each class (or of all rows), so that a rare class can be compared with a common one."""
    parts: list[tuple[str, NDArray[np.float32]]] = [("rows", column)]
    if subject.classes:
        parts = [(name, column[subject.table.y == c]) for c, name in enumerate(subject.classes[:MOST_CLASSES])]
    parts = [(name, values[~np.isnan(values)]) for name, values in parts]
    if feature.type in ("category", "boolean"):
        _bars(axes, [str(value) for value in feature.values or ("no", "yes")], parts)
    else:
        _histogram(axes, parts)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _bars(axes: Axes, names: list[str], parts: list[tuple[str, NDArray[np.float32]]]) -> None:
    width = 0.8 / len(parts)
    for index, (label, values) in enumerate(parts):
        share = [np.mean(values == level) if len(values) else 0 for level in range(len(names))]
        places = np.arange(len(names)) + (index - (len(parts) - 1) / 2) * width
        axes.bar(places, share, width, label=label, color=COLOURS[index % len(COLOURS)])
    crowded = len(names) > 8
    axes.set_xticks(range(len(names)), [name[:10] for name in names], rotation=90 if crowded else 0, fontsize=8)


def _histogram(axes: Axes, parts: list[tuple[str, NDArray[np.float32]]]) -> None:
    known = np.concatenate([values for _, values in parts])
    if not len(known):
        return
    edges = _edges(known)
    for index, (label, values) in enumerate(parts):
        share = np.histogram(values, edges)[0] / max(len(values), 1)
        colour = COLOURS[index % len(COLOURS)]
        axes.stairs(share, edges, label=label, color=colour, linewidth=1.6)
        if len(parts) <= MOST_FILLED:
            axes.stairs(share, edges, fill=True, alpha=0.15, color=colour)


def _edges(known: NDArray[np.float32]) -> Array:
    """Bins of whole numbers for whole numbers, so that no bin is empty by construction."""
    low, high = float(known.min()), float(known.max())
    if np.any(known != known.round()):
        return np.asarray(np.histogram_bin_edges(known, bins=20))
    step = max(1, round((high - low) / 20))
    return np.arange(low, high + step + 1, step) - 0.5


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
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
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
    figure, axes = _square("Predicted and true values", f"True {subject.target}", f"Predicted {subject.target}")
    y, predicted = np.asarray(subject.sample.y, dtype=float), subject.sample.output[:, 0]
    ends = (min(y.min(), predicted.min()), max(y.max(), predicted.max()))
    _cloud(axes, y, predicted)
    axes.plot(ends, ends, color="#555555", linestyle="--", linewidth=1)
    return figure


def residuals(subject: Subject) -> Figure:
    figure, axes = _square("Residuals", f"Predicted {subject.target}", "True less predicted")
    predicted = subject.sample.output[:, 0]
    _cloud(axes, predicted, np.asarray(subject.sample.y, dtype=float) - predicted)
    axes.axhline(0, color="#555555", linestyle="--", linewidth=1)
    return figure


def _cloud(axes: Axes, x: Array, y: Array) -> None:
    """Points while they can be told apart, hexagons beyond."""
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
