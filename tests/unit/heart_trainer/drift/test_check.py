"""`python -m heart_trainer drift`: a real version, a real log, and what the operator gets to read."""

import re
from typing import Any

import pytest
from mlflow import MlflowClient

from heart_api.drift import CHECK_REQUEST, CheckOutcome, CheckResult
from heart_api.driftstatus import DriftStatus, FeatureFinding
from heart_api.handover import EXIT_PERMANENT, Env
from heart_api.referenceprofile import PROFILE_PATH
from heart_api.retrainschedule import DriftCheck, PerformanceCheck
from heart_trainer.data.sources.cohort import DRIFTING
from heart_trainer.drift.outcome import encode, failed
from tests.unit.heart_trainer.drift.conftest import Check, Log, Trained

ANY = DriftCheck(any_feature=True)


def drift_of(outcome: CheckOutcome) -> DriftStatus:
    assert outcome.result, outcome.failure
    assert outcome.result.drift
    return outcome.result.drift


def test_the_cohorts_shift_is_found_in_exactly_the_features_that_it_moves(
    run: Check, log: Log, trained: Trained
) -> None:
    log.add(300, hours=30, shift=1.0, seed=5)
    log.add(300, hours=3, shift=1.0, seed=6)
    outcome, code = run(drift=ANY)
    found = drift_of(outcome)
    assert code == 0
    assert (found.verdict, found.version, found.time) == ("Drift", "1", "2026-11-22T06:00:00Z")
    assert (found.samples, found.samples_before) == (300, 300)
    moved = {entry.name for entry in found.features if entry.confirmed}
    assert set(DRIFTING) <= moved
    assert not moved & {"sex", "fbs"}, "what the shift does not touch"
    report = read_report(trained, found)
    assert all(name in report for name in DRIFTING)
    assert report.count("data:image/png;base64,") == 9
    assert "Drift" in report


def read_report(trained: Trained, found: DriftStatus) -> str:
    match = re.fullmatch(r"runs:/(\w+)/(.+)", found.report or "")
    assert match
    client = MlflowClient(trained.tracking_uri)
    run = client.get_run(match[1])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["drift_share"] == pytest.approx(found.share, abs=1e-3)
    assert run.data.metrics["psi.age"] > 0.2
    with open(client.download_artifacts(match[1], match[2]), encoding="utf-8") as file:
        return file.read()


def test_unshifted_traffic_is_quiet(run: Check, log: Log) -> None:
    log.add(300, hours=30, seed=5)
    log.add(300, hours=3, seed=6)
    found = drift_of(run(drift=ANY)[0])
    assert (found.verdict, found.share) == ("NoDrift", 0)


def test_labels_say_which_rows_are_checked(run: Check, log: Log, trained: Trained) -> None:
    """One site drifts, and the others hide it."""
    for hours in (3, 30):
        log.add(300, hours=hours, seed=5, labels={"site": "hospital-02"})
        log.add(120, hours=hours, shift=2, seed=6, labels={"site": "hospital-01"})
        log.add(20, hours=hours, shift=2, seed=7)
    shifted = drift_of(run(drift=ANY, where={"site": "hospital-01"}, schedule="")[0])
    assert (shifted.verdict, shifted.samples, shifted.samples_before) == ("Drift", 120, 120)
    report = read_report(trained, shifted)
    assert "site=hospital-01" in report
    assert "requested by a person" in report
    quiet = drift_of(run(drift=ANY, where={"site": "hospital-02"})[0])
    assert (quiet.verdict, quiet.samples) == ("NoDrift", 300)
    nobody = drift_of(run(drift=ANY, where={"site": "hospital-03"})[0])
    assert (nobody.verdict, nobody.samples) == ("InsufficientSamples", 0)


def test_what_is_not_the_versions_own_window_does_not_count(run: Check, log: Log) -> None:
    """Shadow copies, another version's answers, and what came before or after."""
    log.add(150, hours=3, seed=6)
    log.add(150, hours=30, seed=7)
    log.add(300, hours=3, shift=2, seed=8, shadow=True)
    log.add(300, hours=3, shift=2, seed=9, version="2")
    log.add(300, hours=50, shift=2, seed=10)
    log.add(300, hours=-1, shift=2, seed=11)
    found = drift_of(run(drift=ANY)[0])
    assert (found.samples, found.samples_before, found.verdict) == (150, 150, "NoDrift")


