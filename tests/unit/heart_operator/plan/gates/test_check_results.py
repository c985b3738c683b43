"""What one check answers, word for word: metric, verdict and message are shown in conditions, events and the CLI."""

import math
from typing import Any

import pytest

from heart_api.evaluation import Comparison, Difference, Estimate, Evaluation, Gap, ServingReference
from heart_api.heartmodel import GateCheck
from heart_operator.plan.gates.checks import CheckResult, judge_check
from heart_operator.plan.gates.messages import bounds_message, readable
from tests.support.plan.world import evaluation, figure

SERVING = ServingReference(version="6", digest="sha256:" + "abcdef0123456789" * 4)
OTHER = ServingReference(version="5", digest="sha256:" + "fedcba9876543210" * 4)


def result(check: dict[str, Any], measured: Evaluation, serving: ServingReference | None = None) -> CheckResult:
    return judge_check(GateCheck.model_validate(check), measured, serving)


def of_metric(metric: str, estimate: Estimate, task: str = "binary") -> Evaluation:
    return evaluation(metrics={metric: estimate}, task=task)


# --- bounds ------------------------------------------------------------------------------------------

AUC_MIN = {"metric": "roc_auc", "min": 0.8}
BOUNDS = {
    "at the minimum": (
        AUC_MIN,
        figure(0.8),
        CheckResult("roc_auc", "Passed", "roc_auc 0.80 ≥ 0.80 (n=303, 95% CI 0.77–0.83)"),
    ),
    "at the maximum": (
        {"metric": "roc_auc", "max": 0.8},
        figure(0.8),
        CheckResult("roc_auc", "Passed", "roc_auc 0.80 ≤ 0.80 (n=303, 95% CI 0.77–0.83)"),
    ),
    "at the maximum of a range": (
        {"metric": "roc_auc", "min": 0.5, "max": 0.8},
        figure(0.8),
        CheckResult("roc_auc", "Passed", "roc_auc 0.80 ≥ 0.50 (n=303, 95% CI 0.77–0.83)"),
    ),
    "above the maximum of a range": (
        {"metric": "roc_auc", "min": 0.5, "max": 0.8},
        figure(0.9),
        CheckResult("roc_auc", "Failed", "roc_auc 0.90 > 0.80 (n=303, 95% CI 0.87–0.93)"),
    ),
    "below the minimum": (
        AUC_MIN,
        figure(0.71, spread=0.06),
        CheckResult("roc_auc", "Failed", "roc_auc 0.71 < 0.80 (n=303, 95% CI 0.65–0.77)"),
    ),
    "too few rows": (
        AUC_MIN,
        figure(0.9, n=49),
        CheckResult(
            "roc_auc",
            "InsufficientEvidence",
            "roc_auc: 49 rows are too few for a verdict, 50 are needed",
        ),
    ),
    "too few events": (
        AUC_MIN,
        figure(0.9, events=0),
        CheckResult(
            "roc_auc",
            "InsufficientEvidence",
            "roc_auc: 0 events (rows of the rarer class) are too few for a verdict, 20 are needed",
        ),
    ),
}


@pytest.mark.parametrize("case", BOUNDS)
def test_bounds(case: str) -> None:
    check, estimate, expected = BOUNDS[case]
    assert result(check, of_metric("roc_auc", estimate)) == expected


def test_a_metric_that_was_not_measured_names_the_remedy() -> None:
    expected = "recall: the evaluation has no recall; remove the check or train again"
    assert result({"metric": "recall", "min": 0.5}, evaluation()) == CheckResult(
        "recall", "InsufficientEvidence", expected
    )


ESTIMATES = [
    Estimate(n=303, events=139, estimate=math.nan, low=0.8, high=0.9),
    Estimate(n=303, events=139, estimate=0.85, low=math.nan, high=0.9),
    Estimate(n=303, events=139, estimate=0.85, low=0.8, high=math.inf),
]


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_an_estimate_with_a_part_that_is_no_number_fails(estimate: Estimate) -> None:
    found = result(AUC_MIN, of_metric("roc_auc", estimate))
    assert found == CheckResult("roc_auc", "Failed", "roc_auc is not a number")


