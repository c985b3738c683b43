"""Figures of the data that a model was trained on."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from heart_api.contract import Feature
from heart_trainer.evaluation.metrics import Array
from heart_trainer.report.plot_style import COLOURS, LETTER, MOST_CLASSES, Subject, set_margins

MOST_FEATURES = 24
"""Columns shown in a heatmap or in the grid of distributions."""
MOST_ROWS = 20_000
CROWDED = 8
"""Names of so many bars are turned."""
MOST_FILLED = 3
"""Histograms over each other that can be told apart when they are filled."""


def correlation(subject: Subject) -> Figure:
    """A heat map of Spearman correlations of features and target; ranks are robust to skewed laboratory values."""
    names = [*(feature.name for feature in subject.features[:MOST_FEATURES]), subject.target]
    values = _rank_correlation(subject, len(names) - 1)
    side, longest = max(3.0, 0.5 * len(names)), LETTER * max(map(len, names))
    figure = Figure(figsize=(side + longest + 1.4, side + 0.75 * longest + 0.9))
    axes = figure.subplots()
    set_margins(figure, longest + 0.3, 0.2, 0.75 * longest + 0.3, 0.4)
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


def _rank_correlation(subject: Subject, features: int) -> Array:
    """[features + 1, features + 1]: of the first features and the target, on at most MOST_ROWS rows."""
    rows = np.arange(len(subject.table))
    if len(rows) > MOST_ROWS:
        rows = np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False)
    columns = np.column_stack([subject.table.x[rows][:, :features], subject.table.y[rows]])
    return np.asarray(pd.DataFrame(columns).corr("spearman"))


def distributions(subject: Subject) -> Figure:
    shown = subject.features[:MOST_FEATURES]
    columns = min(4, len(shown))
    lines = -(-len(shown) // columns)
    crowded = any(len(feature.values or ()) > CROWDED for feature in shown)
    figure = Figure(figsize=(2.9 * columns, (2.8 if crowded else 2.3) * lines + 0.5))
    grid = np.atleast_1d(figure.subplots(lines, columns, squeeze=False)).ravel()
    for index, (feature, axes) in enumerate(zip(shown, grid, strict=False)):
        axes.set_title(f"{feature.name} ({feature.unit})" if feature.unit else feature.name, fontsize=10)
        _distribution(axes, feature, subject.table.x[:, index], subject)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    handles, labels = grid[0].get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="upper center", ncols=min(len(labels), 6))
    set_margins(figure, 0.15, 0.15, 0.9 if crowded else 0.3, 0.75, wspace=0.12, hspace=0.85 if crowded else 0.4)
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
    crowded = len(names) > CROWDED
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
