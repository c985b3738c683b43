"""What `helm template` renders is what the operator reads, is granted and admitted with."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from heart_api.profile import RuntimeProfile
from heart_log.prepare import Limits
from heart_operator.manifests.common import MANAGEMENT_PORT
from heart_operator.mlflow.credentials import FOLDER
from heart_operator.profiles import parse_profiles
from heart_operator.settings import Settings

pytestmark = pytest.mark.api

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "heartops"
Manifest = dict[str, Any]


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def render(*options: str) -> list[Manifest]:
    words = ("helm", "template", "heartops", str(CHART), "--namespace", "ops", "--kube-version", "1.34", *options)
    return [document for document in yaml.safe_load_all(run(*words)) if document]


def find(documents: list[Manifest], kind: str, name: str) -> Manifest:
    return next(d for d in documents if (d["kind"], d["metadata"]["name"]) == (kind, name))


def pods(documents: list[Manifest]) -> Iterator[Manifest]:
    yield from (d["spec"]["template"]["spec"] for d in documents if d["kind"] in ("Deployment", "StatefulSet", "Job"))


def environment(container: Manifest) -> dict[str, Any]:
    return {variable["name"]: variable.get("value", "") for variable in container["env"]}


def operator_container(documents: list[Manifest]) -> Manifest:
    return find(documents, "Deployment", "heartops-operator")["spec"]["template"]["spec"]["containers"][0]


def profiles(documents: list[Manifest]) -> dict[str, RuntimeProfile]:
    return parse_profiles(find(documents, "ConfigMap", "heartops-runtimes")["data"]["profiles.yaml"], "profiles.yaml")


def test_lint() -> None:
    run("helm", "lint", str(CHART))


def test_operator_knows_every_variable_that_the_chart_sets() -> None:
    container = operator_container(render())
    names = {name for name in environment(container) if name.startswith("HEARTOPS_")}
    assert names <= {f"HEARTOPS_{field.upper()}" for field in Settings.model_fields}
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert str(Path(environment(container)["HEARTOPS_PROFILES"]).parent) in mounts


def test_default_profile_has_the_charts_images_and_mlflow() -> None:
    profile = profiles(render("--set", "images.trainer=r.example/t:1", "--set", "images.serving=r.example/s@sha256:0"))
    assert profile["default"].images.trainer == "r.example/t:1"
    assert profile["default"].images.serving == "r.example/s@sha256:0"
    assert profile["default"].tracking_uri == "http://heartops-mlflow.ops.svc:5000"


def test_a_profile_of_ones_own_wins_over_the_defaults() -> None:
    options = ("--set", "runtimes.gpu.images.trainer=t:2", "--set", "runtimes.gpu.data.schemes={pvc}")
    found = profiles(render(*options))
    assert set(found) == {"default", "gpu"}
    assert found["gpu"].images.trainer == "t:2"
    assert found["gpu"].images.serving == found["default"].images.serving
    assert found["gpu"].data.schemes == ("pvc",)


def test_mlflow_accepts_the_host_that_the_profile_names() -> None:
    documents = render()
    mlflow = find(documents, "Deployment", "heartops-mlflow")["spec"]["template"]["spec"]["containers"][0]
    hosts = next(word for word in mlflow["args"] if word.startswith("--allowed-hosts=")).split("=")[1].split(",")
    assert profiles(documents)["default"].tracking_uri.removeprefix("http://") in hosts
    assert "*" not in hosts


def test_two_renderings_are_one_and_hold_no_secret() -> None:
    """What Argo CD compares, and what an upgrade applies again."""
    words = ("helm", "template", "heartops", str(CHART), "--namespace", "ops", "--kube-version", "1.34")
    first, again = run(*words), run(*words)
    assert first == again
    assert not [d for d in yaml.safe_load_all(first) if d and d["kind"] == "Secret"]


def mounted_secrets(documents: list[Manifest]) -> set[str]:
    """Names of Secrets that the chart's pods refer to."""
    text = json.dumps(list(pods(documents)))
    keys = set(re.findall(r'"secretKeyRef": {"name": "([^"]+)"', text))
    return keys | set(re.findall(r'"secretName": "([^"]+)"', text))


def secrets_job(documents: list[Manifest]) -> Manifest:
    (job,) = (d for d in documents if d["kind"] == "Job" and d["metadata"]["name"].startswith("heartops-secrets-"))
    return job["spec"]["template"]["spec"]["containers"][0]


