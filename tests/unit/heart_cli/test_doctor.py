"""`kubectl heart doctor` on answers of an API server in memory: findings, order, and what may not be read."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from click.testing import CliRunner, Result

from heart_api.kube.kinds import EVENT, HEART_MODEL, JOB, Kind
from heart_cli import options
from heart_cli.cli import cli
from heart_cli.errors import ApiFailure
from tests.support.apiserver.heart_objects import condition, heart_model

Answers = dict[str, Any]
OURS = {"app.kubernetes.io/part-of": "heartops"}
ROOT = "/apis/monitoring.coreos.com/v1"


@dataclass
class FakeServer:
    """Stands for `heart_cli.client.Client`: answers by path, 404 for all others; lists ignore selectors."""

    answers: Answers
    allowed: bool = True
    namespace: str = "clinic"
    reviewed: list[dict[str, Any]] = field(default_factory=list)

    def elsewhere(self, namespace: str) -> "FakeServer":
        return FakeServer(self.answers, self.allowed, namespace, self.reviewed)

    def list(self, kind: Kind, **_: Any) -> list[dict[str, Any]]:
        return self.answers.get(kind.path(self.namespace), {"items": []})["items"]

    def call(self, method: str, path: str, query: Any = None, body: Any = None, **_: Any) -> Any:
        if method == "POST":
            self.reviewed.append(body["spec"])
            return {"status": {"allowed": self.allowed}}
        found = self.answers.get(path)
        if isinstance(found, ApiFailure):
            raise found
        if found is None:
            raise ApiFailure("not found", 404)
        component = (query or {}).get("labelSelector", "").partition("component=")[2]
        if component and "items" in found:
            return {"items": [item for item in found["items"] if component in json.dumps(item)]}
        return found


def resources(*plurals: str) -> Answers:
    return {"resources": [{"name": plural} for plural in plurals]}


def workload(name: str, component: str, ready: int = 1, **spec: Any) -> Answers:
    labels = OURS | {"app.kubernetes.io/component": component}
    pod = {"spec": {"serviceAccountName": "heartops", "containers": [{"name": component, "env": []}]}}
    meta = {"name": name, "labels": labels}
    wanted = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod} | spec
    return {"metadata": meta, "spec": wanted, "status": {"readyReplicas": ready}}


def monitor(name: str = "heart", **labels: str) -> Answers:
    return {"metadata": {"name": name, "labels": OURS | labels}}


def prometheus(**spec: Any) -> Answers:
    everywhere = {"serviceMonitorNamespaceSelector": {}, "ruleNamespaceSelector": {}}
    return {"metadata": {"name": "k8s", "namespace": "monitoring"}, "spec": everywhere | spec}


def healthy() -> Answers:
    ready = heart_model({"conditions": [condition("Ready", "True", "Serving", "Version 6 serves")]})
    system, mine = "heartops-system", "clinic"
    found: Answers = {
        "/apis/heartops.dev/v1alpha1": resources("heartmodels", "retrainschedules", "federationsites"),
        "/apis/metrics.k8s.io/v1beta1": resources("pods"),
        "/apis/gateway.networking.k8s.io/v1": resources("gateways", "httproutes"),
        ROOT: resources("servicemonitors", "prometheusrules", "prometheuses"),
        f"{ROOT}/prometheuses": {"items": [prometheus(serviceMonitorSelector={}, ruleSelector={})]},
        f"{ROOT}/namespaces/{system}/servicemonitors": {"items": [monitor("heartops-operator")]},
        f"{ROOT}/namespaces/{system}/prometheusrules": {"items": [monitor("heartops-operator")]},
        "/apis/storage.k8s.io/v1/storageclasses": {"items": []},
        f"/apis/apps/v1/namespaces/{system}/deployments": {
            "items": [workload("heartops-operator", "operator"), workload("heartops-mlflow", "mlflow")]
        },
        f"/apis/apps/v1/namespaces/{system}/statefulsets": {"items": [workload("heartops-postgresql", "postgresql")]},
        f"/api/v1/namespaces/{mine}/secrets/heartops-runtime": {
            "data": {"HEARTOPS_ROW_KEY": "eA==", "HEARTOPS_DATABASE_URL": "eA=="}
        },
        f"/apis/heartops.dev/v1alpha1/namespaces/{mine}/heartmodels": {"items": [ready]},
        "/apis/rbac.authorization.k8s.io/v1/clusterroles": {"items": []},
    }
    return found


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch):
    """`doctor(answers, …)` runs the command on such a server."""

    def run(answers: Answers, *words: str, allowed: bool = True) -> Result:
        monkeypatch.setattr(options, "connect", lambda *_: FakeServer(answers, allowed))
        return CliRunner().invoke(cli, ["doctor", *words])

    return run


def findings(done: Result, area: str) -> list[dict[str, str]]:
    return [each for each in json.loads(done.stdout)["findings"] if each["area"] == area]


def problem(done: Result, area: str) -> dict[str, str]:
    assert done.exit_code == 1, done.output
    (found,) = [each for each in findings(done, area) if each["level"] == "problem"]
    return found


def test_a_healthy_installation_has_no_problem(doctor):
    done = doctor(healthy())
    assert done.exit_code == 0, done.output
    assert "problem" not in done.stdout
    assert [line for line in done.stdout.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize(
    ("path", "answer", "area", "fix"),
    [
        ("/apis/heartops.dev/v1alpha1", None, "CRDs", "kubectl apply --server-side"),
        ("/apis/apps/v1/namespaces/heartops-system/deployments", {"items": []}, "operator", "--system-namespace"),
        (
            "/apis/apps/v1/namespaces/heartops-system/statefulsets",
            {"items": [workload("heartops-postgresql", "postgresql", ready=0)]},
            "database",
            "kubectl describe pods",
        ),
        (
            "/apis/apps/v1/namespaces/heartops-system/statefulsets",
            {"items": [workload("heartops-postgresql", "postgresql", replicas=0)]},
            "database",
            "--replicas=1",
        ),
        ("/api/v1/namespaces/clinic/secrets/heartops-runtime", None, "Secret", "init-namespace clinic"),
        ("/apis/metrics.k8s.io/v1beta1", None, "autoscaling", "metrics-server"),
    ],
)
def test_what_is_missing_has_its_fix(doctor, path, answer, area, fix):
    assert fix in problem(doctor(healthy() | {path: answer}, "-o", "json"), area)["fix"]


def test_a_selector_that_nothing_matches_names_the_label(doctor):
    stack = {"matchLabels": {"release": "stack"}}
    chosen = {f"{ROOT}/prometheuses": {"items": [prometheus(serviceMonitorSelector=stack, ruleSelector={})]}}
    found = findings(doctor(healthy() | chosen, "-o", "json"), "monitoring")
    assert {each["fix"].rpartition(" ")[2] for each in found if each["level"] == "problem"} == {
        "monitoring.labels.release=stack"
    }
    labelled = {f"{ROOT}/namespaces/clinic/servicemonitors": {"items": [monitor(release="stack")]}}
    left = findings(doctor(healthy() | chosen | labelled, "-o", "json"), "monitoring")
    assert ["heartops-system" in each["message"] for each in left if each["level"] == "problem"] == [True]


def test_an_installation_that_is_older_than_the_prometheus_operator_is_told_of(doctor):
    """The chart leaves its ServiceMonitors out where the cluster does not know the kind."""
    older = {f"{ROOT}/namespaces/heartops-system/{kind}": None for kind in ("servicemonitors", "prometheusrules")}
    found = findings(doctor(healthy() | older, "-o", "json"), "monitoring")
    notes = [each for each in found if each["level"] == "note"]
    assert ["ServiceMonitor" in notes[0]["message"], "PrometheusRule" in notes[1]["message"]] == [True, True]
    assert all("--set monitoring.serviceMonitor=true" in each["fix"] for each in notes)


@pytest.mark.parametrize(
    ("served", "level", "words"),
    [
        ({}, "problem", "Install prometheus-adapter"),
        ({"/apis/custom.metrics.k8s.io/v1beta1": resources("pods/other")}, "problem", "Add the rule"),
        ({"/apis/custom.metrics.k8s.io/v1beta1": resources("pods/predictions_per_second")}, "ok", ""),
        ({"/apis/custom.metrics.k8s.io/v1beta2": resources("pods/predictions_per_second")}, "ok", ""),
    ],
)
def test_scaling_on_predictions_needs_an_adapter_that_serves_their_rate(doctor, served, level, words):
    path = "/apis/heartops.dev/v1alpha1/namespaces/clinic/heartmodels"
    busy = heart_model({})
    busy["spec"] = busy.get("spec", {}) | {"serving": {"autoscaling": {"targetPredictionsPerSecond": 50}}}
    answers = healthy() | {path: {"items": [busy]}, "/apis/metrics.k8s.io/v1beta1": None} | served
    (found,) = findings(doctor(answers, "-o", "json"), "autoscaling")
    assert (found["level"], found["fix"].startswith(words)) == (level, True)


def test_a_prometheus_that_may_not_read_metrics_gets_a_binding(doctor):
    done = doctor(healthy(), "-o", "json", allowed=False)
    assert "--clusterrole=heartops-metrics-reader" in problem(done, "monitoring")["fix"]
    assert "may not" in problem(done, "permissions")["message"]


def scraped(component: str) -> Answers:
    """A ServiceMonitor of the chart."""
    labels = OURS | {"app.kubernetes.io/component": component}
    meta = {"name": f"heartops-{component}", "labels": labels}
    return {"metadata": meta, "spec": {"selector": {"matchLabels": pod_labels(component)}}}


def pod_labels(component: str) -> dict[str, str]:
    return {"app.kubernetes.io/instance": "heartops", "app.kubernetes.io/component": component}


def policy(component: str, *rules: Answers) -> Answers:
    spec = {"podSelector": {"matchLabels": pod_labels(component)}, "policyTypes": ["Ingress"], "ingress": list(rules)}
    return {"metadata": {"name": f"heartops-{component}"}, "spec": spec}


OUR_PODS = {"namespaceSelector": {}, "podSelector": {"matchLabels": OURS}}
BY_NAME = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["monitoring"]}
WATCHERS = {"namespaceSelector": {"matchExpressions": [BY_NAME]}}


@pytest.mark.parametrize(
    ("rules", "closed"),
    [
        ([{"ports": [{"port": 5000}], "from": [OUR_PODS]}], True),
        ([{"ports": [{"port": 5000}], "from": [OUR_PODS, WATCHERS]}], False),
        ([{"ports": [{"port": 5000}]}], False),
        ([{}], False),
        ([{"ports": [{"port": 8080}]}], True),
        ([], True),
    ],
)
def test_a_prometheus_that_a_policy_keeps_from_mlflow_is_told_of(doctor, rules, closed):
    path = "/apis/networking.k8s.io/v1/namespaces/heartops-system/networkpolicies"
    monitors = {
        f"{ROOT}/namespaces/heartops-system/servicemonitors": {"items": [scraped("mlflow"), scraped("operator")]}
    }
    policies = {path: {"items": [policy("mlflow", *rules), policy("other")]}}
    done = doctor(healthy() | monitors | policies, "-o", "json")
    assert done.exit_code == 0, "a network plugin may not enforce them"
    notes = [each for each in findings(done, "monitoring") if each["level"] == "note"]
    assert len(notes) == closed
    for note in notes:
        assert note["message"].endswith("keep namespace monitoring from the metrics of mlflow")
        assert note["fix"].endswith("--set 'monitoring.namespaces={monitoring}'")


def test_a_profile_that_keeps_prometheus_from_the_models_is_told_of(doctor):
    profile = {"default": {"monitoringNamespaces": ["elsewhere"]}}
    stored = {"metadata": {"name": "heartops-runtimes"}, "data": {"profiles.yaml": json.dumps(profile)}}
    stored["metadata"]["labels"] = OURS | {"app.kubernetes.io/component": "operator"}
    answers = healthy() | {
        f"{ROOT}/namespaces/heartops-system/servicemonitors": {"items": [scraped("operator")]},
        "/api/v1/namespaces/heartops-system/configmaps": {"items": [stored]},
    }
    (note,) = [each for each in findings(doctor(answers, "-o", "json"), "monitoring") if each["level"] == "note"]
    assert note["message"].endswith("the metrics of models in namespace clinic")


def test_what_may_not_be_read_is_no_problem(doctor):
    forbidden = {"/api/v1/namespaces/clinic/secrets/heartops-runtime": ApiFailure("secrets is forbidden", 403)}
    done = doctor(healthy() | forbidden, "-o", "json")
    assert done.exit_code == 0
    assert [each["level"] for each in findings(done, "Secret")] == ["unknown"]
    secret = {f"{ROOT}/prometheuses": ApiFailure("prometheuses is forbidden", 403)}
    found = findings(doctor(healthy() | secret, "-o", "json"), "monitoring")
    assert [each["level"] for each in found] == ["unknown"], "said once, though two checks ask for it"


def claim(name: str, **spec: Any) -> Answers:
    return {"metadata": {"name": name}, "spec": spec, "status": {"phase": "Pending"}}


def with_claim(found: Answers, *pods: Answers, **storage_class: Any) -> Answers:
    standard = {"metadata": {"name": "standard"}, "volumeBindingMode": "WaitForFirstConsumer"} | storage_class
    return healthy() | {
        "/apis/storage.k8s.io/v1/storageclasses": {"items": [standard]},
        "/api/v1/namespaces/clinic/persistentvolumeclaims": {"items": [found]},
        "/api/v1/namespaces/clinic/pods": {"items": list(pods)},
    }


def mounting(name: str) -> Answers:
    volumes = [{"name": "tmp", "emptyDir": {}}, {"name": "data", "persistentVolumeClaim": {"claimName": name}}]
    return {"metadata": {"name": "heart-train"}, "spec": {"volumes": volumes}, "status": {}}


STANDARD = claim("rows", storageClassName="standard")


@pytest.mark.parametrize(
    ("answers", "level", "words"),
    [
        (with_claim(STANDARD), "note", "made for the first pod"),
        (with_claim(STANDARD, mounting("other")), "note", "made for the first pod"),
        (with_claim(STANDARD, mounting("rows")), "problem", "kubectl describe pvc rows -n clinic"),
        (with_claim(STANDARD, volumeBindingMode="Immediate"), "problem", "kubectl describe pvc rows -n clinic"),
        (with_claim(claim("rows", storageClassName="fast")), "problem", "there is no StorageClass fast"),
        (with_claim(claim("rows")), "problem", "no default StorageClass"),
        (with_claim(claim("rows", storageClassName="")), "problem", "kubectl describe pvc rows -n clinic"),
    ],
)
def test_a_claim_that_waits_says_for_what(doctor, answers, level, words):
    """Most storage classes wait for a pod: a claim that no pod mounts yet is fine."""
    (found,) = findings(doctor(answers, "-o", "json"), "storage")
    assert found["level"] == level
    assert words in f"{found['message']} → {found['fix']}"


def test_a_job_of_the_installation_that_has_no_pod_and_one_that_failed(doctor):
    made = {"labels": OURS, "uid": "u", "creationTimestamp": "2026-01-02T03:04:05Z"}
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too many retries"}
    jobs = [
        {"metadata": {"name": "heartops-secrets-1", **made}, "status": {}},
        {"metadata": {"name": "heartops-log-database-1", **made}, "status": {"conditions": [failed]}},
    ]
    quota = 'Error creating: pods "heartops-secrets-1-x7k2p" is forbidden: exceeded quota: small'
    said = {"metadata": made, "reason": "FailedCreate", "message": quota, "lastTimestamp": "2026-01-02T03:04:06Z"}
    answers = healthy() | {
        JOB.path("heartops-system"): {"items": jobs},
        EVENT.path("heartops-system"): {"items": [said]},
    }
    done = doctor(answers, "-o", "json")
    assert done.exit_code == 1
    failure, waits = findings(done, "Jobs")
    assert "too many retries" in failure["message"]
    assert "kubectl logs job/heartops-log-database-1" in failure["fix"]
    assert "(Quota)" in waits["message"]
    assert "exceeded quota: small" in waits["message"]
    assert "Raise the namespace's ResourceQuota" in waits["fix"]


def test_a_model_that_demands_keys_and_has_none_admits_nobody(doctor):
    """Only somebody who may read Secrets learns it here; for others the pods' metric and its alert say it."""
    model = heart_model({"conditions": [condition("Ready", "True", "Serving", "")]})
    model["spec"]["serving"] = {"auth": "APIKey"}
    name, where = model["metadata"]["name"], "/api/v1/namespaces/clinic/secrets"
    answers = healthy() | {HEART_MODEL.path("clinic"): {"items": [model]}}
    found = problem(doctor(answers, "-o", "json"), "callers")
    assert f"kubectl heart key create {name}" in found["fix"]
    secret = {"data": {"ward": "c2hhMjU2", "lab": "c2hhMjU2"}}
    done = doctor(answers | {f"{where}/{name}-api-keys": secret}, "-o", "json")
    assert [each["message"] for each in findings(done, "callers")] == [f"{name} admits lab, ward"]
    done = doctor(answers | {f"{where}/{name}-api-keys": ApiFailure("forbidden", 403)}, "-o", "json")
    assert [each["level"] for each in findings(done, "callers")] == ["unknown"]


