"""All figures of a training. Cheap to import: what draws is imported by the process that draws."""

from dataclasses import dataclass

from heart_trainer.report.plot_style import Subject
from heart_trainer.values import FamilyResult


@dataclass(frozen=True)
class Figures:
    """What is drawn. `rows`: whether the subject's table holds rows. `families`: drawn if there are several."""

    subject: Subject
    rows: bool
    families: tuple[FamilyResult, ...]
    chosen: str


def draw(figures: Figures) -> dict[str, bytes]:
    """PNG bytes by file name without `.png`."""
    from heart_trainer.report.plots import as_png, draw_plots  # noqa: PLC0415
    from heart_trainer.report.plots_families import draw_families  # noqa: PLC0415

    drawn = draw_plots(figures.subject, figures.rows)
    if len(figures.families) > 1:
        compared = draw_families(figures.subject.table.task, figures.families, figures.chosen)
        drawn["families"] = as_png(compared)
    return drawn