def test_every_secret_that_a_pod_needs_is_made_by_the_job_that_may_touch_no_other() -> None:
    documents = render()
    role = find(documents, "Role", "heartops-secrets")
    create, named = role["rules"]
    assert create == {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}
    assert named["verbs"] == ["get", "patch"]
    assert set(named["resourceNames"]) == mounted_secrets(documents) | {"heartops-runtime"}
    options = {word.split("=")[0]: word.partition("=")[2] for word in secrets_job(documents)["args"]}
    assert {options["--database-secret"], options["--logins-secret"]} == mounted_secrets(documents)
    assert options["--log-host"] == profiles(documents)["default"].database_address
    assert options["--log-host"] == "heartops-postgresql.ops.svc:5432"


def test_existing_secrets_are_used_and_not_made() -> None:
    options = ("postgresql.existingSecret=mine", "predictionLog.existingSecret=theirs", "runtimeSecret.create=false")
    documents = render(*[word for option in options for word in ("--set", option)])
    assert mounted_secrets(documents) == {"mine", "theirs"}
    assert not [d for d in documents if d["metadata"]["name"].startswith("heartops-secrets")]
    half = render("--set", options[0])
    assert "mine" not in find(half, "Role", "heartops-secrets")["rules"][1]["resourceNames"]


def test_without_generation_nobody_may_make_a_secret() -> None:
    documents = render("--set", "secrets.generate=false")
    assert not [d for d in documents if d["metadata"]["name"].startswith("heartops-secrets")]
    assert not [right for right in granted([d for d in documents if "rules" in d]) if right[1] == "secrets"]


def test_the_log_may_have_a_server_that_shares_nothing_with_mlflows() -> None:
    documents = render("--set", "predictionLog.separateServer=true")
    servers = {d["metadata"]["name"]: d for d in documents if d["kind"] == "StatefulSet"}
    assert set(servers) == {"heartops-postgresql", "heartops-log-postgresql"}
    names = {name: set(environment(d["spec"]["template"]["spec"]["containers"][0])) for name, d in servers.items()}
    assert "HEARTOPS_PASSWORD" not in names["heartops-postgresql"]
    assert names["heartops-log-postgresql"] == {"HEARTOPS_PASSWORD"}
    policy = find(documents, "NetworkPolicy", "heartops-postgresql")["spec"]["ingress"][0]["from"]
    assert ["namespaceSelector" in peer for peer in policy] == [False]
    assert profiles(documents)["default"].database_address == "heartops-log-postgresql.ops.svc:5432"
    assert {d["metadata"]["name"] for d in documents if d["kind"] == "Service"} >= set(servers)


def migration_jobs(documents: list[Manifest]) -> tuple[Manifest, Manifest]:
    """The release's Job, and the template for more of them."""
    (job,) = (d for d in documents if d["kind"] == "Job" and "log-database" in d["metadata"]["name"])
    return job, find(documents, "CronJob", "heartops-log-database")


def test_the_migration_job_is_renamed_whenever_it_changes_and_never_otherwise() -> None:
    """A Job's template is immutable: an upgrade that changes it under the same name would fail."""
    (first, _), (again, _) = migration_jobs(render()), migration_jobs(render())
    changed, _ = migration_jobs(render("--set", "images.serving=r.example/s:2"))
    assert first == again
    assert first["metadata"]["name"] != changed["metadata"]["name"]


def test_the_migration_job_reads_what_the_chart_stores() -> None:
    documents = render()
    job, template = migration_jobs(documents)
    assert template["spec"]["jobTemplate"]["spec"] == job["spec"]
    assert template["spec"]["suspend"] is True
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (volume,) = pod["volumes"]
    assert f"--logins-secret={volume['secret']['secretName']}" in secrets_job(documents)["args"]
    assert container["command"][-1] == container["volumeMounts"][0]["mountPath"]
    assert container["env"][0]["valueFrom"]["secretKeyRef"] == {
        "name": "heartops-postgresql",
        "key": "heartops-password",
    }
    limits = [word.split("=")[0].removeprefix("--").replace("-", "_") for word in container["args"]]
    assert limits == [limit.name for limit in fields(Limits)]


