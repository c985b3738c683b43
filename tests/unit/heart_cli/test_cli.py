"""What is typed, what is printed, and with which exit code it ends: 0 done, 1 refused or failed, 2 wrong usage."""

import json
import re

import pytest

from heart_api.names import Annotation
from heart_cli.errors import ApiFailure
from heart_cli.text import short
from tests.support.apiserver.heart_objects import (
    candidate,
    condition,
    deployment,
    heart_model,
    pod,
    previous,
    rejected,
    retrain_schedule,
    served,
    serving,
    sha,
)
from tests.unit.heart_cli.conftest import FakeCluster

ROLLOUT = {"serving": serving("6"), "candidate": candidate("7"), "previous": previous("5")}


@pytest.fixture
def rollout(cluster):
    cluster.model = heart_model(ROLLOUT)
    cluster.deployments = [deployment("6"), deployment("7", 1)]
    cluster.pods = [pod("6", "abcde"), pod("6", "fghij"), pod("7", "kmnop")]
    return cluster


def failed(done, code: int, words: str) -> None:
    assert (done.exit_code, words in done.stderr) == (code, True), done.stderr
    assert done.stdout == ""


# --- seeing ---------------------------------------------------------------------------------------


def test_status_draws_the_tree_without_a_style_in_a_pipe(heart, rollout):
    done = heart("status", "heart")
    assert done.exit_code == 0
    assert "version 7 · candidate" in done.stdout
    assert "pod heart-v7-kmnop · ready" in done.stdout
    assert "\x1b" not in done.stdout


def test_status_says_what_its_schedules_found_to_those_who_may_read_them(heart, rollout):
    rollout.schedules = [retrain_schedule({"nextCheckTime": "2100-01-01T00:00:00Z"})]
    assert "schedule nightly · next check in" in heart("status", "heart").stdout
    rollout.schedules = [retrain_schedule({}, drift=7)]
    assert "schedule nightly · another version of HeartOps wrote it" in heart("status", "heart").stdout
    for status in (403, 404):
        rollout.schedules = ApiFailure("not for you", status)
        done = heart("status", "heart")
        assert (done.exit_code, "schedule" in done.stdout) == (0, False)
    rollout.schedules = ApiFailure("broken", 500)
    assert heart("status", "heart").exit_code == 1


def test_status_says_which_job_of_the_installation_cannot_run_and_why(heart, rollout):
    """In the tree, and beside the list; a user who may not read there sees the model all the same."""
    job = {"metadata": {"name": "heartops-secrets-1", "uid": "u", "creationTimestamp": "2026-01-02T03:04:05Z"}}
    quota = 'Error creating: pods "heartops-secrets-1-x7k2p" is forbidden: exceeded quota: small'
    said = {"metadata": job["metadata"], "reason": "FailedCreate", "message": quota}
    rollout.installation = FakeCluster(jobs=[job], events=[said])
    expected = "heartops-system: Job heartops-secrets-1 cannot run (Quota): "
    tree = heart("status", "heart").stdout
    assert expected in tree
    assert "exceeded quota: small. Raise the namespace's ResourceQuota" in tree
    listed = heart("status")
    assert expected in listed.stderr
    assert "heartops-secrets" not in listed.stdout, "a list in a pipe has a line for each model"
    rollout.installation = ApiFailure("not for you", 403)
    done = heart("status", "heart")
    assert (done.exit_code, "installation" in done.stdout) == (0, False)
    rollout.installation = ApiFailure("broken", 500)
    assert heart("status", "heart").exit_code == 1


def test_status_of_all_is_a_line_for_each(heart, rollout):
    head, row = heart("status").stdout.splitlines()
    assert head.split()[:4] == ["MODEL", "READY", "VERSION", "CANDIDATE"]
    assert row.split()[:3] == ["heart", "6", "7"]


def test_where_to_look_is_kubectls_choice(heart, rollout):
    assert heart("status", "heart", "-n", "lab", "--context", "work", "--kubeconfig", "file").exit_code == 0
    assert rollout.where == ("file", "work", "lab")


def test_a_model_that_is_not_there_names_those_that_are(heart, rollout):
    failed(heart("status", "hart"), 1, 'HeartModel "hart" not found in namespace "clinic" (available: heart)')


def test_a_model_from_another_version_is_said_so(heart, rollout):
    rollout.model["spec"]["novelty"] = True
    failed(heart("status", "heart"), 1, "another version of HeartOps than this kubectl heart (spec.novelty")


