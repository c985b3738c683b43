"""Deployment, Services, autoscaler and budget: who serves, how many, and what the server is told."""

import pytest

from heart_api.handover import Env
from heart_operator.manifests.children import APPLIED_KINDS, key_of
from heart_operator.manifests.deployment import with_replicas
from heart_serving.model.mlflow import Registry
from heart_serving.settings import read_settings
from tests.unit.heart_operator.manifests.conftest import DIGEST, containers, environment, matches


def pod_labels(manifest):
    return manifest["spec"]["template"]["metadata"]["labels"]


def test_serving_reads_its_settings_from_the_environment(case):
    for container in containers(case.deployment()):
        settings = read_settings(environment(container))
        assert (settings.name, settings.namespace) == (case.model.name, case.model.namespace)
        assert (settings.version, f"sha256:{settings.sha256}") == ("7", DIGEST)
    server = containers(case.deployment())[1]
    assert settings.port == server["ports"][0]["containerPort"]


def test_listed_origins_and_the_port_for_grpc_reach_the_server(smallest, full):
    server = containers(smallest.deployment())[1]
    settings = read_settings(environment(server))
    assert settings.cors_origins == ()
    assert {port["name"]: port["containerPort"] for port in server["ports"]} == {
        "http": settings.port,
        "management": settings.management_port,
        "grpc": settings.grpc_port,
    }
    assert read_settings(environment(containers(full.deployment())[1])).cors_origins == ("https://clinic.example.org",)


def test_the_spec_says_whether_explanations_are_answered(smallest, full):
    asked = [read_settings(environment(containers(case.deployment())[1])).explanations for case in (smallest, full)]
    assert asked == [True, False]


def test_the_fetcher_knows_mlflow_and_the_siblings(case):
    found = environment(containers(case.deployment())[0])
    assert Registry.of(found, "7")
    assert found[Env.TRACKING_URI] == case.profile.tracking_uri
    assert found[Env.REGISTRY_NAME] == case.model.registry_name
    pods = case.child("Service", "heart-disease-pods")
    port = pods["spec"]["ports"][0]["port"]
    assert found[Env.SIBLINGS] == f"{pods['metadata']['name']}.clinic.svc:{port}"


def test_the_model_lies_on_a_mount_that_the_server_cannot_write(case):
    fetch, server = containers(case.deployment())
    folder = environment(server)[Env.MODEL_FILE].rpartition("/")[0]
    mounts = [{m["mountPath"]: m.get("readOnly", False) for m in c["volumeMounts"]} for c in (fetch, server)]
    assert [found[folder] for found in mounts] == [False, True]


def test_a_deployment_never_says_how_many(case):
    """Applied once and dropped later, the field would fall back to 1."""
    assert "replicas" not in case.deployment()["spec"]
    first = with_replicas(case.deployment(), 3)
    assert first["spec"]["replicas"] == 3
    assert {key: value for key, value in first["spec"].items() if key != "replicas"} == case.deployment()["spec"]


def test_the_service_selects_one_version_and_the_headless_one_all(case):
    service, pods = case.child("Service", "heart-disease"), case.child("Service", "heart-disease-pods")
    seventh, eighth = (pod_labels(case.deployment(version)) for version in ("7", "8"))
    assert matches(service["spec"]["selector"], seventh)
    assert not matches(service["spec"]["selector"], eighth)
    assert matches(pods["spec"]["selector"], seventh)
    assert matches(pods["spec"]["selector"], eighth)
    assert not matches(pods["spec"]["selector"], pod_labels(case.job))
    assert pods["spec"]["clusterIP"] == "None"
    assert not pods["spec"].get("publishNotReadyAddresses")


def test_a_deployment_selects_its_own_version_alone(case):
    selector = case.deployment("7")["spec"]["selector"]["matchLabels"]
    assert matches(selector, pod_labels(case.deployment("7")))
    assert not matches(selector, pod_labels(case.deployment("8")))


def test_prometheus_scrapes_each_pod_once(case):
    wanted = case.child("ServiceMonitor")["spec"]["selector"]["matchLabels"]
    services = [child for child in case.children() if child["kind"] == "Service"]
    found = [s["metadata"]["name"] for s in services if matches(wanted, s["metadata"]["labels"])]
    assert found == ["heart-disease-pods"]