def test_an_mlflow_of_ones_own_brings_neither_mlflow_nor_postgresql() -> None:
    documents = render("--set", "mlflow.enabled=false", "--set", "mlflow.trackingUri=https://mlflow.example.org")
    assert profiles(documents)["default"].tracking_uri == "https://mlflow.example.org"
    names = {d["metadata"]["name"] for d in documents}
    assert not {"heartops-mlflow", "heartops-postgresql", "heartops-log-namespaces", "heartops-log-database"} & names
    assert profiles(documents)["default"].database_address is None
    assert secrets_job(documents)["args"] == ["--namespace=ops", "--runtime-secret"]


def test_each_profiles_credentials_for_mlflow_are_files_of_the_operator() -> None:
    """As variables, those of one server would be shown to every other one."""
    external = ("--set", "mlflow.enabled=false", "--set", "mlflow.trackingUri=https://mlflow.example.org")
    own = (
        "--set",
        "runtimes.lab.trackingSecret=lab-mlflow",
        "--set",
        "runtimes.lab.trackingUri=https://lab.example.org",
    )
    documents = render(*external, "--set", "mlflow.existingSecret=mlflow-credentials", *own)
    found = profiles(documents)
    assert (found["default"].tracking_secret, found["lab"].tracking_secret) == ("mlflow-credentials", "lab-mlflow")
    (pod,) = (pod for pod in pods(documents) if pod["containers"][0]["name"] == "operator")
    mounted = {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert {f"{FOLDER}/mlflow-credentials", f"{FOLDER}/lab-mlflow"} <= mounted
    assert "envFrom" not in pod["containers"][0]
    assert all(volume["secret"]["optional"] for volume in pod["volumes"] if "secret" in volume)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--set", "mlflow.enabled=false"), "mlflow.trackingUri"),
        (("--set", "operater.replicas=1"), "operater"),
        (("--set", "runtimes.default.imagePulPolicy=Never"), "imagePulPolicy"),
        (("--set", "operator.replicas=0"), "replicas"),
    ],
)
def test_wrong_values_are_rejected_by_name(options: tuple[str, ...], words: str) -> None:
    command = ("helm", "template", "heartops", str(CHART), "--kube-version", "1.34", *options)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert words in done.stderr


def test_values_schema_offers_every_field_of_a_profile() -> None:
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    offered = set(schema["definitions"]["profile"]["properties"])
    assert offered == {field.alias for field in RuntimeProfile.model_fields.values()}


def test_every_pod_is_restricted_and_bounded() -> None:
    found = list(pods(render()))
    assert len(found) == 5
    for pod in found:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"]["cpu"]
            if pod.get("restartPolicy") != "OnFailure":  # a Job is watched by its end
                assert container["livenessProbe"]
                assert container["readinessProbe"]


def test_no_other_pod_has_a_token_than_those_that_ask_the_api_server() -> None:
    """MLflow's lists namespaces."""
    documents = render()
    with_token = {pod["containers"][0]["name"] for pod in pods(documents) if pod["automountServiceAccountToken"]}
    assert with_token == {"operator", "secrets", "mlflow"}
    without = render("--set", "mlflow.auth=None")
    assert "mlflow" not in {
        pod["containers"][0]["name"] for pod in pods(without) if pod["automountServiceAccountToken"]
    }
    assert granted([find(documents, "ClusterRole", "heartops-mlflow")]) == {
        (group, resource, verb)
        for group, resource in (("", "namespaces"), ("mlflow.kubeflow.org", "mlflowconfigs"))
        for verb in ("get", "list", "watch")
    }