def test_history_has_who_served_and_who_was_rejected(heart, cluster):
    past = [
        served("5", "2026-11-10T08:00:00Z", "2026-11-18T04:00:00Z"),
        served("6", "2026-11-18T04:00:00Z", reason="Approved", by="alice", message="checked"),
    ]
    cluster.model = heart_model({"serving": serving(), "history": past, "rejected": [rejected("7", "Crashing", "OOM")]})
    _, *rows = heart("history", "heart").stdout.splitlines()
    assert [re.split("  +", row.strip())[:6] for row in rows] == [
        ["7", "2026-11-21 07:58:00", "rejected", "Crashing", "OOM", short(sha("7"))],
        ["6", "2026-11-18 04:00:00", "serves", "Approved", "alice", "checked"],
        ["5", "2026-11-10 08:00:00", "2026-11-18 04:00:00", "Promoted", "heartops", short(sha("5"))],
    ]


# --- telling --------------------------------------------------------------------------------------


def test_promote_writes_version_digest_user_and_reason_and_prints_what_came_of_it(heart, rollout):
    done = heart("promote", "heart", "--reason", "checked with cardiology")
    assert done.exit_code == 0
    assert done.stdout == "heart: promote 7: advanced past step 2\n"
    [written] = rollout.written
    assert written[Annotation.COMMAND].startswith(f"promote 7 {sha('7')} ")
    assert written[Annotation.COMMAND_BY] == "alice"
    assert written[Annotation.COMMAND_REASON] == "checked with cardiology"
    assert Annotation.RETRAIN not in written


def test_every_command_has_an_id_of_its_own(heart, rollout):
    for _ in range(2):
        assert heart("pause", "heart").exit_code == 0
    assert len({written[Annotation.COMMAND] for written in rollout.written}) == 2


def test_full_promotion_is_another_action(heart, rollout):
    heart("promote", "heart", "--full", "--version", "7")
    assert rollout.written[0][Annotation.COMMAND].startswith("promote-full 7 ")


def test_retrain_asks_for_the_training_and_says_who(heart, rollout):
    assert heart("retrain", "heart").exit_code == 0
    [written] = rollout.written
    assert written[Annotation.COMMAND].split() == ["retrain", "-", "-", written[Annotation.RETRAIN]]
    assert written[Annotation.COMMAND_BY] == "alice"


def test_what_the_operator_rejects_fails(heart, rollout):
    rollout.handled = {"done": False, "result": "nothing holds the candidate"}
    failed(heart("promote", "heart"), 1, "promote 7 failed: nothing holds the candidate")


def test_an_operator_that_does_not_reconcile_is_reported_and_the_command_stands(heart, rollout):
    rollout.handled = None
    failed(heart("promote", "heart", "--timeout", "0"), 1, "has not responded within 0 s; the command is pending")
    assert rollout.written


def test_no_wait_ends_at_once(heart, rollout):
    rollout.handled = None
    done = heart("abort", "heart", "--no-wait")
    assert (done.exit_code, done.stdout) == (0, "heart: abort 7 requested by alice\n")


def test_a_command_without_sense_writes_nothing(heart, rollout):
    failed(heart("promote", "heart", "--version", "8"), 1, "Version 8 is not the candidate")
    assert rollout.written == []


def test_what_else_there_is_to_know_goes_to_stderr(heart, cluster):
    cluster.model = heart_model({"serving": serving("6"), "previous": previous("5")})
    done = heart("rollback", "heart", "--to", "5")
    assert (done.exit_code, done.stderr) == (0, "Rolling back from version 6 to version 5.\n")


@pytest.mark.parametrize(
    "words",
    [
        ("promote",),
        ("promote", "heart", "--version", "seven"),
        ("promote", "heart", "--version", "0"),
        ("promote", "heart", "--reason", "x" * 501),
        ("promote", "../secrets"),
        ("status", "heart", "-n", "a/b"),
        ("status", "heart", "-A"),
        ("status", "-o", "table"),
        ("logs", "heart", "--training", "--version", "7"),
        ("predict", "heart"),
        ("predict", "heart", "{}", "--file", "-"),
        ("predict", "heart", "{}", "--example"),
        ("restart", "heart"),
    ],
)
def test_wrong_usage(heart, rollout, words):
    failed(heart(*words), 2, "Usage: ")
    assert rollout.written == rollout.posted == []


# --- logs and predictions ------------------------------------------------------------------


def test_logs_of_the_serving_version_say_which_pod(heart, rollout):
    rollout.pods = rollout.pods[:2]
    rollout.logs = {"heart-v6-abcde": [b"one", b"two"], "heart-v6-fghij": [b"three"]}
    done = heart("logs", "heart", "--tail", "1")
    assert done.stdout == "[heart-v6-abcde] two\n[heart-v6-fghij] three\n"


