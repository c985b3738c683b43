"""A picture of one feature: what the model was trained on, and what it is asked now."""

from io import BytesIO

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heart_trainer.drift.decide import Shift
from heart_trainer.drift.statistics import from_quantiles
from heart_trainer.evaluation.metrics import Array
from heart_trainer.report.plot_style import COLOURS, STYLE

BEFORE, NOW = "#999999", COLOURS[1]
MOST_NAMES = 20
BINS = 24


def draw_shift(shift: Shift) -> bytes:
    """PNG; shares of the rows, so that a small window can be held against a large training."""
    with rc_context(STYLE):
        figure = Figure(figsize=(4.2, 2.5), layout="constrained")
        axes = figure.subplots()
        if shift.profile.type in ("number", "integer"):
            _histogram(axes, shift)
        else:
            _bars(axes, shift)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.legend(fontsize=8)
        buffer = BytesIO()
        figure.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()


def _histogram(axes: Axes, shift: Shift) -> None:
    quantiles, live = np.asarray(shift.profile.quantiles), shift.column.numbers
    both = np.concatenate([quantiles, live])
    if not len(both):
        return
    edges = _edges(both)
    for label, shares, colour in (
        ("training", _trained(shift, edges), BEFORE),
        ("now", np.histogram(live, edges)[0] / max(len(live), 1), NOW),
    ):
        axes.stairs(shares, edges, fill=True, alpha=0.35, color=colour)
        axes.stairs(shares, edges, label=label, color=colour, linewidth=1.6)


def _edges(values: Array) -> Array:
    low, high = np.quantile(values, (0.005, 0.995))
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.asarray(np.linspace(low, high, BINS + 1))


def _trained(shift: Shift, edges: Array) -> Array:
    """Shares of the training between the edges, from its percentiles."""
    if not shift.profile.quantiles:
        return np.zeros(len(edges) - 1)
    return np.diff(from_quantiles(shift.profile.quantiles).below(edges)[1])


def _bars(axes: Axes, shift: Shift) -> None:
    before, now = shift.profile.counts, shift.column.counts
    names = [*before, *(name for name in now if name not in before)][:MOST_NAMES]
    for place, (label, counts, colour) in enumerate((("training", before, BEFORE), ("now", now, NOW))):
        total = max(1, sum(counts.values()))
        places = np.arange(len(names)) + (place - 0.5) * 0.4
        axes.bar(places, [counts.get(name, 0) / total for name in names], 0.4, label=label, color=colour)
    axes.set_xticks(range(len(names)), [name[:10] for name in names], rotation=90 if len(names) > 8 else 0, fontsize=8)