def granted(roles: list[Manifest]) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule.get("apiGroups", [])
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def documented() -> set[tuple[str, str, str]]:
    """The rows `| group | resources | verbs | … |` of operator/RBAC.md."""
    found = set()
    for line in (ROOT / "operator" / "RBAC.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and cells[0] != "group" and not set(cells[0]) <= {"-"}:
            group = "" if cells[0] == "(core)" else cells[0]
            resources = re.sub(r"\(.*?\)", "", cells[1]).split(",")
            found |= {(group, r.strip(), v.strip()) for r in resources for v in cells[2].split(",")}
    return found


QUEUES = (
    "--set",
    "runtimes.big.training.trainJob.runtime=heartops",
    "--set",
    "runtimes.big.training.queueName=trainings",
)
"""A profile for which the operator has every right that it may have."""


def test_rights_are_those_that_the_operator_uses() -> None:
    documents = render(*QUEUES)
    found = granted([find(documents, "ClusterRole", "heartops"), *everywhere(documents)])
    assert found == documented()
    assert not [right for right in found if "*" in right or right[1] == "secrets"]


def everywhere(documents: list[Manifest]) -> list[Manifest]:
    """Roles that do not depend on the namespaces that are watched."""
    return [find(documents, "Role", "heartops-leader"), find(documents, "ClusterRole", "heartops-metrics-auth")]


def test_metrics_are_scraped_over_tls_with_the_scrapers_own_token() -> None:
    documents = render("--set", "monitoring.serviceMonitor=true", "--set", "monitoring.namespaces={monitoring}")
    (endpoint,) = find(documents, "ServiceMonitor", "heartops-operator")["spec"]["endpoints"]
    assert (endpoint["scheme"], endpoint["port"]) == ("https", "metrics")
    assert endpoint["bearerTokenFile"] == "/var/run/secrets/kubernetes.io/serviceaccount/token"
    port, _ = find(documents, "Service", "heartops-operator")["spec"]["ports"]
    container = operator_container(documents)
    assert {"name": port["targetPort"], "containerPort": Settings().metrics_port} in container["ports"]
    rules = find(documents, "NetworkPolicy", "heartops-operator")["spec"]["ingress"]
    scraped = next(rule for rule in rules if rule["ports"] == [{"port": Settings().metrics_port}])
    assert scraped["from"][0]["namespaceSelector"]["matchExpressions"][0]["values"] == ["monitoring"]
    assert granted(everywhere(documents)) >= {
        ("authentication.k8s.io", "tokenreviews", "create"),
        ("authorization.k8s.io", "subjectaccessreviews", "create"),
    }


def test_no_pod_of_the_chart_can_fill_a_nodes_disk_by_its_temporary_files() -> None:
    for pod in pods(render("--set", "predictionLog.separateServer=true")):
        for volume in pod.get("volumes", []):
            if "emptyDir" in volume:
                assert volume["emptyDir"].get("sizeLimit"), (pod["containers"][0]["name"], volume)


def test_routes_and_quotas_of_a_profile_reach_the_operator() -> None:
    options = (
        "runtimes.default.routes.ingressClasses={nginx}",
        "runtimes.default.routes.hosts={*.example.org}",
        "runtimes.default.quota.trainingsPerHour=10",
        "runtimes.default.quota.minScheduleInterval=1h",
    )
    found = profiles(render(*[word for option in options for word in ("--set", option)]))["default"]
    assert (found.routes.ingress_classes, found.routes.hosts) == (("nginx",), ("*.example.org",))
    assert (found.quota.trainings_per_hour, found.quota.min_schedule_interval) == (10, "1h")
    plain = profiles(render())["default"]
    assert plain.routes.gateways == plain.routes.hosts == plain.routes.ingress_classes == ()
    assert plain.quota.models is None


def test_an_operator_of_some_namespaces_has_no_right_in_others() -> None:
    documents = render(*QUEUES, "--set", "operator.namespaces={clinic,lab}")
    bound = {d["metadata"]["name"] for d in documents if d["kind"] == "ClusterRoleBinding"}
    # A namespace is a workspace: MLflow lists them. And reviews of tokens belong to no namespace.
    assert bound == {"heartops-mlflow", "heartops-metrics-auth"}
    shown = [d for d in documents if (d["kind"], d["metadata"]["name"]) == ("RoleBinding", "heartops-registry")]
    assert {binding["metadata"]["namespace"] for binding in shown} == {"clinic", "lab", "ops"}
    roles = [d for d in documents if (d["kind"], d["metadata"]["name"]) == ("Role", "heartops")]
    assert {role["metadata"]["namespace"] for role in roles} == {"clinic", "lab", "ops"}
    assert granted(roles) | granted(everywhere(documents)) == documented()
    assert environment(operator_container(documents))["HEARTOPS_NAMESPACES"] == "clinic,lab"


def test_the_policy_can_be_left_out() -> None:
    kinds = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    assert kinds <= {d["kind"] for d in render()}
    assert not kinds & {d["kind"] for d in render("--set", "admission.enabled=false")}


def test_standby_replicas_bring_a_disruption_budget() -> None:
    assert find(render("--set", "operator.replicas=2"), "PodDisruptionBudget", "heartops-operator")
    assert not [d for d in render() if d["kind"] == "PodDisruptionBudget"]


def test_service_monitor_appears_where_the_cluster_knows_the_kind() -> None:
    assert not [d for d in render() if d["kind"] == "ServiceMonitor"]
    assert find(
        render("--api-versions", "monitoring.coreos.com/v1/ServiceMonitor"), "ServiceMonitor", "heartops-operator"
    )


def test_mlflow_is_scraped_at_the_address_of_its_pod() -> None:
    documents = render("--set", "monitoring.serviceMonitor=true", "--set", "monitoring.namespaces={watchers}")
    assert find(documents, "ServiceMonitor", "heartops-mlflow")["spec"]["endpoints"][0]["path"] == "/metrics"
    container = find(documents, "Deployment", "heartops-mlflow")["spec"]["template"]["spec"]["containers"][0]
    assert "--expose-prometheus=/tmp/metrics" in container["args"]
    (hosts,) = [word for word in container["args"] if word.startswith("--allowed-hosts=")]
    assert hosts.endswith(",$(POD_IP):5000")
    assert "POD_IP" in environment(container)
    sources = json.dumps(find(documents, "NetworkPolicy", "heartops-mlflow")["spec"]["ingress"])
    assert "watchers" in sources
    assert "watchers" not in json.dumps(find(render(), "NetworkPolicy", "heartops-mlflow"))


def test_postgresql_is_scraped_by_a_container_that_knows_no_password() -> None:
    options = ("--set", "monitoring.serviceMonitor=true", "--set", "monitoring.namespaces={watchers}")
    documents = render(*options, "--set", "predictionLog.separateServer=true")
    for name in ("heartops-postgresql", "heartops-log-postgresql"):
        assert find(documents, "ServiceMonitor", name)["spec"]["endpoints"][0]["port"] == "metrics"
        _, exporter = find(documents, "StatefulSet", name)["spec"]["template"]["spec"]["containers"]
        assert [variable["name"] for variable in exporter["env"]] == ["DATA_SOURCE_NAME"]
        assert "password" not in json.dumps(exporter)
        assert [mount["mountPath"] for mount in exporter["volumeMounts"]] == ["/run/postgresql"]
        scraped = find(documents, "NetworkPolicy", name)["spec"]["ingress"][-1]
        assert scraped["ports"] == [{"port": exporter["ports"][0]["containerPort"]}]
        assert "watchers" in json.dumps(scraped["from"])
    without = render("--set", "monitoring.serviceMonitor=true", "--set", "postgresql.metrics.enabled=false")
    assert "9187" not in json.dumps(without)
    assert not [d for d in without if d["kind"] == "ServiceMonitor" and "postgresql" in d["metadata"]["name"]]


def test_monitoring_labels_are_on_what_the_chart_and_the_models_show_to_prometheus() -> None:
    options = ("--set", "monitoring.serviceMonitor=true", "--set", "monitoring.labels.release=stack")
    documents = render(*options, "--set", "runtimes.b.monitoringLabels.team=hearts")
    found = [d for d in documents if d["apiVersion"] == "monitoring.coreos.com/v1"]
    assert {d["kind"] for d in found} == {"ServiceMonitor", "PrometheusRule"}
    assert {d["metadata"]["labels"]["release"] for d in found} == {"stack"}
    assert {d["metadata"]["labels"]["app.kubernetes.io/part-of"] for d in found} == {"heartops"}
    assert profiles(documents)["default"].monitoring_labels == {"release": "stack"}
    assert profiles(documents)["b"].monitoring_labels == {"release": "stack", "team": "hearts"}


def test_dashboards_wear_the_label_that_grafanas_sidecar_looks_for() -> None:
    found = find(render(), "ConfigMap", "heartops-dashboards")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    boards = [json.loads(text) for text in found["data"].values()]
    assert [board["title"] for board in boards] == [
        "HeartOps / Model",
        "HeartOps / Operator",
        "HeartOps / Registry",
        "HeartOps / Rollouts",
    ]
    other = render("--set", "monitoring.dashboards.labels.dashboards=ours")
    assert find(other, "ConfigMap", "heartops-dashboards")["metadata"]["labels"]["dashboards"] == "ours"
    without = render("--set", "monitoring.dashboards.enabled=false")
    assert not [d for d in without if d["metadata"]["name"] == "heartops-dashboards"]


def egress_ports(documents: list[Manifest]) -> set[int]:
    rules = find(documents, "NetworkPolicy", "heartops-operator")["spec"]["egress"]
    return {port["port"] for rule in rules for port in rule["ports"]}


def test_the_operator_may_reach_what_an_analysis_reads() -> None:
    """The models' pods, and each Prometheus that a profile names."""
    options = (
        "monitoring.prometheusUrl=http://prometheus.monitoring:9090",
        "runtimes.b.prometheusUrl=https://p.example/x",
    )
    named = render(*[word for option in options for word in ("--set", option)])
    assert egress_ports(named) - egress_ports(render()) == {9090}  # 443 is open for the API server
    assert MANAGEMENT_PORT in egress_ports(render()), "the analysis reads the pods' metrics"
    plain = render("--set", "monitoring.prometheusUrl=http://prometheus.monitoring")
    assert egress_ports(plain) - egress_ports(render()) == {80}


def test_models_that_admit_few_namespaces_admit_the_operators() -> None:
    """It asks their pods for metrics."""
    found = profiles(render("--set", "runtimes.b.monitoringNamespaces={watchers}"))
    assert found["default"].monitoring_namespaces == (), "everybody may scrape"
    assert found["b"].monitoring_namespaces == ("watchers", "ops")


def test_chart_and_images_have_one_version() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    images = yaml.safe_load((CHART / "values.yaml").read_text())["images"]
    assert {image.rpartition(":")[2] for image in images.values()} == {version}


def test_kustomize_is_rendered_from_the_chart(tmp_path: Path) -> None:
    run("sh", "kustomize/render.sh", str(tmp_path))
    rendered = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.yaml"))
    assert len(rendered) == 3
    for path in rendered:
        assert (tmp_path / path).read_text() == (ROOT / "kustomize" / path).read_text(), path


def kustomized(folder: str) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(run("kubectl", "kustomize", folder)) if document]


