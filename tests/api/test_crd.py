"""What a person gets for a HeartModel at `kubectl apply`: a refusal that names the field, or every default."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from heart_api.heartmodel import HeartModelSpec, HeartModelStatus
from heart_trainer.validation.resource import complaints
from tests.support.plan.changes import GONE, Resource, changed
from tests.support.specs import BAD, GOOD, SMALLEST

pytestmark = pytest.mark.api

ROOT = Path(__file__).resolve().parents[2]


def apply(kubectl, resource: Resource, *options: str):
    return kubectl("apply", "-f", "-", *options, stdin=resource)


@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD)
def test_accepts(kubectl, changes):
    done = apply(kubectl, changed(changes, SMALLEST), "--dry-run=server", "-o", "json")
    assert done.returncode == 0, done.stderr
    HeartModelSpec.model_validate(json.loads(done.stdout)["spec"])


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*/heartmodel.yaml")), ids=lambda path: path.parent.name)
def test_accepts_the_examples(kubectl, path):
    resource = yaml.safe_load(path.read_text())
    resource["metadata"]["namespace"] = "default"
    done = apply(kubectl, resource, "--dry-run=server")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def answers(kubectl):
    """What the server says to each bad resource."""
    return {name: apply(kubectl, changed(changes, SMALLEST), "--dry-run=server") for name, (changes, _) in BAD.items()}


@pytest.mark.parametrize("name", BAD)
def test_rejects_and_names_the_field(answers, name):
    assert answers[name].returncode != 0, "accepted"
    assert BAD[name][1] in answers[name].stderr


@pytest.mark.parametrize("name", BAD)
def test_a_laptop_says_the_same(answers, name):
    """Line by line, so that nobody learns of a mistake in one place that the other lets pass."""
    said = complaints(changed(BAD[name][0], SMALLEST))
    assert said
    assert [line for line in said if comparable(line) not in answers[name].stderr] == []


def comparable(line: str) -> str:
    """The server writes `<nil>` for metadata.name in a rule of the whole resource, and bounds without a fraction."""
    return re.sub(r"(in body should be (?:less|greater) than.*)\.\d+$", r"\1", line.removeprefix("metadata.name: "))


def test_every_rule_has_a_resource_that_breaks_it(answers):
    """A rule whose message never shows up is either dead or untested."""
    said = "".join(done.stderr for done in answers.values())
    unheard = [text for text in messages(HeartModelSpec.model_json_schema()) if text not in said]
    # Needs a resource that exists: test_registry_name_never_changes.
    assert unheard == ["registryName cannot be added, changed or removed: create a new HeartModel instead"]


def messages(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [text for item in schema for text in messages(item)]
    if not isinstance(schema, dict):
        return []
    own = [found["message"] for found in schema.get("x-kubernetes-validations", ())]
    return own + [text for value in schema.values() for text in messages(value)]


@pytest.fixture
def heart(kubectl):
    """A stored model, gone afterwards."""
    resource = changed({"metadata.name": "stored", "spec.serving.replicas": 2}, SMALLEST)
    assert apply(kubectl, resource).returncode == 0
    yield resource
    kubectl("delete", "heartmodel", "stored", "--wait")


def test_shows_every_default(kubectl):
    done = apply(kubectl, changed({}, SMALLEST), "--dry-run=server", "-o", "json")
    spec = json.loads(done.stdout)["spec"]
    assert spec["training"] == {
        "task": "classification",
        "tuning": {"trials": 10, "timeoutSeconds": 600},
        "crossValidation": {"folds": 5},
        "holdout": 0,
        "calibration": "auto",
        "seed": 42,
        "timeoutSeconds": 3600,
        "backoffLimit": 2,
        "scale": {"mode": "Auto"},
    }
    assert (spec["version"], spec["approval"]) == ("latest", "Automatic")
    assert spec["rollout"] == {
        "steps": [{"setWeight": 10}, {"pause": {"duration": "5m"}}, {"setWeight": 50}, {"pause": {"duration": "5m"}}],
        "mirror": {"percent": 0},
        "analysis": {
            "interval": "30s",
            "minRequests": 100,
            "failureLimit": 2,
            "maxErrorRate": 0.02,
            "maxLatencyP95": "500ms",
            "maxPredictionShift": 0.25,
            "onInconclusive": "Hold",
        },
        "readyDeadline": "60s",
        "progressDeadline": "30m",
        "rollbackWindow": "1h",
        "historyLimit": 10,
    }
    assert spec["monitoring"] == {
        "serviceMonitor": True,
        "alerts": {
            "errorRate": {"warning": 0.02, "critical": 0.05},
            "latencyP95": {"warning": "500ms", "critical": "1s"},
            "accuracy": {"warning": 0.75, "critical": 0.7},
            "availabilityObjective": 0.999,
        },
    }
    assert spec["gates"] == {"leakage": "Fail", "onInsufficientEvidence": "Hold"}
    assert spec["dataset"]["format"] == "csv"
    assert (spec["suspend"], spec["runtime"]) == (False, "default")
    assert spec["features"][0] | {"sensitive": False, "required": True} == spec["features"][0]


def test_fills_in_what_a_part_leaves_out(kubectl):
    changes = {"spec.training.tuning.trials": 3, "spec.monitoring.alerts.availabilityObjective": 0.99}
    spec = json.loads(apply(kubectl, changed(changes, SMALLEST), "--dry-run=server", "-o", "json").stdout)["spec"]
    assert spec["training"]["tuning"] == {"trials": 3, "timeoutSeconds": 600}
    assert spec["training"]["crossValidation"] == {"folds": 5}
    assert spec["monitoring"]["alerts"]["errorRate"] == {"warning": 0.02, "critical": 0.05}


def test_types_agree_with_the_schema_about_defaults(kubectl):
    """The operator reads the same from a resource that the server completed as from one that it did not."""
    stored = json.loads(apply(kubectl, changed({}, SMALLEST), "--dry-run=server", "-o", "json").stdout)
    assert HeartModelSpec.model_validate(stored["spec"]) == HeartModelSpec.model_validate(SMALLEST["spec"])


@pytest.mark.parametrize(
    ("before", "after"), [(GONE, "team.heart"), ("team.heart", "team.other"), ("team.heart", GONE)]
)
def test_registry_name_never_changes(kubectl, before, after):
    first, second = (
        changed({"metadata.name": "fixed"} | ({} if name is GONE else {"spec.registryName": name}), SMALLEST)
        for name in (before, after)
    )
    try:
        assert apply(kubectl, first).returncode == 0
        done = apply(kubectl, second)
        assert done.returncode != 0
        assert "spec.registryName: Forbidden: registryName cannot be added, changed or removed" in done.stderr
    finally:
        kubectl("delete", "heartmodel", "fixed", "--wait")


def test_scales(kubectl, heart):
    assert kubectl("scale", "heartmodel", "stored", "--replicas=5").returncode == 0
    assert kubectl.read("get", "heartmodel", "stored")["spec"]["serving"]["replicas"] == 5


def test_scaling_an_autoscaled_model_is_rejected(kubectl, heart):
    autoscaled = changed({"metadata.name": "stored", "spec.serving.autoscaling": {}}, SMALLEST)
    assert apply(kubectl, autoscaled).returncode == 0
    done = kubectl("scale", "heartmodel", "stored", "--replicas=5")
    assert done.returncode != 0
    assert "exclude each other" in done.stderr


TIME = "2026-01-02T03:04:05Z"
COUNTS = {"requests": 9, "errors": 1, "invalid": 1, "latency": [8, 1], "outputs": {"0.05": 9}}
GIVEN = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Serving",
            "message": "Version 7 serves.",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
            "observedGeneration": 1,
        }
    ],
    "serving": {
        "version": "7",
        "digest": "sha256:" + "a" * 64,
        "since": "2026-01-02T03:04:05Z",
        "replicas": 2,
        "readyReplicas": 2,
        "url": "http://stored.default.svc",
        "postPromotionAnalysis": {
            "time": TIME,
            "consecutiveFailures": 1,
            "requests": 9,
            "errors": 3,
            "evidence": {"errors/overLimit": [1.5, -2.5]},
        },
    },
    "candidate": {
        "version": "8",
        "digest": "sha256:" + "b" * 64,
        "since": TIME,
        "step": 1,
        "stepSince": TIME,
        "weight": 10,
        "actualWeight": 25,
        "phase": "Paused",
        "phaseSince": TIME,
        "analysis": {"time": TIME, "intervals": 3, "verdict": "Passed", "stable": COUNTS, "candidate": COUNTS},
        "mirror": {"compared": 9, "different": 1, "maxDifference": 0.25},
    },
    "command": {"id": "1", "action": "promote", "version": "8", "by": "alice", "time": TIME, "result": "approved"},
    "evaluation": {"job": "stored-evaluate-1", "trigger": "evaluate-8-abc", "phase": "Running"},
    "desiredVersion": "latest",
    "previous": {"version": "6", "digest": "sha256:" + "c" * 64, "warmUntil": "2026-01-02T04:04:05Z"},
    "rejected": [
        {
            "version": "5",
            "digest": "sha256:" + "d" * 64,
            "reason": "GateFailed",
            "gatesHash": "e" * 8,
            "message": "roc_auc 0.71 < 0.80",
            "time": "2026-01-02T03:04:05Z",
        }
    ],
    "training": {"job": "stored-train-1", "trigger": "abc", "phase": "Succeeded", "runId": "r", "version": "7"},
    "history": [
        {
            "version": "7",
            "digest": "sha256:" + "a" * 64,
            "from": "2026-01-02T03:04:05Z",
            "reason": "Promoted",
            "by": "heartops",
        }
    ],
    "gate": "4/4 passed",
    "drift": {"verdict": "NoDrift", "share": 0.0, "time": TIME, "schedule": "nightly"},
    "replicas": 2,
    "selector": "heartops.dev/model=stored",
}
STATUS = HeartModelStatus.model_validate(GIVEN).dump()
"""As the operator writes it, with every field that has a default."""


def test_status_comes_back_as_it_was_written(kubectl, heart):
    """Every field that the operator writes has its place in the schema, and a spec cannot be slipped in beside it."""
    patch = json.dumps({"status": STATUS, "spec": {"suspend": True}})
    done = kubectl("patch", "heartmodel", "stored", "--subresource=status", "--type=merge", "-p", patch)
    assert done.returncode == 0, done.stderr
    stored = kubectl.read("get", "heartmodel", "stored")
    assert stored["status"] == STATUS
    assert stored["spec"]["suspend"] is False
    assert HeartModelStatus.model_validate(stored["status"]).dump() == STATUS


def test_columns_tell_what_serves(kubectl, heart):
    patch = json.dumps({"status": STATUS})
    kubectl("patch", "heartmodel", "stored", "--subresource=status", "--type=merge", "-p", patch)
    short, wide = (kubectl("get", "hm", *options).stdout.splitlines() for options in ((), ("-o", "wide")))
    assert short[0].split() == ["NAME", "READY", "VERSION", "CANDIDATE", "WEIGHT", "GATE", "DRIFT", "URL", "AGE"]
    row = ["stored", "True", "7", "8", "25", "4/4", "passed", "NoDrift", "http://stored.default.svc"]
    assert short[1].split()[:9] == row
    assert {"REASON", "TRAINING", "REPLICAS"} < set(wide[0].split())
    assert {"Serving", "Succeeded", "2"} < set(wide[1].split())


def test_explains_its_fields(kubectl):
    said = kubectl("explain", "hm.spec.gates.checks").stdout
    assert "maxRegression\t<number>" in said
    assert "Maximum regression compared with the serving version" in " ".join(said.split())


def test_every_field_is_explained(kubectl):
    crd = kubectl.read("get", "crd", "heartmodels.heartops.dev")
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    assert [path for part in ("spec", "status") for path in silent(part, schema[part])] == []


def silent(path: str, schema: Resource) -> list[str]:
    """Paths of the fields without a description."""
    own = [] if schema.get("description") else [path]
    below = {**schema.get("properties", {}), **schema.get("items", {}).get("properties", {})}
    return own + [found for name, field in below.items() for found in silent(f"{path}.{name}", field)]
