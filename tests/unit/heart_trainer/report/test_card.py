"""The card says what it promises, and escapes what it is given."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from heart_api.contract import Dataset, Feature, Target
from heart_api.evaluation import Comparison, Difference, Estimate, Evaluation, Finding, Gap, ServingReference
from heart_api.handover import TrainingRequest
from heart_api.training import Training
from heart_trainer.evaluation.bootstrap import Sample
from heart_trainer.evaluation.evaluate import measure
from heart_trainer.package.influence import Influence
from heart_trainer.report import wording as words
from heart_trainer.report.card import Provenance, render_card
from heart_trainer.report.plot_style import Subject
from heart_trainer.report.plots import draw_plots
from heart_trainer.values import FamilyResult
from tests.support.trainer.evaluation_tables import FEATURES, make_fitted, make_oof, make_table, outcomes

PROVENANCE = Provenance("run-17", "sha256:model", "sha256:evaluation", date(2026, 3, 1))


def _request(features: tuple[Feature, ...], **target: object) -> TrainingRequest:
    return TrainingRequest(
        namespace="clinic",
        name="heart",
        registry_name="clinic.heart",
        trigger="t",
        dataset=Dataset(uri="https://example.org/heart.csv"),
        target=Target.model_validate({"name": "num", **target}),
        features=features,
        training=Training(),
    )


@pytest.fixture
def evaluation() -> Evaluation:
    y, output = outcomes()
    measured = measure(make_table(y), FEATURES, make_oof(output), seed=42)
    return Evaluation(
        task="binary",
        algorithm="logistic-regression",
        dataset_sha256="sha256:data",
        rows=300,
        metrics=measured.metrics,
        slices=measured.slices,
        gaps=measured.gaps,
        findings=(Finding(name="leakage", verdict="Passed", message="nothing found"),),
    )


@pytest.fixture
def render() -> Callable[..., str]:
    def card(
        evaluation: Evaluation,
        features: tuple[Feature, ...] = FEATURES,
        influence: Influence | None = None,
        **target: object,
    ) -> str:
        y, output = outcomes()
        plots = {"roc": b"\x89PNG"}
        return render_card(
            _request(features, **target), make_table(y), make_fitted(output), evaluation, plots, PROVENANCE, influence
        )

    return card


def _text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.S))


def test_the_card_tells_a_clinician_what_it_promises(render: Callable[..., str], evaluation: Evaluation) -> None:
    text = _text(render(evaluation))
    recall = evaluation.metrics["recall"]
    assert f"Of 100 cases with “ill”, it flags about {recall.estimate * 100:.0f} (between" in text
    assert "Of 100 cases without “ill”, it flags about" in text
    assert "300 rows" in text
    assert "What it must not be used for" in text
    assert "age number any number" not in text
    assert "age number 0 to 120 years" in text
    assert "female, male" in text
    for origin in ("run-17", "sha256:model", "sha256:evaluation", "sha256:data", "2026-03-01", "clinic.heart"):
        assert origin in text
    assert "synthetic" not in text


def test_the_card_says_what_moves_the_answers(render: Callable[..., str], evaluation: Evaluation) -> None:
    sizes = (("pain", 0.4), ("age", 0.1), *((f"i{index}", 0.0) for index in range(30)))
    html = render(evaluation, influence=Influence(100, "log-odds", sizes))
    text = _text(html)
    assert "pain 0.400 age 0.100 i0 0.000" in text
    assert re.findall(r"width: (\d+)%", html[html.index("moves its answers") :])[:3] == ["100", "25", "0"]
    assert "in log-odds; near even odds, 0.4 is about 10 percentage points" in text
    assert "Over 100 of the training rows; the 12 inputs that move it least are left out." in text
    assert "moves its answers" not in render(evaluation)


def test_the_card_is_one_file(render: Callable[..., str], evaluation: Evaluation) -> None:
    html = render(evaluation)
    assert 'src="data:image/png;base64,' in html
    assert not re.search(r'(src|href)="(?!data:)', html)


def test_synthetic_data_are_announced_in_bold(render: Callable[..., str], evaluation: Evaluation) -> None:
    html = render(evaluation.model_copy(update={"synthetic": True}))
    assert re.search(r"<strong>Trained on synthetic data", html)


def test_a_failed_check_stands_at_the_top(render: Callable[..., str], evaluation: Evaluation) -> None:
    failed = Finding(name="leakage", verdict="Failed", message="chol alone predicts the target")
    text = _text(render(evaluation.model_copy(update={"findings": (failed,)})))
    assert text.index("The check “leakage” failed") < text.index("What it predicts")


def test_the_comparison_is_told(render: Callable[..., str], evaluation: Evaluation) -> None:
    difference = Difference(n=300, candidate=0.91, serving=0.9, difference=0.01, low=-0.002, high=0.021)
    against = ServingReference(version="6", digest="sha256:" + "0" * 64)
    compared = evaluation.model_copy(
        update={"comparison": Comparison(against=against, metrics={"roc_auc": difference})}
    )
    text = _text(render(compared))
    assert "version 6" in text
    assert "0.010 (-0.002 to 0.021)" in text


def test_the_families_that_were_tried_are_compared(evaluation: Evaluation) -> None:
    y, output = outcomes()
    fold = np.arange(len(y)) % 3
    tried = tuple(FamilyResult(name, {}, y, fold, output) for name in ("logistic-regression", "random-forest"))
    alone, both = (replace(make_fitted(output), families=found) for found in (tried[:1], tried))
    cards = [
        _text(render_card(_request(FEATURES), make_table(y), fitted, evaluation, {}, PROVENANCE))
        for fitted in (alone, both)
    ]
    assert "Which families were tried" not in cards[0]
    assert "logistic-regression (chosen)" in cards[1]
    assert re.search(r"random-forest 0\.\d{3}", cards[1])


def test_text_of_the_resource_is_escaped(render: Callable[..., str], evaluation: Evaluation) -> None:
    hostile = Feature(name="age", type="number", description="<script>alert(1)</script>")
    html = render(evaluation, (hostile,), description="<img src=x>")
    assert "<script>" not in html
    assert "<img src=x>" not in html


def test_calibration_is_not_claimed_on_few_events() -> None:
    few = Estimate(n=90, events=40, estimate=1.0, low=0.6, high=1.4)
    assert "do not support any claim" in words.calibration({"calibration_slope": few, "ece": few})
    many = {"n": 900, "events": 400}
    slope = Estimate(**many, estimate=0.7, low=0.6, high=0.8)
    assert "too extreme" in words.calibration(
        {"calibration_slope": slope, "ece": Estimate(**many, estimate=0.05, low=0, high=0.1)}
    )


def test_a_gap_that_may_be_chance_says_so() -> None:
    estimate = {"n": 90, "events": 40, "estimate": 0.1}
    sure = Gap(feature="sex", metric="recall", groups=("1", "0"), gap=Estimate(**estimate, low=0.02, high=0.2))
    unsure = Gap(feature="sex", metric="recall", groups=("1", "0"), gap=Estimate(**estimate, low=-0.02, high=0.2))
    assert "chance" not in words.gap_sentence(sure)
    assert "more than chance" in words.gap_sentence(unsure)


def test_an_interval_in_whole_cases_is_never_narrowed() -> None:
    estimate = Estimate(n=300, events=139, estimate=0.784, low=0.7199, high=0.8561)
    (sentence,) = words.in_plain_language(
        Evaluation(task="binary", algorithm="a", dataset_sha256="", rows=300, metrics={"recall": estimate}),
        ("healthy", "ill"),
        Target(name="num"),
    )
    assert "about 78 (between 71 and 86)" in sentence


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_task_has_its_plots(task: str) -> None:
    rng = np.random.default_rng(0)
    k = {"binary": 2, "multiclass": 4, "regression": 1}[task]
    y = rng.normal(0, 1, 200) if task == "regression" else rng.integers(0, k, 200)
    output = (y + rng.normal(0, 1, 200))[:, None] if task == "regression" else rng.dirichlet(np.ones(k), 200)
    classes = tuple(f"class {c}" for c in range(k)) if k > 1 else ()
    table = make_table(y, classes)
    plots = draw_plots(Subject(table, FEATURES, Sample(table.task, y, output, table.groups), classes, "num"))
    wanted = {
        "binary": {"roc", "precision_recall", "calibration", "decision_curve", "confusion"},
        "multiclass": {"roc", "confusion"},
        "regression": {"predicted_actual", "residuals"},
    }
    assert set(plots) == wanted[task] | {"correlation", "distributions"}
    assert all(png.startswith(b"\x89PNG") and len(png) < 300_000 for png in plots.values())


def test_plots_survive_a_column_without_values() -> None:
    y, output = outcomes()
    table = make_table(y)
    empty = replace(table, x=np.full_like(table.x, np.nan))
    sample = Sample("binary", y, output, table.groups)
    assert "distributions" in draw_plots(Subject(empty, FEATURES, sample, ("healthy", "ill"), "num"))


def test_the_card_shows_no_signature_of_the_dataset(evaluation: Evaluation) -> None:
    y, output = outcomes()
    signed = _request(FEATURES).model_copy(
        update={"dataset": Dataset(uri="https://key:secret@example.org/heart.csv?X-Amz-Signature=abc")}
    )
    html = render_card(signed, make_table(y), make_fitted(output), evaluation, {}, PROVENANCE)
    assert "https://example.org/heart.csv" in html
    assert "secret" not in html
    assert "abc" not in html