def test_a_bound_that_is_no_number_fails() -> None:
    check = GateCheck.model_construct(metric="roc_auc", min=math.nan)
    assert judge_check(check, evaluation(), None) == CheckResult("roc_auc", "Failed", "roc_auc is not a number")


# --- regressions ----------------------------------------------------------------------------------------


def difference(low: float, high: float, /, **changes: Any) -> Difference:
    middle = (low + high) / 2
    values: dict[str, Any] = {"n": 303, "events": 139, "candidate": 0.8 + middle, "serving": 0.8, "difference": middle}
    return Difference(**(values | {"low": low, "high": high} | changes))


def compared(measured: Difference, metric: str = "roc_auc", against: ServingReference = SERVING) -> Evaluation:
    return evaluation(comparison=Comparison(against=against, metrics={metric: measured}))


MARGIN = {"metric": "roc_auc", "maxRegression": 0.02}
REGRESSIONS = {
    "better": (
        compared(difference(-0.01, 0.03)),
        "Passed",
        "roc_auc 0.81 is not worse than the serving version's 0.80 by more than 0.02 "
        "(difference +0.010, n=303, 95% CI -0.010 to +0.030)",
    ),
    "worse": (
        compared(difference(-0.08, -0.03)),
        "Failed",
        "roc_auc 0.74 is worse than the serving version's 0.80 by more than 0.02 "
        "(difference -0.055, n=303, 95% CI -0.080 to -0.030)",
    ),
    "undecided": (
        compared(difference(-0.05, 0.03)),
        "InsufficientEvidence",
        "roc_auc 0.79 may be worse than the serving version's 0.80 by more than 0.02 "
        "(difference -0.010, n=303, 95% CI -0.050 to +0.030)",
    ),
    "too few rows": (
        compared(difference(-0.01, 0.03, n=49)),
        "InsufficientEvidence",
        "roc_auc: 49 rows are too few for a verdict, 50 are needed",
    ),
    "never compared": (
        evaluation(),
        "InsufficientEvidence",
        "roc_auc: it was not compared with version 6, which serves; train again",
    ),
    "compared with another version": (
        compared(difference(-0.01, 0.03), against=OTHER),
        "InsufficientEvidence",
        "roc_auc: it was compared with version 5 (sha256:fedcba987654), "
        "but version 6 (sha256:abcdef012345) serves now; train again",
    ),
}


@pytest.mark.parametrize("case", REGRESSIONS)
def test_regressions(case: str) -> None:
    measured, verdict, message = REGRESSIONS[case]
    assert result(MARGIN, measured, SERVING) == CheckResult("roc_auc", verdict, message)  # type: ignore[arg-type]


def test_without_a_serving_version_there_is_no_regression() -> None:
    expected = CheckResult("roc_auc", "Passed", "roc_auc: nothing to compare with")
    assert result(MARGIN, evaluation(), None) == expected


@pytest.mark.parametrize("part", ["difference", "low", "high", "candidate"])
def test_a_comparison_with_a_part_that_is_no_number_fails(part: str) -> None:
    measured = compared(difference(-0.01, 0.03, **{part: math.nan}))
    expected = CheckResult("roc_auc", "Failed", "roc_auc: the comparison is not a number")
    assert result(MARGIN, measured, SERVING) == expected


def test_a_margin_that_is_no_number_fails() -> None:
    check = GateCheck.model_construct(metric="roc_auc", max_regression=math.nan)
    assert judge_check(check, compared(difference(-0.01, 0.03)), SERVING).verdict == "Failed"


def test_a_claim_about_calibration_needs_more_events_in_a_comparison_too() -> None:
    check = {"metric": "ece", "maxRegression": 0.02}
    found = result(check, compared(difference(-0.01, 0.0, events=99), "ece"), SERVING)
    assert "99 events (rows of the rarer class) are too few for a verdict, 100 are needed" in found.message


# --- gaps ---------------------------------------------------------------------------------------------------


def with_gap(estimate: float, low: float = 0.02, high: float = 0.3, task: str = "binary", **changes: Any) -> Evaluation:
    values: dict[str, Any] = {"n": 20, "events": 5, "estimate": estimate, "low": low, "high": high}
    measured = Estimate(**(values | changes))
    return evaluation(gaps=(Gap(feature="sex", metric="recall", groups=("0", "1"), gap=measured),), task=task)