def test_the_budget_lets_one_pod_go_and_broken_ones_always(case):
    spec = case.child("PodDisruptionBudget")["spec"]
    assert matches(spec["selector"]["matchLabels"], pod_labels(case.deployment("7")))
    assert not matches(spec["selector"]["matchLabels"], pod_labels(case.deployment("8")))
    assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


def targets(case):
    metrics = case.child("HorizontalPodAutoscaler")["spec"]["metrics"]
    return {m["resource"]["name"]: m["resource"]["target"]["averageUtilization"] for m in metrics if "resource" in m}


def test_autoscaling_is_3_to_20_on_cpu_and_memory_by_default(smallest):
    spec = smallest.child("HorizontalPodAutoscaler")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 20)
    assert targets(smallest) == {"cpu": 70, "memory": 80}
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "heart-disease-v7"}


def test_one_target_means_that_one_alone(full):
    spec = full.child("HorizontalPodAutoscaler")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 5)
    assert targets(full) == {"cpu": 60}


def test_predictions_per_second_count_beside_named_targets_and_instead_of_the_defaults(full, smallest):
    rate = {"type": "AverageValue", "averageValue": "50"}
    for case, left in ((full, {"cpu": 60}), (smallest, {})):
        given = case.model.spec.serving.autoscaling
        asked = (given.dump() if given else {}) | {"targetPredictionsPerSecond": 50}
        scaled = case.with_spec(serving={"autoscaling": asked})
        *_, last = scaled.child("HorizontalPodAutoscaler")["spec"]["metrics"]
        assert last == {"type": "Pods", "pods": {"metric": {"name": "predictions_per_second"}, "target": rate}}
        assert targets(scaled) == left


@pytest.mark.parametrize(("window", "seconds"), [("5m", 300), ("15s", 15), ("100ms", 1)])
def test_pods_go_when_it_has_been_calm_for_the_window(smallest, window, seconds):
    scaled = smallest.with_spec(serving={"autoscaling": {"scaleDownStabilizationWindow": window}})
    behavior = scaled.child("HorizontalPodAutoscaler")["spec"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == seconds
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0


def test_a_fixed_number_of_pods_needs_no_autoscaler(smallest):
    kinds = {child["kind"] for child in smallest.with_spec(serving={"replicas": 2}).children()}
    assert "HorizontalPodAutoscaler" not in kinds


def test_before_anything_serves_there_is_nothing_to_call(case):
    kinds = [(child["kind"], child["metadata"]["name"]) for child in case.children(version=None)]
    assert kinds == [
        ("ServiceAccount", "heart-disease-model"),
        ("NetworkPolicy", "heart-disease-callers"),
        ("NetworkPolicy", "heart-disease-serving"),
        ("NetworkPolicy", "heart-disease-training"),
        ("NetworkPolicy", "heart-disease-check"),
        ("Service", "heart-disease-pods"),
        ("ConfigMap", "heart-disease-auth"),
    ]


def test_ingress_leads_to_the_service(full):
    ingress, service = full.child("Ingress"), full.child("Service", "heart-disease")
    (found,) = ingress["spec"]["rules"]
    assert found["host"] == "heart.example.org"
    (path,) = found["http"]["paths"]
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]
    assert path["backend"]["service"]["port"]["name"] in [port["name"] for port in service["spec"]["ports"]]
    assert ingress["spec"]["tls"] == [{"hosts": ["heart.example.org"], "secretName": "heart-tls"}]


def test_no_ingress_unless_asked_for(smallest):
    assert "Ingress" not in {child["kind"] for child in smallest.children()}


def test_monitoring_needs_the_kinds_and_the_users_consent(smallest):
    def kinds(case, *present):
        return {child["kind"] for child in case.children(frozenset(present))} & {"ServiceMonitor", "PrometheusRule"}

    silent = smallest.with_spec(monitoring={"serviceMonitor": False})
    assert kinds(smallest, "ServiceMonitor", "PrometheusRule") == {"ServiceMonitor", "PrometheusRule"}
    assert kinds(smallest, "ServiceMonitor") == {"ServiceMonitor"}
    assert kinds(smallest) == set()
    assert kinds(silent, "ServiceMonitor", "PrometheusRule") == set()


def test_what_is_applied_can_also_be_deleted(full):
    """The plan deletes owned objects of APPLIED_KINDS that are no longer wanted: no kind may be missing there."""
    assert {(key_of(child).api_version, key_of(child).kind) for child in full.children()} == set(APPLIED_KINDS)