def plain_name(document: Manifest) -> tuple[str, str]:
    """Kind and name; a Job's without the digest of its content."""
    return document["kind"], re.sub(r"-[0-9a-f]{8}$", "", document["metadata"]["name"])


def test_kustomize_installs_the_operator_alone_or_all_that_the_chart_does() -> None:
    base = {document["kind"] for document in kustomized("kustomize/base")}
    assert {"CustomResourceDefinition", "Deployment", "ClusterRole", "ConfigMap"} <= base
    assert "StatefulSet" not in base
    found = kustomized("kustomize/with-mlflow")
    names = set(map(plain_name, found))
    charted = set(map(plain_name, render("--skip-tests", "--set", "monitoring.dashboards.enabled=false")))
    assert charted <= names
    assert {kind for kind, _ in names - charted} == {"CustomResourceDefinition", "Namespace"}
    assert profiles(found)["default"].tracking_uri == "http://heartops-mlflow.heartops-system.svc:5000"


def test_kustomize_adds_monitoring_with_the_labels_of_the_readme(tmp_path: Path) -> None:
    """The example of kustomize/README.md itself, with paths in place of addresses."""
    (example,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "kustomize/README.md").read_text(), re.DOTALL)
    where = os.path.relpath(ROOT / "kustomize", tmp_path)
    (tmp_path / "kustomization.yaml").write_text(example.replace("https://your.git.example/heartops/kustomize", where))
    found = kustomized(str(tmp_path))
    monitored = [d for d in found if d["apiVersion"] == "monitoring.coreos.com/v1"]
    assert {(d["kind"], d["metadata"]["name"]) for d in monitored} == {
        ("ServiceMonitor", "heartops-operator"),
        ("ServiceMonitor", "heartops-mlflow"),
        ("ServiceMonitor", "heartops-postgresql"),
        ("PrometheusRule", "heartops-operator"),
    }
    assert {d["metadata"]["labels"]["release"] for d in monitored} == {"kube-prometheus-stack"}
    assert profiles(found)["default"].monitoring_labels == {"release": "kube-prometheus-stack"}
    images = {container["image"] for pod in pods(found) for container in pod["containers"]}
    assert all(image.startswith("registry.example.org/") for image in images), images
    assert find(found, "ConfigMap", "heartops-dashboards")


