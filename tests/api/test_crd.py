"""What a person gets for a HeartModel at `kubectl apply`: a refusal that names the field, or every default."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from heart_api.heartmodel import HeartModelSpec, HeartModelStatus
from tests.support.plan.changes import GONE, Resource, changed

pytestmark = pytest.mark.api

ROOT = Path(__file__).resolve().parents[2]
SMALLEST: Resource = {
    "apiVersion": "heartops.dev/v1alpha1",
    "kind": "HeartModel",
    "metadata": {"name": "heart", "namespace": "default"},
    "spec": {
        "dataset": {"uri": "https://example.org/heart.csv"},
        "target": {"name": "num"},
        "features": [
            {"name": "age", "type": "number", "minimum": 0, "maximum": 120},
            {"name": "sex", "type": "category", "values": [0, 1], "sensitive": True},
        ],
    },
}


def apply(kubectl, resource: Resource, *options: str):
    return kubectl("apply", "-f", "-", *options, stdin=resource)


FEATURE = "spec.features.0"
CHECKS = "spec.gates.checks"

GOOD = {
    "smallest": {},
    "a file by digest and column names": {
        "spec.dataset": {
            "uri": "https://archive.example.org:8443/heart.data?x=1",
            "sha256": "a" * 64,
            "columns": ["age", "sex", "num"],
            "missingValues": ["?"],
        }
    },
    "s3": {"spec.dataset.uri": "s3://bucket/a/b.parquet", "spec.dataset.format": "parquet"},
    "a volume": {"spec.dataset.uri": "pvc://data/2024/heart.csv"},
    "a ConfigMap": {"spec.dataset.uri": "configmap://heart-data/heart.csv"},
    "built in with options": {"spec.dataset.uri": "builtin://heart-synthetic?rows=300&shift=0.5"},
    "binary by threshold": {"spec.target.positiveAbove": 0, "spec.target.labels": ["healthy", "ill"]},
    "labels by value": {"spec.target.labels": {"0": "healthy", "1": "ill"}, "spec.target.positive": True},
    "regression": {
        "spec.training": {"task": "regression", "algorithms": ["ridge", "stacking"], "scoring": "rmse"},
        CHECKS: [{"metric": "rmse", "max": 0.5}],
    },
    "every kind of check": {
        CHECKS: [
            {"metric": "roc_auc", "min": 0.8},
            {"metric": "brier", "max": 0.16},
            {"metric": "roc_auc", "maxRegression": 0.02},
            {"metric": "recall", "slice": "sex", "maxGap": 0.15},
        ]
    },
    "words as category values": {"spec.features.1.values": ["low", "high", 3]},
    "a fixed number of pods": {"spec.serving.replicas": 0},
    "an autoscaler": {"spec.serving.autoscaling": {"minReplicas": 1, "maxReplicas": 1}},
    "amounts as numbers and as text": {
        "spec.serving.resources": {"requests": {"cpu": 1, "memory": "0.5Gi"}, "limits": {"cpu": "1500m"}}
    },
    "a prediction log": {
        "spec.serving.predictionLog": {"sink": "Stdout", "samplePercent": 0, "redact": ["age"], "retentionDays": 1}
    },
    "no prediction log": {"spec.serving.predictionLog.sink": "None"},
    "learning from feedback": {"spec.dataset.includeFeedback": True, "spec.serving.predictionLog.samplePercent": 50},
    "ingress": {"spec.serving.ingress": {"host": "*.heart.example.org", "className": "nginx", "tlsSecretName": "tls"}},
    "a version by number": {"spec.version": 7},
    "a version by number as text": {"spec.version": "7"},
    "a version by alias": {"spec.version": "@champion"},
    "all traffic at once": {"spec.rollout.steps": []},
    "a pause without end": {"spec.rollout.steps": [{"setWeight": 5}, {"pause": {}}]},
    "a route": {"spec.serving.route": {"gateway": {"name": "public"}, "hostnames": ["heart.example.org"]}},
    "256 features": {"spec.features": [{"name": f"f{i}", "type": "boolean"} for i in range(256)]},
    "the longest name": {"metadata.name": "a" * 63},
}

BAD = {
    # what serves
    "a version of none": ({"spec.version": 0}, "spec.version"),
    "a version by a word": ({"spec.version": "newest"}, "spec.version"),
    "an alias of the operator": ({"spec.version": "@serving"}, "spec.version"),
    "an unknown approval": ({"spec.approval": "Sometimes"}, "spec.approval"),
    # rollout
    "a step that does nothing": ({"spec.rollout.steps": [{}]}, "spec.rollout.steps[0]"),
    "a step that does two things": (
        {"spec.rollout.steps": [{"setWeight": 5, "pause": {}}]},
        "spec.rollout.steps[0]",
    ),
    "all of the traffic as a step": ({"spec.rollout.steps": [{"setWeight": 100}]}, "spec.rollout.steps[0].setWeight"),
    "a pause of no time": (
        {"spec.rollout.steps": [{"pause": {"duration": "0s"}}]},
        "spec.rollout.steps[0].pause.duration",
    ),
    "more than all mirrored": ({"spec.rollout.mirror.percent": 101}, "spec.rollout.mirror.percent"),
    "slower than anybody can tell": (
        {"spec.rollout.analysis.maxLatencyP95": "11s"},
        "spec.rollout.analysis.maxLatencyP95",
    ),
    "an unknown end of evidence": ({"spec.rollout.analysis.onInconclusive": "Pray"}, "spec.rollout.analysis"),
    # dataset
    "no dataset": ({"spec.dataset": GONE}, "spec.dataset"),
    "unknown scheme": ({"spec.dataset.uri": "file:///etc/passwd"}, "spec.dataset.uri"),
    "way out of a volume": ({"spec.dataset.uri": "pvc://data/../../etc/passwd"}, "spec.dataset.uri"),
    "a claim in another namespace": ({"spec.dataset.uri": "pvc://other/../claim"}, "spec.dataset.uri"),
    "a claim's name that is none": ({"spec.dataset.uri": "pvc://Data_1/heart.csv"}, "spec.dataset.uri"),
    "a key with folders": ({"spec.dataset.uri": "configmap://data/a/b.csv"}, "spec.dataset.uri"),
    "half a digest": ({"spec.dataset.sha256": "abc"}, "spec.dataset.sha256"),
    "unknown format": ({"spec.dataset.format": "excel"}, "spec.dataset.format"),
    "columns of parquet": (
        {"spec.dataset.format": "parquet", "spec.dataset.columns": ["age", "sex", "num"]},
        "spec.dataset.columns",
    ),
    "columns without the target": ({"spec.dataset.columns": ["age", "sex"]}, "spec.dataset.columns"),
    "columns without a feature": ({"spec.dataset.columns": ["age", "num"]}, "spec.dataset.columns"),
    "a column twice": ({"spec.dataset.columns": ["age", "sex", "num", "age"]}, "spec.dataset.columns"),
    "a number as spelling": ({"spec.dataset.missingValues": [0]}, "spec.dataset.missingValues"),
    # target
    "no target": ({"spec.target": GONE}, "spec.target"),
    "target among the features": ({"spec.target.name": "age"}, "spec.features"),
    "threshold of a regression": (
        {"spec.target.positiveAbove": 0, "spec.training.task": "regression"},
        "spec.target.positiveAbove",
    ),
    # features
    "no features": ({"spec.features": []}, "spec.features"),
    "a feature twice": ({"spec.features.2": {"name": "age", "type": "number"}}, "spec.features"),
    "too many features": (
        {"spec.features": [{"name": f"f{i}", "type": "boolean"} for i in range(257)]},
        "spec.features",
    ),
    "a column name with a space": ({f"{FEATURE}.name": "max hr"}, "spec.features[0].name"),
    "unknown type": ({f"{FEATURE}.type": "text"}, "spec.features[0].type"),
    "bounds the wrong way round": ({f"{FEATURE}.minimum": 121}, "spec.features[0].minimum"),
    "bounds of a boolean": ({f"{FEATURE}.type": "boolean"}, "spec.features[0].type"),
    "a category without values": ({"spec.features.1.values": GONE}, "spec.features[1].values"),
    "values of a number": ({f"{FEATURE}.values": [1, 2]}, "spec.features[0].values"),
    "one value": ({"spec.features.1.values": [1]}, "spec.features[1].values"),
    "a value twice": ({"spec.features.1.values": [1, 1]}, "spec.features[1].values"),
    "true and false as values": ({"spec.features.1.values": [True, False]}, "spec.features[1].values"),
    "a fraction as value": ({"spec.features.1.values": [0.5, 1]}, "spec.features[1].values"),
    # training
    "unknown task": ({"spec.training.task": "clustering"}, "spec.training.task"),
    "unknown algorithm": ({"spec.training.algorithms": ["svm"]}, "spec.training.algorithms"),
    "an algorithm twice": ({"spec.training.algorithms": ["stacking", "stacking"]}, "spec.training.algorithms"),
    "ridge for classes": ({"spec.training.algorithms": ["ridge"]}, "spec.training.algorithms"),
    "logistic regression for numbers": (
        {"spec.training": {"task": "regression", "algorithms": ["logistic-regression"]}},
        "spec.training.algorithms",
    ),
    "rmse for classes": ({"spec.training.scoring": "rmse"}, "spec.training.scoring"),
    "roc_auc for numbers": ({"spec.training": {"task": "regression", "scoring": "roc_auc"}}, "spec.training.scoring"),
    "calibrated numbers": (
        {"spec.training": {"task": "regression", "calibration": "isotonic"}},
        "spec.training.calibration",
    ),
    "one fold": ({"spec.training.crossValidation.folds": 1}, "spec.training.crossValidation.folds"),
    "all rows held out": ({"spec.training.holdout": 1}, "spec.training.holdout"),
    "a negative seed": ({"spec.training.seed": -1}, "spec.training.seed"),
    "no time": ({"spec.training.timeoutSeconds": 0}, "spec.training.timeoutSeconds"),
    "an engine, which does not exist yet": ({"spec.training.engine": "Dask"}, "spec.training.engine"),
    # gates
    "unknown metric": ({CHECKS: [{"metric": "auc", "min": 0.8}]}, "spec.gates.checks[0].metric"),
    "a check without bound": ({CHECKS: [{"metric": "roc_auc"}]}, "spec.gates.checks[0]"),
    "a check with two bounds": ({CHECKS: [{"metric": "roc_auc", "min": 0.8, "max": 0.9}]}, "spec.gates.checks[0]"),
    "a slope that may not get worse": (
        {CHECKS: [{"metric": "calibration_slope", "maxRegression": 0.1}]},
        "spec.gates.checks[0].metric",
    ),
    "a gap of nothing": ({CHECKS: [{"metric": "recall", "maxGap": 0.1}]}, "spec.gates.checks[0].slice"),
    "a slice without a gap": (
        {CHECKS: [{"metric": "recall", "min": 0.1, "slice": "sex"}]},
        "spec.gates.checks[0].slice",
    ),
    "a slice that is no feature": (
        {CHECKS: [{"metric": "recall", "maxGap": 0.1, "slice": "race"}]},
        "spec.gates.checks",
    ),
    "a slice that is not sensitive": (
        {CHECKS: [{"metric": "recall", "maxGap": 0.1, "slice": "age"}]},
        "spec.gates.checks",
    ),
    "a metric of another task": ({CHECKS: [{"metric": "rmse", "max": 0.1}]}, "spec.gates.checks"),
    "a negative regression": (
        {CHECKS: [{"metric": "roc_auc", "maxRegression": -0.1}]},
        "spec.gates.checks[0].maxRegression",
    ),
    # serving
    "replicas and autoscaler": (
        {"spec.serving": {"replicas": 3, "autoscaling": {"minReplicas": 3}}},
        "spec.serving.replicas",
    ),
    "another sink": ({"spec.serving.predictionLog.sink": "Kafka"}, "spec.serving.predictionLog.sink"),
    "more than all": ({"spec.serving.predictionLog.samplePercent": 101}, "spec.serving.predictionLog.samplePercent"),
    "kept for no day": ({"spec.serving.predictionLog.retentionDays": 0}, "spec.serving.predictionLog.retentionDays"),
    "a stranger redacted": ({"spec.serving.predictionLog.redact": ["agee"]}, "spec.serving.predictionLog.redact"),
    "feedback without a log": (
        {"spec.dataset.includeFeedback": True, "spec.serving.predictionLog.sink": "None"},
        "spec.dataset.includeFeedback",
    ),
    "feedback of redacted rows": (
        {"spec.dataset.includeFeedback": True, "spec.serving.predictionLog.redact": ["age"]},
        "spec.dataset.includeFeedback",
    ),
    "negative replicas": ({"spec.serving.replicas": -1}, "spec.serving.replicas"),
    "more at least than at most": (
        {"spec.serving.autoscaling.minReplicas": 21},
        "spec.serving.autoscaling.minReplicas",
    ),
    "an autoscaler down to nothing": (
        {"spec.serving.autoscaling.minReplicas": 0},
        "spec.serving.autoscaling.minReplicas",
    ),
    "no memory": ({"spec.serving.resources.limits.memory": 0}, "spec.serving.resources.limits.memory"),
    "no cores": ({"spec.serving.resources.limits.cpu": "0m"}, "spec.serving.resources.limits.cpu"),
    "memory in a unit that is none": (
        {"spec.training.resources.limits.memory": "4GB"},
        "spec.training.resources.limits.memory",
    ),
    "a request above its limit": (
        {"spec.serving.resources": {"requests": {"cpu": 2}, "limits": {"cpu": "1500m"}}},
        "spec.serving.resources.requests.cpu",
    ),
    "more memory asked for than allowed": (
        {"spec.training.resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "2000Mi"}}},
        "spec.training.resources.requests.memory",
    ),
    "a GPU, which no resource may ask for": (
        {"spec.serving.resources.limits": {"nvidia.com/gpu": 1}},
        "nvidia.com/gpu",
    ),
    "an address as host": ({"spec.serving.ingress.host": "http://heart"}, "spec.serving.ingress.host"),
    "a path that is none": ({"spec.serving.ingress": {"host": "a.b", "path": "x;"}}, "spec.serving.ingress.path"),
    # rollout and monitoring
    "no time to get ready": ({"spec.rollout.readyDeadline": "0s"}, "spec.rollout.readyDeadline"),
    "a length of time in words": ({"spec.rollout.rollbackWindow": "one hour"}, "spec.rollout.rollbackWindow"),
    "more errors to warn than to call": (
        {"spec.monitoring.alerts.errorRate": {"warning": 0.1, "critical": 0.05}},
        "spec.monitoring.alerts.errorRate.warning",
    ),
    "a worse accuracy to warn than to call": (
        {"spec.monitoring.alerts.accuracy": {"warning": 0.6, "critical": 0.7}},
        "spec.monitoring.alerts.accuracy.warning",
    ),
    "longer to warn than to call": (
        {"spec.monitoring.alerts.latencyP95": {"warning": "2s", "critical": "900ms"}},
        "spec.monitoring.alerts.latencyP95.warning",
    ),
    "longer than anybody can tell": (
        {"spec.monitoring.alerts.latencyP95": {"warning": "2s", "critical": "1m"}},
        "spec.monitoring.alerts.latencyP95.critical",
    ),
    "no errors ever": ({"spec.monitoring.alerts.availabilityObjective": 1}, "availabilityObjective"),
    # what must not exist
    "a pod template": ({"spec.serving.template": {}}, "spec.serving.template"),
    "an image": ({"spec.training.image": "evil"}, "spec.training.image"),
    "a typing error": ({"spec.trainning": {}}, "spec.trainning"),
    "an unknown feature field": ({f"{FEATURE}.min": 0}, "spec.features[0].min"),
    # names
    "a name with a dot": ({"metadata.name": "heart.v1"}, "metadata.name"),
    "a name that begins with a digit": ({"metadata.name": "1heart"}, "metadata.name"),
    "a name too long for a Service": ({"metadata.name": "a" * 64}, "metadata.name"),
    "a runtime with a path": ({"spec.runtime": "../default"}, "spec.runtime"),
    "a registry name with a quote": ({"spec.registryName": "a' or name like '%"}, "spec.registryName"),
}


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
def test_refuses_and_names_the_field(answers, name):
    assert answers[name].returncode != 0, "accepted"
    assert BAD[name][1] in answers[name].stderr


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
    assert spec["gates"] == {"onInsufficientEvidence": "Hold"}
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


def test_scaling_an_autoscaled_model_is_refused(kubectl, heart):
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
    assert "How much worse than the serving version it may be" in " ".join(said.split())


def test_every_field_is_explained(kubectl):
    crd = kubectl.read("get", "crd", "heartmodels.heartops.dev")
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    assert [path for part in ("spec", "status") for path in silent(part, schema[part])] == []


def silent(path: str, schema: Resource) -> list[str]:
    """Paths of the fields without a description."""
    own = [] if schema.get("description") else [path]
    below = {**schema.get("properties", {}), **schema.get("items", {}).get("properties", {})}
    return own + [found for name, field in below.items() for found in silent(f"{path}.{name}", field)]
