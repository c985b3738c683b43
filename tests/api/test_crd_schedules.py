"""What a person gets for a RetrainSchedule at `kubectl apply`: a refusal that names the field, or every default."""

import json
from typing import Any

import pytest

from heart_api.retrainschedule import RetrainScheduleSpec
from tests.api.test_crd import apply
from tests.support.plan.changes import GONE, Resource, changed

pytestmark = pytest.mark.api

SMALLEST: Resource = {
    "apiVersion": "heartops.dev/v1alpha1",
    "kind": "RetrainSchedule",
    "metadata": {"name": "weekly", "namespace": "default"},
    "spec": {"modelName": "heart", "schedule": "0 3 * * 0"},
}

GOOD: dict[str, dict[str, Any]] = {
    "smallest": {},
    "names and lists": {"spec.schedule": "*/15 0,12 1-7 JAN-MAR mon-fri"},
    "drift alone": {"spec.schedule": GONE, "spec.drift": {}},
    "performance alone": {"spec.schedule": GONE, "spec.performance": {"below": 0.75}},
    "an error of a regression": {"spec.performance": {"metric": "rmse", "above": 4.5}},
    "another zone": {"spec.timeZone": "America/Argentina/Buenos_Aires"},
    "a history of nothing": {"spec.successfulRunsHistoryLimit": 0, "spec.failedRunsHistoryLimit": 0},
}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nothing that starts a run": ({"spec.schedule": GONE}, "at least one of schedule, drift and performance"),
    "no model": ({"spec.modelName": GONE}, "spec.modelName"),
    "a model elsewhere": ({"spec.modelName": "ward/heart"}, "spec.modelName"),
    "minute 60": ({"spec.schedule": "60 * * * *"}, "five cron fields"),
    "hour 24": ({"spec.schedule": "0 24 * * *"}, "five cron fields"),
    "day 0": ({"spec.schedule": "0 0 0 * *"}, "five cron fields"),
    "four fields": ({"spec.schedule": "0 3 * *"}, "five cron fields"),
    "a macro": ({"spec.schedule": "@weekly"}, "five cron fields"),
    "no step": ({"spec.schedule": "*/0 * * * *"}, "five cron fields"),
    "a shell in disguise": ({"spec.schedule": "0 3 * * $(id)"}, "five cron fields"),
    "a bad look": ({"spec.drift": {"schedule": "every hour"}}, "five cron fields"),
    "a path as zone": ({"spec.timeZone": "../etc/passwd"}, "spec.timeZone"),
    "no window": ({"spec.drift": {"window": "0h"}}, "must be greater than zero"),
    "a share over one": ({"spec.drift": {"threshold": 1.5}}, "spec.drift.threshold"),
    "too few samples": ({"spec.drift": {"minSamples": 3}}, "spec.drift.minSamples"),
    "no bound": ({"spec.performance": {"metric": "accuracy"}}, "exactly one of below and above"),
    "both bounds": ({"spec.performance": {"below": 0.5, "above": 0.5}}, "exactly one of below and above"),
    "an error below": ({"spec.performance": {"metric": "rmse", "below": 0.5}}, "above is for mae and rmse"),
    "a share above": ({"spec.performance": {"metric": "recall", "above": 0.5}}, "above is for mae and rmse"),
    "an estimated error": (
        {"spec.performance": {"metric": "mae", "above": 2, "source": "Estimated"}},
        "mae and rmse need outcomes",
    ),
    "an unknown figure": ({"spec.performance": {"metric": "vibes", "below": 0.5}}, "spec.performance.metric"),
    "an unknown policy": ({"spec.concurrencyPolicy": "Allow"}, "spec.concurrencyPolicy"),
    "no runs at all": ({"spec.maxRunsPerWeek": 0}, "spec.maxRunsPerWeek"),
    "a deadline of seconds": ({"spec.startingDeadlineSeconds": 1}, "spec.startingDeadlineSeconds"),
    "an unknown field": ({"spec.jobTemplate": {}}, "spec.jobTemplate"),
    "a name that is no label": ({"metadata.name": "we.ekly"}, "metadata.name"),
}


@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD.keys())
def test_good_ones_are_admitted_with_the_defaults_of_the_types(kubectl, changes: dict[str, Any]) -> None:
    resource = changed(changes, SMALLEST)
    done = kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=resource)
    assert done.returncode == 0, done.stderr
    assert RetrainScheduleSpec.model_validate(json.loads(done.stdout)["spec"]) == RetrainScheduleSpec.model_validate(
        resource["spec"]
    )


@pytest.mark.parametrize(("changes", "words"), BAD.values(), ids=BAD.keys())
def test_bad_ones_are_rejected_with_the_field(kubectl, changes: dict[str, Any], words: str) -> None:
    done = apply(kubectl, changed(changes, SMALLEST), "--dry-run=server")
    assert done.returncode != 0
    assert words in done.stderr


def test_the_model_of_a_schedule_stays(kubectl) -> None:
    assert apply(kubectl, SMALLEST).returncode == 0
    done = apply(kubectl, changed({"spec.modelName": "lungs"}, SMALLEST))
    assert done.returncode != 0
    assert "create another RetrainSchedule" in done.stderr
    assert apply(kubectl, changed({"spec.schedule": "0 4 * * 0"}, SMALLEST)).returncode == 0
    kubectl("delete", "rts", "weekly")


def test_columns_tell_which_schedule_needs_a_person(kubectl):
    """Without the plugin: whose model is not there is seen in the list of all."""
    assert apply(kubectl, changed({"metadata.name": "lost"}, SMALLEST)).returncode == 0
    ready = {"type": "Ready", "status": "False", "reason": "ModelNotFound", "message": "there is no HeartModel heart"}
    status = {"conditions": [ready | {"lastTransitionTime": "2026-11-22T06:00:00Z"}]}
    patch = ("patch", "rts", "lost", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    done = kubectl(*patch)
    assert done.returncode == 0, done.stderr
    head, row = kubectl("get", "rts", "lost", "-o", "wide").stdout.splitlines()
    assert head.split()[:4] == ["NAME", "READY", "MODEL", "SCHEDULE"]
    assert row.split()[:2] == ["lost", "False"]
    assert "ModelNotFound" in row
    assert kubectl("get", "rts", "lost").stdout.splitlines()[0].split()[:2] == ["NAME", "READY"]
    kubectl("delete", "rts", "lost")
