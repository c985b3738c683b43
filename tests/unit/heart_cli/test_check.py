"""`kubectl heart check`: what is ordered, what is printed, and with which exit code it ends."""

import json
from typing import Any

import pytest

from heart_api.checks import newest_order
from heart_cli.errors import ApiFailure
from tests.support.apiserver.heart_objects import heart_model, retrain_schedule, serving

LABELS = {"serving": {"predictionLog": {"labels": ["site", "ward"]}}}
FEATURE = {"name": "age", "statistic": "ks", "value": 0.41, "pValue": 1e-9, "drifted": True, "confirmed": True}
FOUND = {"time": "2026-11-22T06:00:00Z", "version": "6", "samples": 300, "samplesBefore": 280, "message": "told"}


@pytest.fixture
def checked(cluster, monkeypatch: pytest.MonkeyPatch):
    """`checked(verdict=…)`: an operator that answers every order with this finding; None: it does not look."""
    monkeypatch.setattr("heart_cli.checkcommand.POLL_SECONDS", 0.01)
    cluster.model = heart_model({"serving": serving("6")}, LABELS)
    plain = cluster.annotate

    def answer(verdict: str | None = "NoDrift", **status: Any):
        def annotate(name: str, annotations: dict[str, str], **options: Any) -> None:
            plain(name, annotations, **options)
            order = newest_order(annotations, None)
            assert order
            found = {"drift": FOUND | {"verdict": verdict, "features": [FEATURE]}} if verdict else {}
            about = {"id": order.id, "by": order.by, "since": order.since, "until": order.until, "where": order.where}
            cluster.model["status"]["check"] = about | {"phase": "Succeeded"} | found | status

        cluster.annotate = annotate
        return cluster

    return answer


def ordered(cluster) -> Any:
    return newest_order(cluster.written[-1], None)


@pytest.mark.parametrize(
    ("verdict", "code"), [("NoDrift", 0), ("Drift", 4), ("Unconfirmed", 5), ("InsufficientSamples", 5)]
)
def test_the_exit_code_says_the_verdict(heart, checked, verdict: str, code: int) -> None:
    checked(verdict)
    done = heart("check", "heart")
    assert (done.exit_code, "told" in done.stdout) == (code, True), done.output


def test_it_prints_what_was_checked_and_each_feature(heart, checked) -> None:
    cluster = checked("Drift")
    done = heart(
        "check", "heart", "--from", "2026-11-21", "--to", "2026-11-22T06:00:00Z", "--where", "site=hospital-01"
    )
    assert "heart: 2026-11-21T00:00:00Z to 2026-11-22T06:00:00Z, site=hospital-01" in done.stdout
    assert "drift found (300 predictions of version 6, 280 before that)" in done.stdout
    assert "age  confirmed  distance 0.410, p 1e-09 (Kolmogorov-Smirnov)" in done.stdout
    order = ordered(cluster)
    assert (order.by, order.where) == ("alice", {"site": "hospital-01"})


def test_without_a_window_it_is_the_schedules_with_its_settings(heart, checked) -> None:
    cluster = checked()
    schedule = retrain_schedule({})
    schedule["spec"] |= {"modelName": "heart", "drift": {"window": "6h", "minSamples": 40, "threshold": 0.2}}
    cluster.schedules = [schedule]
    assert heart("check", "heart", "--to", "2026-11-22T06:00:00Z").exit_code == 0
    order = ordered(cluster)
    assert (order.since, order.min_samples, order.threshold) == ("2026-11-22T00:00:00Z", 40, 0.2)
    assert heart("check", "heart", "--min-samples", "20", "--threshold", "0.9").exit_code == 0
    assert (ordered(cluster).min_samples, ordered(cluster).threshold) == (20, 0.9)


def test_several_labels_select_together_and_not_against_each_other(heart, checked) -> None:
    cluster = checked()
    assert heart("check", "heart", "--where", "site=a,ward=3").exit_code == 0
    assert heart("check", "heart", "--where", "site=a", "--where", "ward=3").exit_code == 0
    assert ordered(cluster).where == {"site": "a", "ward": "3"}
    assert heart("check", "heart", "--where", "site=a", "--where", "site=b").exit_code == 2


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--where", "clinic=a"), 1, "does not log the label clinic (logged: site, ward)"),
        (("--where", "site"), 2, "name=value"),
        (("--from", "soon"), 2, "2026-11-22T06:00:00Z"),
        (("--from", "2026-11-22", "--to", "2026-11-21"), 1, "must end after it starts"),
        (("--from", "2020-11-22", "--to", "2026-11-21"), 1, "366 days"),
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_is_ordered(heart, checked, words, code: int, why: str) -> None:
    cluster = checked()
    done = heart("check", "heart", *words)
    assert (done.exit_code, why in done.output) == (code, True), done.output
    assert not cluster.written


def test_a_check_that_failed_or_cannot_start_ends_with_1_and_the_reason(heart, checked) -> None:
    checked(None, phase="Failed", message="the prediction log cannot be read")
    done = heart("check", "heart")
    assert (done.exit_code, "failed: the prediction log cannot be read" in done.output) == (1, True)
    checked(None, phase="Pending", message="No version is serving yet")
    done = heart("check", "heart")
    assert (done.exit_code, "cannot start: No version is serving yet" in done.output) == (1, True)


def test_a_check_that_takes_longer_ends_with_3_and_goes_on(heart, checked) -> None:
    checked(None, phase="Running", job="heart-check-1")
    done = heart("check", "heart", "--timeout", "30ms")
    assert (done.exit_code, "timed out" in done.stderr) == (3, True)


def test_an_api_server_that_is_away_for_a_while_ends_no_check(heart, checked, monkeypatch) -> None:
    cluster, answers = checked("Drift"), iter((False, True))
    get = cluster.get

    def flaky(*words: Any) -> Any:
        if next(answers, False):
            raise ApiFailure("cannot be reached", 503)
        return get(*words)

    monkeypatch.setattr(cluster, "get", flaky)
    assert heart("check", "heart").exit_code == 4


def test_a_newer_check_ends_the_wait(heart, checked) -> None:
    checked(None, phase="Succeeded", id="99991231T000000Z-ff", by="bob")
    done = heart("check", "heart")
    assert (done.exit_code, "replaced by" in done.stderr) == (1, True)


def test_machines_get_json_and_no_wait_says_what_was_ordered(heart, checked) -> None:
    checked("Drift")
    done = heart("check", "heart", "-o", "json")
    assert (done.exit_code, json.loads(done.stdout)["drift"]["verdict"]) == (4, "Drift")
    done = heart("check", "heart", "--no-wait")
    assert (done.exit_code, "requested by alice" in done.stdout) == (0, True)