def test_too_few_predictions_decide_nothing(run: Check, log: Log) -> None:
    log.add(99, hours=3, shift=2)
    found = drift_of(run(drift=ANY)[0])
    assert found.verdict == "InsufficientSamples"
    assert found.report


@pytest.mark.parametrize(
    ("right", "source", "verdict"),
    [
        (0.5, "Feedback", "Below"),
        (0.9, "Feedback", "Acceptable"),
        (0.72, "Feedback", "Uncertain"),
        (0.5, "Estimated", "Acceptable"),
    ],
)
def test_quality_by_outcomes_or_by_estimate(run: Check, log: Log, right: float, source: Any, verdict: str) -> None:
    """Every answer says ill with .8: that is what an estimate believes."""
    log.add(200, hours=100, right=right)
    outcome, _ = run(performance=PerformanceCheck(below=0.75, source=source))
    assert outcome.result
    assert outcome.result.drift is None
    found = outcome.result.performance
    assert found
    assert (found.verdict, found.samples) == (verdict, 200)
    assert found.value == pytest.approx(right if source == "Feedback" else 0.8, abs=0.01)


def test_without_outcomes_nothing_is_said_of_quality(run: Check, log: Log) -> None:
    log.add(200, hours=3)
    outcome, _ = run(drift=ANY, performance=PerformanceCheck(below=0.75))
    assert outcome.result
    assert outcome.result.performance
    assert outcome.result.performance.verdict == "InsufficientSamples"
    assert outcome.result.drift


# --- what can go wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "spec", "reason", "words", "permanent"),
    [
        ({Env.DATABASE_URL: None}, {}, "LogUnavailable", "no HEARTOPS_DATABASE_URL", True),
        ({Env.DATABASE_URL: "mysql://u:secret@h/d"}, {}, "LogUnavailable", "must begin with postgresql", True),
        ({Env.DATABASE_URL: "sqlite:////nowhere/at/all.db"}, {}, "LogUnavailable", "cannot be read", False),
        ({Env.ROW_KEY: "another"}, {}, "ReferenceUnreadable", "no seal of this row key", True),
        ({}, {"serving": {"digest": "sha256:" + "0" * 64}}, "ReferenceUnreadable", "digests differ", True),
        ({CHECK_REQUEST: "{}"}, {}, "CheckFailed", "not a request", True),
    ],
)
def test_a_failure_says_what_to_do(
    run: Check, environ: dict[str, str | None], spec: dict[str, Any], reason: str, words: str, permanent: bool
) -> None:
    outcome, code = run(environ, drift=ANY, **spec)
    assert outcome.failure
    assert outcome.failure.reason == reason
    assert words in outcome.failure.message
    assert "secret" not in outcome.failure.message
    assert (code == EXIT_PERMANENT) == permanent


def test_a_profile_that_somebody_changed_is_not_believed(
    run: Check, log: Log, trained: Trained, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MlflowClient(trained.tracking_uri)
    monkeypatch.chdir(trained.folder)
    path = client.download_artifacts(trained.result.run_id, PROFILE_PATH)
    with open(path, encoding="utf-8") as file:
        original = file.read()
    try:
        put(client, trained, original.replace('"rows":400', '"rows":401'), tmp_path)
        outcome, _ = run(drift=ANY)
    finally:
        put(client, trained, original, tmp_path)
    assert outcome.failure
    assert "profile was changed" in outcome.failure.message


def put(client: MlflowClient, trained: Trained, text: str, folder: Any) -> None:
    name = PROFILE_PATH.rpartition("/")[2]
    (folder / name).write_text(text)
    client.log_artifact(trained.result.run_id, str(folder / name), PROFILE_PATH.rpartition("/")[0])


def test_the_termination_message_fits_however_many_features_there_are() -> None:
    features = tuple(
        FeatureFinding(name=f"a_rather_long_name_{i}", statistic="ks", value=0.5, p_value=1e-9, drifted=i < 30)
        for i in range(256)
    )
    found = DriftStatus(
        time="2026-11-22T06:00:00Z",
        version="1",
        verdict="Drift",
        share=1,
        samples=500,
        features=features,
        message="ä" * 900,
    )
    data = encode(CheckOutcome(result=CheckResult(drift=found)))
    assert len(data) <= 4096
    read = drift_of(CheckOutcome.model_validate_json(data))
    assert read.features == features[: len(read.features)], "the first, which are the drifted ones, stay"
    assert len(read.features) + read.omitted == 256
    assert len(encode(failed("CheckFailed", "ä" * 3000))) <= 4096
