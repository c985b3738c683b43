"""docs/benchmarks.svg: requests per second of every server, one panel per model and size of request."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt

from benchmarks.contenders import OURS
from benchmarks.goals import OWN, Findings
from benchmarks.models import MODELS

STYLE = {"svg.hashsalt": "heartops", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
COLOURS = {OURS: "#1b6ca8", "own": "#9aa5b1", "peer": "#d98c3f"}


def draw(found: Findings, file: Path) -> None:
    sizes = sorted({figures.records for figures in found.figures})
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(len(MODELS), len(sizes), figsize=(10, 6), squeeze=False, layout="constrained")
        for line, (model, (title, _, _)) in zip(axes, MODELS.items(), strict=True):
            for axis, records in zip(line, sizes, strict=True):
                panel(axis, found, model, records)
                axis.set_title(f"{title}, {records} record{'s' * (records > 1)}", loc="left")
        figure.supxlabel("requests per second (logarithmic)")
        figure.savefig(file, metadata={"Date": None})
        plt.close(figure)


def panel(axis: plt.Axes, found: Findings, model: str, records: int) -> None:
    shown = [f for f in found.figures if (f.model, f.records) == (model, records)][::-1]
    names, rates = [f.server for f in shown], [f.full.rate for f in shown]
    kinds = [OURS if name == OURS else "own" if name in OWN else "peer" for name in names]
    axis.barh(names, rates, color=[COLOURS[kind] for kind in kinds])
    axis.set_xscale("log")
    axis.set_xlim(left=1, right=max(rates) * 6)
    for position, rate in enumerate(rates):
        axis.text(rate * 1.1, position, f"{rate:,.0f}", va="center")
