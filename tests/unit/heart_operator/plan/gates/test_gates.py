"""Gates: verdicts by table, and what must hold for every evaluation."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heart_api.evaluation import Comparison, Difference, Estimate, Evaluation, Finding, Gap, ServingReference
from heart_api.heartmodel import Gates
from heart_operator.plan.gates.verdict import gates_hash, judge
from tests.support.plan.world import comparison, evaluation, figure

SERVING = ServingReference(version="6", digest="sha256:" + "a" * 64)


def gates(*checks: dict[str, Any], on_insufficient: str = "Hold", **more: str) -> Gates:
    return Gates.model_validate({"checks": checks, "onInsufficientEvidence": on_insufficient, **more})


def with_metric(metric: str, estimate: Estimate, task: str = "binary") -> Evaluation:
    return evaluation(metrics={metric: estimate}, task=task)


BOUNDS = [
    ("roc_auc", {"min": 0.80}, figure(0.85), "Passed", "roc_auc 0.85 ≥ 0.80 (n=303, 95% CI 0.82–0.88)"),
    ("roc_auc", {"min": 0.80}, figure(0.80), "Passed", "roc_auc 0.80 ≥ 0.80"),
    ("roc_auc", {"min": 0.80}, figure(0.71, spread=0.06), "Failed", "roc_auc 0.71 < 0.80 (n=303, 95% CI 0.65–0.77)"),
    ("roc_auc", {"min": 0.80}, figure(0.7996), "Failed", "roc_auc 0.7996 < 0.8000"),
    ("brier", {"max": 0.16}, figure(0.12), "Passed", "brier 0.12 ≤ 0.16"),
    ("brier", {"max": 0.16}, figure(0.18), "Failed", "brier 0.18 > 0.16"),
    ("calibration_slope", {"min": 0.8, "max": 1.2}, figure(1.0), "Passed", "calibration_slope 1.00 ≥ 0.80"),
    ("calibration_slope", {"min": 0.8, "max": 1.2}, figure(1.3), "Failed", "calibration_slope 1.30 > 1.20"),
    ("calibration_slope", {"min": 0.8, "max": 1.2}, figure(0.7), "Failed", "calibration_slope 0.70 < 0.80"),
    ("roc_auc", {"min": 0.80}, figure(0.9, n=49), "InsufficientEvidence", "49 rows are too few for a verdict, 50"),
    ("roc_auc", {"min": 0.80}, figure(0.9, n=50), "Passed", "n=50"),
    ("roc_auc", {"min": 0.80}, figure(0.9, events=19), "InsufficientEvidence", "19 events"),
    ("roc_auc", {"min": 0.80}, figure(0.9, events=20), "Passed", "0.90 ≥ 0.80"),
    ("roc_auc", {"min": 0.80}, figure(0.9, events=None), "InsufficientEvidence", "0 events"),
    ("brier", {"max": 0.16}, figure(0.1, events=20), "Passed", "0.10 ≤ 0.16"),
    ("ece", {"max": 0.1}, figure(0.05, events=99), "InsufficientEvidence", "99 events (rows of the rarer class)"),
    ("ece", {"max": 0.1}, figure(0.05, events=100), "Passed", "0.05 ≤ 0.10"),
    ("calibration_slope", {"min": 0.8}, figure(1.0, events=99), "InsufficientEvidence", "99 events"),
    ("roc_auc", {"min": 0.80}, figure(math.nan), "Failed", "roc_auc is not a number"),
    ("roc_auc", {"min": 0.80}, figure(math.inf), "Failed", "roc_auc is not a number"),
]


@pytest.mark.parametrize(("metric", "bound", "estimate", "verdict", "message"), BOUNDS)
def test_bounds(metric: str, bound: dict[str, float], estimate: Estimate, verdict: str, message: str) -> None:
    report = judge(gates({"metric": metric} | bound), with_metric(metric, estimate), None)
    assert report.verdict == verdict
    assert message in report.message


@pytest.mark.parametrize(
    ("estimate", "verdict"), [(figure(0.4, events=None), "Passed"), (figure(0.6, events=None), "Failed")]
)
def test_regression_needs_rows_alone(estimate: Estimate, verdict: str) -> None:
    report = judge(gates({"metric": "rmse", "max": 0.5}), with_metric("rmse", estimate, "regression"), None)
    assert report.verdict == verdict


def test_a_metric_that_was_not_measured_is_not_passed() -> None:
    report = judge(gates({"metric": "recall", "min": 0.5}), evaluation(), None)
    assert report.verdict == "InsufficientEvidence"
    assert "the evaluation has no recall" in report.message


def difference(low: float, high: float, n: int = 303, events: int = 139) -> Difference:
    middle = (low + high) / 2
    return Difference(n=n, events=events, candidate=0.8 + middle, serving=0.8, difference=middle, low=low, high=high)


REGRESSIONS = [
    # metric, interval of candidate - serving, verdict for the margin 0.02
    ("roc_auc", (-0.01, 0.03), "Passed"),
    ("roc_auc", (-0.02, 0.03), "Passed"),
    ("roc_auc", (-0.03, 0.03), "InsufficientEvidence"),
    ("roc_auc", (-0.03, -0.02), "InsufficientEvidence"),
    ("roc_auc", (-0.08, -0.03), "Failed"),
    ("brier", (-0.03, 0.01), "Passed"),
    ("brier", (-0.03, 0.02), "Passed"),
    ("brier", (-0.03, 0.03), "InsufficientEvidence"),
    ("brier", (0.03, 0.08), "Failed"),
    ("roc_auc", (math.nan, 0.03), "Failed"),
    ("brier", (-0.03, math.nan), "Failed"),
]


@pytest.mark.parametrize(("metric", "interval", "verdict"), REGRESSIONS)
def test_regression_is_judged_by_the_end_of_the_interval(
    metric: str, interval: tuple[float, float], verdict: str
) -> None:
    compared = Comparison(against=SERVING, metrics={metric: difference(*interval)})
    report = judge(gates({"metric": metric, "maxRegression": 0.02}), evaluation(comparison=compared), SERVING)
    assert report.verdict == verdict


@pytest.mark.parametrize(("n", "events"), [(49, 139), (303, 19)])
def test_a_comparison_needs_evidence_too(n: int, events: int) -> None:
    compared = Comparison(against=SERVING, metrics={"roc_auc": difference(0.0, 0.01, n=n, events=events)})
    report = judge(gates({"metric": "roc_auc", "maxRegression": 0.02}), evaluation(comparison=compared), SERVING)
    assert report.verdict == "InsufficientEvidence"


def test_the_first_version_has_nothing_to_compare_with() -> None:
    report = judge(gates({"metric": "roc_auc", "maxRegression": 0.02}), evaluation(), None)
    assert report.passed
    assert "nothing to compare with" in report.message


@pytest.mark.parametrize(
    ("compared", "message"),
    [
        (None, "it was not compared with version 6"),
        (Comparison(against=SERVING, metrics={}), "it was not compared with version 6"),
        (comparison(ServingReference(version="5", digest=SERVING.digest)), "it was compared with version 5"),
        (comparison(ServingReference(version="6", digest="sha256:" + "b" * 64)), "compared with version 6 (sha256:bbb"),
    ],
)
def test_only_a_comparison_with_what_serves_now_counts(compared: Comparison | None, message: str) -> None:
    report = judge(gates({"metric": "roc_auc", "maxRegression": 0.02}), evaluation(comparison=compared), SERVING)
    assert report.verdict == "InsufficientEvidence"
    assert message in report.message
    assert "train again" in report.message


def gap(estimate: float, low: float, high: float, n: int = 100, events: int | None = 40) -> Gap:
    found = Estimate(n=n, events=events, estimate=estimate, low=low, high=high)
    return Gap(feature="sex", metric="recall", groups=("0", "1"), gap=found)


GAPS = [
    (gap(0.10, 0.02, 0.20), "binary", "Passed", "recall differs by 0.10 ≤ 0.15 between sex 0 and 1"),
    (gap(0.20, 0.10, 0.30), "binary", "InsufficientEvidence", "which the data cannot settle"),
    (gap(0.25, 0.16, 0.30), "binary", "Failed", "recall differs by 0.25 > 0.15 between sex 0 and 1"),
    (gap(0.10, 0.02, 0.20, n=19), "binary", "InsufficientEvidence", "n=19"),
    (gap(0.10, 0.02, 0.20, events=4), "binary", "InsufficientEvidence", "cannot settle"),
    (gap(0.10, 0.02, 0.20, events=None), "regression", "Passed", "0.10 ≤ 0.15"),
    (gap(math.nan, 0.02, 0.20), "binary", "Failed", "not a number"),
]


@pytest.mark.parametrize(("measured", "task", "verdict", "message"), GAPS)
def test_gaps_between_groups(measured: Gap, task: str, verdict: str, message: str) -> None:
    check = {"metric": "recall", "maxGap": 0.15, "slice": "sex"}
    report = judge(gates(check), evaluation(gaps=(measured,), task=task), None)
    assert report.verdict == verdict
    assert message in report.message


def test_a_gap_that_was_not_measured_is_not_passed() -> None:
    check = {"metric": "recall", "maxGap": 0.15, "slice": "age"}
    report = judge(gates(check), evaluation(gaps=(gap(0.1, 0.0, 0.2),)), None)
    assert report.verdict == "InsufficientEvidence"


@pytest.mark.parametrize("name", ["leakage", "parity", "chance"])
@pytest.mark.parametrize("on_insufficient", ["Hold", "Pass"])
def test_a_failed_check_of_the_method_rejects_the_version(name: str, on_insufficient: str) -> None:
    finding = Finding(name=name, verdict="Failed", message="723 rows repeat others")
    report = judge(gates(on_insufficient=on_insufficient), evaluation(findings=(finding,)), None)
    assert report.verdict == "Failed"
    assert report.summary == f"Failed {name}"
    assert "723 rows" in report.message


def test_a_suspected_leak_can_be_allowed() -> None:
    finding = Finding(name="leakage", verdict="Failed", message="chol alone predicts the target")
    assert judge(gates(leakage="Warn"), evaluation(findings=(finding,)), None).passed
    assert not judge(gates(leakage="Fail"), evaluation(findings=(finding,)), None).passed


def test_other_findings_only_inform() -> None:
    findings = (
        Finding(name="duplicates", verdict="Failed", message="some"),
        Finding(name="leakage", verdict="InsufficientEvidence", message="few rows"),
    )
    assert judge(gates(), evaluation(findings=findings), None).passed


CHECKS = ({"metric": "roc_auc", "min": 0.8}, {"metric": "recall", "min": 0.5})


@pytest.mark.parametrize(
    ("metrics", "on_insufficient", "summary"),
    [
        ({"roc_auc": figure(0.9), "recall": figure(0.7)}, "Hold", "Passed 2/2"),
        ({"roc_auc": figure(0.7), "recall": figure(0.7)}, "Hold", "Failed roc_auc"),
        ({"roc_auc": figure(0.7)}, "Pass", "Failed roc_auc"),
        ({"roc_auc": figure(0.9)}, "Hold", "Held recall"),
        ({"roc_auc": figure(0.9)}, "Pass", "Passed 1/2"),
    ],
)
def test_summary_for_the_gate_column(metrics: dict[str, Estimate], on_insufficient: str, summary: str) -> None:
    report = judge(gates(*CHECKS, on_insufficient=on_insufficient), evaluation(metrics=metrics), None)
    assert report.summary == summary


def test_what_was_let_through_is_recorded() -> None:
    demands = gates(*CHECKS, on_insufficient="Pass")
    report = judge(demands, evaluation(), None)
    assert report.passed
    assert report.gates_hash == gates_hash(demands), "it says which demands were met"
    assert [result.verdict for result in report.results] == ["Passed", "InsufficientEvidence"]
    assert "no recall" in report.message


def test_the_hash_changes_with_every_demand() -> None:
    hashes = {
        gates_hash(gates()),
        gates_hash(gates(on_insufficient="Pass")),
        gates_hash(gates({"metric": "roc_auc", "min": 0.8})),
        gates_hash(gates({"metric": "roc_auc", "min": 0.81})),
        gates_hash(gates({"metric": "roc_auc", "maxRegression": 0.8})),
    }
    assert len(hashes) == 5
    assert gates_hash(gates(*CHECKS)) == gates_hash(gates(*CHECKS))


# --- what holds for every evaluation -------------------------------------------------------------

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-10, max_value=10)
ANY_NUMBERS = st.floats() | NUMBERS
METRICS = st.sampled_from(["roc_auc", "brier", "ece", "recall"])


@st.composite
def evaluations(draw: st.DrawFn, numbers: st.SearchStrategy[float]) -> Evaluation:
    metric, n, events = draw(METRICS), draw(st.integers(0, 400)), draw(st.none() | st.integers(0, 200))
    low, middle, high = (draw(numbers) for _ in range(3))
    measured = Estimate(n=n, events=events, estimate=middle, low=low, high=high)
    compared = Difference(n=n, events=events, candidate=middle, serving=0.5, difference=middle, low=low, high=high)
    return evaluation(
        metrics={metric: measured},
        gaps=(Gap(feature="sex", metric=metric, groups=("0", "1"), gap=measured),),
        comparison=Comparison(against=SERVING, metrics={metric: compared}),
    )


@st.composite
def any_check(draw: st.DrawFn, metric: str) -> dict[str, Any]:
    bound = draw(NUMBERS)
    kind = draw(st.sampled_from(["min", "max", "maxRegression", "maxGap"]))
    if kind == "maxGap":
        return {"metric": metric, kind: abs(bound), "slice": "sex"}
    return {"metric": metric, kind: abs(bound) if kind == "maxRegression" else bound}


@given(st.data(), evaluations(ANY_NUMBERS), st.sampled_from(["Hold", "Pass"]))
def test_what_is_not_a_number_never_passes(data: st.DataObject, measured: Evaluation, on_insufficient: str) -> None:
    (metric, estimate), *_ = measured.metrics.items()
    check = data.draw(any_check(metric))
    report = judge(gates(check, on_insufficient=on_insufficient), measured, SERVING)
    if not all(map(math.isfinite, (estimate.low, estimate.estimate, estimate.high))):
        assert report.verdict == "Failed"


@given(st.data(), evaluations(NUMBERS), NUMBERS.map(abs))
def test_an_easier_demand_never_takes_a_pass_away(data: st.DataObject, measured: Evaluation, slack: float) -> None:
    (metric, _), *_ = measured.metrics.items()
    check = data.draw(any_check(metric))
    easier = {
        key: value if not isinstance(value, float) else value - slack if key == "min" else value + slack
        for key, value in check.items()
    }
    if judge(gates(check), measured, SERVING).passed:
        assert judge(gates(easier), measured, SERVING).passed


@given(st.data(), evaluations(NUMBERS), st.integers(0, 500))
def test_more_evidence_never_takes_a_pass_away(data: st.DataObject, measured: Evaluation, more: int) -> None:
    (metric, estimate), *_ = measured.metrics.items()
    check = gates(data.draw(any_check(metric)))
    larger = {"n": estimate.n + more, "events": (estimate.events or 0) + more}
    compared = measured.comparison
    assert compared
    richer = measured.model_copy(
        update={
            "metrics": {metric: estimate.model_copy(update=larger)},
            "gaps": (measured.gaps[0].model_copy(update={"gap": estimate.model_copy(update=larger)}),),
            "comparison": compared.model_copy(
                update={"metrics": {metric: compared.metrics[metric].model_copy(update=larger)}}
            ),
        }
    )
    if judge(check, measured, SERVING).passed:
        assert judge(check, richer, SERVING).passed