def test_a_model_that_failed_leads_to_its_reason_and_one_that_works_is_a_note(doctor):
    path = "/apis/heartops.dev/v1alpha1/namespaces/clinic/heartmodels"
    failed = condition("Ready", "False", "TrainingFailed", "OOMKilled")
    stopped = heart_model({"conditions": [failed, condition("Progressing", "False", "TrainingFailed", "")]})
    found = problem(doctor(healthy() | {path: {"items": [stopped]}}, "-o", "json"), "models")
    assert found["fix"] == "kubectl heart explain TrainingFailed"
    works = heart_model({"conditions": [failed, condition("Progressing", "True", "TrainingStarted", "")]})
    done = doctor(healthy() | {path: {"items": [works]}}, "-o", "json")
    assert [each["level"] for each in findings(done, "models")] == ["note"]


@pytest.mark.parametrize(
    ("reason", "level"), [("Paused", "note"), ("AwaitingApproval", "note"), ("RegistryUnavailable", "problem")]
)
def test_a_rollout_that_waits_is_a_note(doctor, reason, level):
    path = "/apis/heartops.dev/v1alpha1/namespaces/clinic/heartmodels"
    waits = [condition(type_, status, reason, "") for type_, status in (("Ready", "False"), ("Progressing", "Unknown"))]
    done = doctor(healthy() | {path: {"items": [heart_model({"conditions": waits})]}}, "-o", "json")
    assert [each["level"] for each in findings(done, "models")] == [level]


