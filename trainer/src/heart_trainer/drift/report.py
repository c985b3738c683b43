"""The report of a check: one HTML file, a picture for each feature, the drifted ones first."""

from heart_api.drift import CheckRequest, CheckResult
from heart_trainer.drift.decide import Drift, Shift
from heart_trainer.drift.plots import draw_shift
from heart_trainer.report.pages import inline_image, render_page

STATISTICS = {"ks": "Kolmogorov–Smirnov", "chi2": "chi-square", "missing": "missing values"}


def render_report(request: CheckRequest, result: CheckResult, drift: Drift) -> str:
    """As HTML; text of the resource is escaped. Shares and pictures of columns, never a row."""
    units = {feature.name: feature.unit or "" for feature in request.features}
    return render_page(
        "drift_report.html",
        request=request,
        result=result,
        drift=drift,
        units=units,
        statistics=STATISTICS,
        p_value=p_value,
        shifts=[(shift, inline_image(draw_shift(shift))) for shift in in_order(drift)],
    )


def in_order(drift: Drift) -> list[Shift]:
    """Shifts in the report's order: drifted features first, each group by falling distance."""
    return sorted(
        drift.latest,
        key=lambda shift: (shift.name not in drift.drifted, -(shift.test.value if shift.test else 0)),
    )


def p_value(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