GAP = {"metric": "recall", "maxGap": 0.15, "slice": "sex"}
BETWEEN = "between sex 0 and 1"
GAPS = {
    "smallest groups that suffice": (
        with_gap(0.1),
        "Passed",
        f"recall differs by 0.10 ≤ 0.15 {BETWEEN} (n=20, 95% CI 0.02–0.30)",
    ),
    "at the bound": (
        with_gap(0.15),
        "Passed",
        f"recall differs by 0.15 ≤ 0.15 {BETWEEN} (n=20, 95% CI 0.02–0.30)",
    ),
    "above the bound, undecided": (
        with_gap(0.2),
        "InsufficientEvidence",
        f"recall differs by 0.20 > 0.15 {BETWEEN} (n=20, 95% CI 0.02–0.30), which the data cannot settle",
    ),
    "low end at the bound": (
        with_gap(0.2, low=0.15),
        "InsufficientEvidence",
        f"recall differs by 0.20 > 0.15 {BETWEEN} (n=20, 95% CI 0.15–0.30), which the data cannot settle",
    ),
    "low end above the bound": (
        with_gap(0.2, low=0.16),
        "Failed",
        f"recall differs by 0.20 > 0.15 {BETWEEN} (n=20, 95% CI 0.16–0.30)",
    ),
    "a row too few": (
        with_gap(0.1, n=19),
        "InsufficientEvidence",
        f"recall differs by 0.10 ≤ 0.15 {BETWEEN} (n=19, 95% CI 0.02–0.30), which the data cannot settle",
    ),
    "an event too few": (
        with_gap(0.1, events=4),
        "InsufficientEvidence",
        f"recall differs by 0.10 ≤ 0.15 {BETWEEN} (n=20, 95% CI 0.02–0.30), which the data cannot settle",
    ),
    "of a regression, without events": (
        with_gap(0.1, events=None, task="regression"),
        "Passed",
        f"recall differs by 0.10 ≤ 0.15 {BETWEEN} (n=20, 95% CI 0.02–0.30)",
    ),
    "a part that is no number": (
        with_gap(0.1, low=math.nan),
        "Failed",
        "recall by sex: the gap is not a number",
    ),
    "another part that is no number": (
        with_gap(0.1, high=math.inf),
        "Failed",
        "recall by sex: the gap is not a number",
    ),
    "not measured": (
        evaluation(),
        "InsufficientEvidence",
        "recall: the evaluation has no recall by sex; remove the check or train again",
    ),
}


@pytest.mark.parametrize("case", GAPS)
def test_gaps(case: str) -> None:
    measured, verdict, message = GAPS[case]
    assert result(GAP, measured) == CheckResult("recall", verdict, message)  # type: ignore[arg-type]


def test_a_gap_bound_that_is_no_number_fails() -> None:
    check = GateCheck.model_construct(metric="recall", max_gap=math.nan, slice="sex")
    assert judge_check(check, with_gap(0.1), None).verdict == "Failed"


# --- figures in messages ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "other", "shown"),
    [
        (0.5, 0.5, ("0.50", "0.50")),
        (0.5, 0.6, ("0.50", "0.60")),
        (0.7996, 0.8, ("0.7996", "0.8000")),
        (0.8000004, 0.8, ("0.8000004", "0.8")),
        (0.800001, 0.8, ("0.800001", "0.800000")),
    ],
)
def test_figures_have_as_many_digits_as_it_takes_to_tell_them_apart(
    value: float, other: float, shown: tuple[str, str]
) -> None:
    assert readable(value, other) == shown


def test_a_check_without_a_bound_is_shown_against_zero() -> None:
    check = GateCheck.model_construct(metric="r2", min=None, max=None)
    assert bounds_message(check, figure(0.5)) == "r2 0.50 ≥ 0.00 (n=303, 95% CI 0.47–0.53)"
    assert judge_check(check, of_metric("r2", figure(0.5), "regression"), None).verdict == "Passed"