def test_an_unreachable_server_is_an_error_and_no_finding(doctor):
    broken = {"/apis/heartops.dev/v1alpha1": ApiFailure("The API server cannot be reached", 0)}
    done = doctor(healthy() | broken)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "cannot be reached" in done.stderr


def site(name: str, *ready: str) -> Answers:
    return {
        "metadata": {"name": name},
        "spec": {},
        "status": {"conditions": [condition("Ready", *ready)] if ready else []},
    }


def with_sites(*sites: Answers, consents: tuple[Answers, ...] = ()) -> Answers:
    model = heart_model(
        {"conditions": [condition("Ready", "True", "Serving", "Version 6 serves")], "sites": list(consents)}
    )
    model["spec"] = {"federation": {"sites": ["north/ward"]}}
    return healthy() | {
        "/apis/heartops.dev/v1alpha1/namespaces/clinic/federationsites": {"items": list(sites)},
        "/apis/heartops.dev/v1alpha1/namespaces/clinic/heartmodels": {"items": [model]},
    }


@pytest.mark.parametrize(
    ("ready", "level"),
    [
        (("True", "Ready", "Ready for clinic/heart"), "ok"),
        (("False", "CheckFailed", "pvc://cohort/rows.csv: no such file"), "problem"),
        (("False", "ContractMismatch", "age: 3 cells break the contract"), "problem"),
        (("False", "TooFewRows", "fewer than 100 rows"), "problem"),
        (("False", "Suspended", "spec.suspend is true"), "note"),
        (("False", "WaitingForModel", "clinic/heart does not name it"), "note"),
        (("Unknown", "Checking", "Job ward-check reads the data"), "note"),
        ((), "problem"),
    ],
)
def test_a_federation_site_that_is_not_ready_is_named_with_its_reason(doctor, ready: tuple[str, ...], level: str):
    (found,) = findings(doctor(with_sites(site("ward", *ready)), "-o", "json"), "sites")
    assert found["level"] == level
    assert "FederationSite ward" in found["message"]
    assert (ready[2] if ready else "not reconciled") in found["message"]
    assert bool(found["fix"]) == (level != "ok")


def test_a_site_of_another_namespace_is_known_by_the_model_that_names_it(doctor):
    consents = (
        {"site": "north/ward", "state": "Ready"},
        {"site": "south/ward", "state": "ContractMismatch", "message": "columns: age"},
        {"site": "west/ward", "state": "Checking", "message": "Job ward-check"},
    )
    first, second = findings(doctor(with_sites(consents=consents), "-o", "json"), "sites")
    assert (first["level"], second["level"]) == ("problem", "note")
    assert "site south/ward contract mismatch: columns: age" in first["message"]
    (fine,) = findings(doctor(with_sites(consents=consents[:1]), "-o", "json"), "sites")
    assert (fine["level"], fine["message"]) == ("ok", "heart: all 1 sites consent")


def test_without_federation_nothing_is_said_of_sites(doctor):
    assert findings(doctor(healthy(), "-o", "json"), "sites") == []