def test_followed_logs_hold_every_line_of_every_pod(heart, rollout):
    rollout.pods = rollout.pods[:2]
    rollout.logs = {"heart-v6-abcde": [b"one", b"two"], "heart-v6-fghij": [b"three"]}
    done = heart("logs", "heart", "-f", "--tail", "-1")
    assert sorted(done.stdout.splitlines()) == [
        "[heart-v6-abcde] one",
        "[heart-v6-abcde] two",
        "[heart-v6-fghij] three",
    ]


def test_logs_of_a_training_whose_pods_are_gone(heart, cluster):
    training = {"job": "heart-train-1", "trigger": "t", "phase": "Succeeded"}
    cluster.model = heart_model({"training": training})
    failed(heart("logs", "heart", "--training"), 1, "The pods of Job heart-train-1 no longer exist")
    failed(heart("logs", "heart"), 1, "No version of heart is serving yet")


def test_logs_of_a_training_that_has_no_pod_say_why(heart, cluster):
    training = {"job": "heart-train-1", "trigger": "t", "phase": "Running"}
    cluster.model = heart_model({"training": training})
    failed(heart("logs", "heart", "--training"), 1, "no logs yet: Job heart-train-1 has no pod yet")
    why = "Job heart-train-1 cannot start (Quota): exceeded quota: small. Raise the namespace's ResourceQuota"
    blocked = training | {"reason": "TrainingPending", "message": why}
    conditions = [condition("Trained", "Unknown", "TrainingPending", why)]
    cluster.model = heart_model({"training": blocked, "conditions": conditions})
    failed(heart("logs", "heart", "--training"), 1, f"There are no logs yet. {why}")
    shown = heart("status", "heart").stdout
    assert "training Pending" in shown
    assert shown.count(why) == 1


RECORD = {"age": 63, "sex": 1}


@pytest.mark.parametrize("source", ["argument", "stdin", "file", "file on stdin"])
def test_predict_goes_through_the_services_proxy(heart, rollout, tmp_path, source):
    rollout.answer = {"prediction": 1, "model_version": "6"}
    file = tmp_path / "record.json"
    file.write_text(json.dumps(RECORD))
    words, text = {
        "argument": ((json.dumps(RECORD),), None),
        "stdin": (("-",), json.dumps(RECORD)),
        "file": (("-f", str(file)), None),
        "file on stdin": (("-f", "-"), json.dumps(RECORD)),
    }[source]
    done = heart("predict", "heart", *words, input=text)
    assert json.loads(done.stdout) == rollout.answer
    assert rollout.posted == [("/api/v1/namespaces/clinic/services/heart:http/proxy/predict", RECORD)]


def test_predict_sends_the_models_own_example(heart, rollout):
    rollout.answer = {"example": RECORD, "prediction": 1}
    done = heart("predict", "heart", "--example")
    assert json.loads(done.stderr) == RECORD
    assert json.loads(done.stdout)["prediction"] == 1
    assert rollout.posted[-1] == ("/api/v1/namespaces/clinic/services/heart:http/proxy/predict", RECORD)


def test_a_version_without_an_example_says_so(heart, rollout):
    rollout.answer = {"name": "heart"}
    failed(heart("predict", "heart", "--example"), 1, "publishes no example")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((422, {"detail": [{"loc": ["body", "age"], "msg": "must be at most 120"}]}), "422: age: must be at most 120"),
        ((429, {"detail": "overloaded"}), "429: overloaded"),
        ((503, {"message": "no endpoints available"}), "No pod of heart is available (no endpoints available)"),
        ((403, {"message": "services is forbidden"}), "the permission to create services/proxy"),
    ],
)
def test_a_rejected_prediction_says_why(heart, rollout, answer, words):
    status, body = answer
    rollout.answer = ApiFailure(body.get("message", ""), status, json.dumps(body).encode())
    failed(heart("predict", "heart", json.dumps(RECORD)), 1, words)


@pytest.mark.parametrize("text", ['{"age": 6371', "[]", "63", ""])
def test_a_record_that_is_none_is_not_repeated(heart, rollout, text):
    done = heart("predict", "heart", "-", input=text)
    assert done.exit_code == 1
    assert "63" not in done.stderr.replace('{"age": 63, …}', "")
    assert rollout.posted == []


def test_nothing_is_asked_while_nothing_serves(heart, cluster):
    cluster.model = heart_model({})
    failed(heart("predict", "heart", json.dumps(RECORD)), 1, "No version of heart is serving yet")