@pytest.mark.parametrize("options", [(), ("--set", "operator.namespaces={default}"), ("--set", "operator.replicas=2")])
def test_a_real_api_server_accepts_every_object(api_server: Path, tools: Path, options: tuple[str, ...]) -> None:
    """Field by field (strict validation), where the CRDs are installed."""
    command = ("helm", "template", "heartops", str(CHART), "--namespace", "default", "--kube-version", "1.34")
    text = run(*command, "--set", "monitoring.serviceMonitor=true", *options)
    kubectl = (str(tools / "kubectl"), "--kubeconfig", str(api_server))
    words = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
    done = subprocess.run([*kubectl, *words], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


def policy_ports(documents: list[Manifest]) -> set[int]:
    """Ports of the operator that anybody may reach."""
    rules = find(documents, "NetworkPolicy", "heartops-operator")["spec"]["ingress"]
    return {port["port"] for rule in rules for port in rule["ports"]}


def test_triggers_are_off_and_leave_no_trace() -> None:
    documents = render()
    assert "TRIGGERS" not in str(operator_container(documents)["env"])
    assert 9443 not in policy_ports(documents)
    ports = find(documents, "Service", "heartops-operator")["spec"]["ports"]
    assert [port["port"] for port in ports] == [8443, 8080]


def test_triggers_get_a_port_their_secrets_and_no_right() -> None:
    options = (
        "triggers.enabled=true",
        "triggers.tlsSecret=tls",
        "triggers.webhookSecret=keys",
        "triggers.namespaces={ci}",
    )
    documents = render("--set", ",".join(options))
    container = operator_container(documents)
    values = environment(container)
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    pod = find(documents, "Deployment", "heartops-operator")["spec"]["template"]["spec"]
    secrets = {volume["name"]: volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    assert values["HEARTOPS_TRIGGERS_PORT"] == "9443"
    assert secrets[mounts[values["HEARTOPS_TRIGGERS_TLS"]]] == "tls"
    assert secrets[mounts[values["HEARTOPS_TRIGGERS_KEYS"]]] == "keys"
    assert 9443 in policy_ports(documents)
    assert 9443 in [port["port"] for port in find(documents, "Service", "heartops-operator")["spec"]["ports"]]
    roles = ("Role", "ClusterRole")
    assert [d for d in documents if d["kind"] in roles] == [d for d in render() if d["kind"] in roles]


def test_events_go_where_an_administrator_says_with_a_mounted_token() -> None:
    assert environment(operator_container(render()))["HEARTOPS_EVENTS_HISTORY"] == "true"
    options = (
        "events.url=https://events.example.org:8443/in",
        "events.lineageUrl=http://marquez/api",
        "events.tokenSecret=t",
    )
    documents = render("--set", ",".join(options))
    container = operator_container(documents)
    values = environment(container)
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert values["HEARTOPS_EVENTS_URL"] == "https://events.example.org:8443/in"
    assert str(Path(values["HEARTOPS_LINEAGE_TOKEN"]).parent) in mounts
    rules = find(documents, "NetworkPolicy", "heartops-operator")["spec"]["egress"]
    ports = {port["port"] for rule in rules for port in rule["ports"]}
    assert {8443, 80} <= ports
    done = subprocess.run(
        ["helm", "template", "heartops", str(CHART), "--set", "events.url=https://user:secret@example.org"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0, "a password in a URL would be in every manifest"


def test_rights_to_trainjobs_and_workloads_are_given_only_where_a_profile_uses_them() -> None:
    wanted = {"trainer.kubeflow.org", "kueue.x-k8s.io"}
    plain = render()
    assert wanted & {group for rule in operator_rules(plain) for group in rule["apiGroups"]} == set()
    assert "HEARTOPS_TRAIN_JOBS" not in environment(operator_container(plain))
    found = render(*QUEUES)
    given = {group: rule for rule in operator_rules(found) for group in rule["apiGroups"] if group in wanted}
    assert given["trainer.kubeflow.org"]["resources"] == ["trainjobs"]
    assert given["kueue.x-k8s.io"] == {"apiGroups": ["kueue.x-k8s.io"], "resources": ["workloads"], "verbs": ["list"]}
    assert environment(operator_container(found))["HEARTOPS_TRAIN_JOBS"] == "true"
    assert profiles(found)["big"].training.train_job is not None


def operator_rules(documents: list[Manifest]) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = find(documents, "ClusterRole", "heartops")["rules"]
    return rules
