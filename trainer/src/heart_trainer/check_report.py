"""The report of a check: one HTML file, a picture for each feature, the drifted ones first."""

import base64

from jinja2 import Environment, PackageLoader, StrictUndefined

from heart_operator.api.drift import CheckRequest, CheckResult
from heart_trainer import words
from heart_trainer.drift import Drift, Shift
from heart_trainer.plots_drift import draw_shift

STATISTICS = {"ks": "Kolmogorov–Smirnov", "chi2": "chi-square", "missing": "missing values"}


def render_report(request: CheckRequest, result: CheckResult, drift: Drift) -> str:
    """As HTML; text of the resource is escaped. Shares and pictures of columns, never a row."""
    environment = Environment(
        loader=PackageLoader("heart_trainer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(number=words.number, statistics=STATISTICS, p_value=p_value)
    units = {feature.name: feature.unit or "" for feature in request.features}
    return environment.get_template("drift_report.html").render(
        request=request,
        result=result,
        drift=drift,
        units=units,
        shifts=[(shift, picture(shift)) for shift in in_order(drift)],
    )


def in_order(drift: Drift) -> list[Shift]:
    """The drifted ones first, then by distance."""
    return sorted(
        drift.latest,
        key=lambda shift: (shift.name not in drift.drifted, -(shift.test.value if shift.test else 0)),
    )


def picture(shift: Shift) -> str:
    return f"data:image/png;base64,{base64.b64encode(draw_shift(shift)).decode()}"


def p_value(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
