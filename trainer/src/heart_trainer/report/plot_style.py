"""What all figures share: colours, style and subject."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heart_api.contract import Feature
from heart_trainer.evaluation.bootstrap import Sample
from heart_trainer.values import Table

if TYPE_CHECKING:  # a third of a second that the process which does not draw need not spend
    from matplotlib.figure import Figure

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
MOST_CLASSES = 12
LETTER = 0.085
"""Inches of an average letter of the labels."""


def set_margins(figure: "Figure", left: float, right: float, bottom: float, top: float, **between: float) -> None:
    """Space around the axes in inches. matplotlib's own layouts draw a figure twice, which takes most of its time."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height, **between)


@dataclass(frozen=True)
class Subject:
    """What the figures are about; `classes` are the names people use."""

    table: Table
    features: tuple[Feature, ...]
    sample: Sample
    classes: tuple[str, ...]
    target: str
