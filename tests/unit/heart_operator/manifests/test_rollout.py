"""What a rollout needs: a Service for the candidate, the route's weights, and what pods are told to mirror."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from heart_api.handover import MirrorTarget
from heart_operator.manifests.common import SERVING_PORT
from heart_operator.manifests.traffic import Traffic
from heart_serving.mirroring.config import OFF, MirrorFile
from heart_serving.settings import read_settings
from tests.unit.heart_operator.manifests.conftest import containers, environment, matches

MIRROR = "heart-disease-mirror"


def pod_labels(manifest):
    return manifest["spec"]["template"]["metadata"]["labels"]


def names(children, kind):
    return [child["metadata"]["name"] for child in children if child["kind"] == kind]


def route_of(case, weight):
    children = case.children(traffic=Traffic(candidate="8", weight=weight))
    (route,) = [child for child in children if child["kind"] == "HTTPRoute"]
    return route["spec"]


def test_the_candidates_service_selects_the_candidate_alone(case):
    selector = case.child("Service", "heart-disease-candidate")["spec"]["selector"]
    assert matches(selector, pod_labels(case.deployment("8")))
    assert not matches(selector, pod_labels(case.deployment("7")))
    assert not matches(selector, pod_labels(case.job))


def test_without_a_candidate_there_is_no_service_for_it(case):
    assert names(case.children(traffic=Traffic()), "Service") == ["heart-disease-pods", "heart-disease"]


def test_the_policy_lets_pods_reach_the_candidate(case):
    """A policy sees the pods behind a Service, and the port that they listen on."""
    *_, siblings = case.child("NetworkPolicy", "heart-disease-serving")["spec"]["egress"]
    (peer,) = siblings["to"]
    assert matches(peer["podSelector"]["matchLabels"], pod_labels(case.deployment("8")))
    assert {"protocol": "TCP", "port": SERVING_PORT} in siblings["ports"]
    ports = case.child("Service", "heart-disease-candidate")["spec"]["ports"]
    named = containers(case.deployment("8"))[1]["ports"]
    assert [port["targetPort"] for port in ports] == ["http", "grpc"]
    assert {"http", "grpc"} < {port["name"] for port in named}
    assert named[0]["containerPort"] == SERVING_PORT


# --- mirror --------------------------------------------------------------------------------------


def read_by(version: str, config, folder: Path) -> MirrorTarget:
    """What a pod of that version makes of the mounted ConfigMap."""
    for name, text in config["data"].items():
        (folder / name).write_text(text)
    (name,) = config["data"]
    return MirrorFile(folder / name, version).read()


def test_the_server_follows_the_mounted_file(case, tmp_path):
    fetch, server = containers(case.deployment())
    file = read_settings(environment(server)).mirror_file
    config = case.child("ConfigMap", MIRROR)
    (volume,) = [v for v in case.deployment()["spec"]["template"]["spec"]["volumes"] if v["name"] == "mirror"]
    (mount,) = [mount for mount in server["volumeMounts"] if mount["name"] == volume["name"]]
    assert volume["configMap"] == {"name": config["metadata"]["name"], "optional": True}
    assert [str(Path(mount["mountPath"]) / key) for key in config["data"]] == [str(file)]
    assert mount["readOnly"]
    assert "subPath" not in mount, "Kubernetes never updates it"
    assert read_settings(environment(fetch)).mirror_file is None


def test_the_stable_pods_mirror_to_the_candidates_service(case, tmp_path):
    target = read_by("7", case.child("ConfigMap", MIRROR), tmp_path)
    assert (target.percent, target.version) == (20, "8")
    service = case.child("Service", "heart-disease-candidate")
    url = urlsplit(target.url)
    assert (url.scheme, url.hostname, url.path) == ("http", f"{service['metadata']['name']}.clinic.svc", "")
    assert url.port == service["spec"]["ports"][0]["port"]
    assert read_by("8", case.child("ConfigMap", MIRROR), tmp_path) == OFF


@pytest.mark.parametrize("traffic", [Traffic(), Traffic(candidate="8", spread=True)])
def test_the_config_is_always_there_and_says_off(case, tmp_path, traffic):
    (config,) = [child for child in case.children(traffic=traffic) if child["metadata"]["name"] == MIRROR]
    assert read_by("7", config, tmp_path) == OFF
    assert MirrorTarget.model_validate_json(config["data"]["mirror.json"]).percent == 0


# --- route ---------------------------------------------------------------------------------------


def test_a_route_sends_everything_to_the_service_that_serves(full):
    children = full.children(traffic=Traffic())
    (route,) = [child for child in children if child["kind"] == "HTTPRoute"]
    (backend,) = route["spec"]["rules"][0]["backendRefs"]
    (service,) = [child for child in children if child["metadata"]["name"] == backend["name"] == "heart-disease"][:1]
    assert service["kind"] == "Service"
    assert (backend["port"], backend["weight"]) == (service["spec"]["ports"][0]["port"], 100)


@pytest.mark.parametrize("weight", [1, 25, 99])
def test_a_canary_gets_its_weight_of_the_route_exactly(full, weight):
    (rule,) = route_of(full, weight)["rules"]
    assert {backend["name"]: backend["weight"] for backend in rule["backendRefs"]} == {
        "heart-disease": 100 - weight,
        "heart-disease-candidate": weight,
    }
    services = names(full.children(traffic=Traffic(candidate="8", weight=weight)), "Service")
    assert {backend["name"] for backend in rule["backendRefs"]} <= set(services)


def test_a_candidate_without_requests_is_not_in_the_route(full):
    (rule,) = route_of(full, 0)["rules"]
    assert [backend["name"] for backend in rule["backendRefs"]] == ["heart-disease"]


def test_the_route_belongs_to_the_gateway_and_the_host_names(full):
    spec = route_of(full, 0)
    (parent,) = spec["parentRefs"]
    assert (parent["kind"], parent["name"], parent["namespace"]) == ("Gateway", "public", "gateways")
    assert spec["hostnames"] == ["models.example.org"]


def test_a_gateway_without_a_namespace_is_the_models_neighbour(smallest):
    spec = route_of(smallest.with_spec(serving={"route": {"gateway": {"name": "public"}}}), 0)
    assert "namespace" not in spec["parentRefs"][0]
    assert "hostnames" not in spec


def test_the_prefix_is_cut_off(full, smallest):
    (rule,) = route_of(full, 0)["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/heart"}}]
    (rewrite,) = rule["filters"]
    assert rewrite["urlRewrite"] == {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    (bare,) = route_of(smallest.with_spec(serving={"route": {"gateway": {"name": "public"}}}), 0)["rules"]
    assert "filters" not in bare


def test_the_name_below_predict_is_the_prediction_itself(full):
    route = {"gateway": {"name": "public"}, "pathPrefix": "/predict/heart"}
    alone, below = route_of(full.with_spec(serving={"route": route}), 25)["rules"]
    assert alone["matches"] == [{"path": {"type": "Exact", "value": "/predict/heart"}}]
    assert alone["filters"][0]["urlRewrite"] == {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/predict"}}
    assert below["matches"] == [{"path": {"type": "PathPrefix", "value": "/predict/heart"}}]
    assert alone["backendRefs"] == below["backendRefs"]


def test_the_models_own_paths_are_passed_on_as_they_are(full):
    route = {"gateway": {"name": "public"}, "pathPrefix": "/v2"}
    (rule,) = route_of(full.with_spec(serving={"route": route}), 0)["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/v2"}}]
    assert "filters" not in rule


def test_no_route_unless_it_was_asked_for_and_the_cluster_has_the_kind(full, smallest):
    assert names(smallest.children(), "HTTPRoute") == []
    assert names(full.children(frozenset({"ServiceMonitor"})), "HTTPRoute") == []
