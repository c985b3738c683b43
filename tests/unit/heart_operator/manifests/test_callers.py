"""Who may call, and over what: the mounted files, the ports, and what each of them is reached by."""

import json
from pathlib import Path

import pytest

from heart_api.authentication import AUTH_FILE, AuthConfig
from heart_api.heartmodel import HeartModel
from heart_api.kube.deployments import parse_deployment
from heart_operator.manifests.children import build_children
from heart_operator.manifests.traffic import Traffic
from heart_serving.settings import read_settings
from tests.unit.heart_operator.manifests.conftest import KINDS, Case, containers, environment

JWT = {"issuer": "https://sso.example.org", "audience": "heart", "jwksUrl": "https://sso.example.org:8443/keys"}


def with_serving(case: Case, **changes: object) -> Case:
    spec = case.model.dump()["spec"]
    return case.with_spec(serving=spec.get("serving", {}) | changes)


def volumes(case: Case) -> dict[str, dict]:
    return {volume["name"]: volume for volume in case.deployment()["spec"]["template"]["spec"]["volumes"]}


def mount(case: Case, name: str) -> str:
    (found,) = [each for each in containers(case.deployment())[1]["volumeMounts"] if each["name"] == name]
    assert found["readOnly"]
    assert "subPath" not in found, "Kubernetes never updates it"
    return found["mountPath"]


def test_pods_follow_who_may_call(case: Case) -> None:
    """The volumes are there whatever the spec says, so that a running pod follows a change of it."""
    settings = read_settings(environment(containers(case.deployment())[1])).auth
    assert settings is not None
    assert settings.file == Path(mount(case, "auth"), AUTH_FILE)
    assert settings.keys == Path(mount(case, "api-keys"))
    assert settings.jwks.parent == Path(mount(case, "jwks"))
    found = volumes(case)
    assert found["auth"]["configMap"] == {"name": "heart-disease-auth"}, "without it nobody knows whom to admit"
    assert found["api-keys"]["secret"] == {"secretName": "heart-disease-api-keys", "optional": True}
    assert found["jwks"]["configMap"] == {"name": "heart-disease-jwks", "optional": True}


def test_the_fetcher_holds_no_keys_of_callers(case: Case) -> None:
    fetch = containers(with_serving(case, tls={"secretName": "heart-tls"}).deployment())[0]
    mounted = {each["name"] for each in fetch["volumeMounts"]}
    assert not mounted & {"auth", "api-keys", "jwks", "tls"}


@pytest.mark.parametrize("changes", [{}, {"auth": "APIKey"}, {"auth": "JWT", "jwt": JWT}])
def test_the_config_says_what_the_spec_says(smallest: Case, changes: dict) -> None:
    config = with_serving(smallest, **changes).child("ConfigMap", "heart-disease-auth")
    found = AuthConfig.model_validate(json.loads(config["data"][AUTH_FILE]))
    assert found.type == changes.get("auth", "None")
    assert (found.jwt.jwks_url if found.jwt else None) == changes.get("jwt", {}).get("jwksUrl")


def test_a_change_of_callers_leaves_running_pods_alone(smallest: Case) -> None:
    assert with_serving(smallest, auth="APIKey").deployment() == smallest.deployment()


def test_it_is_there_before_anything_serves(case: Case) -> None:
    assert "heart-disease-auth" in [child["metadata"]["name"] for child in case.children(version=None)]


def test_the_issuers_keys_can_be_fetched(smallest: Case) -> None:
    policy = with_serving(smallest, auth="JWT", jwt=JWT).child("NetworkPolicy", "heart-disease-serving")
    assert {"ports": [{"protocol": "TCP", "port": 8443}]} in policy["spec"]["egress"]


def test_the_platforms_port_is_published_by_no_service_for_callers(case: Case) -> None:
    for tls in ({}, {"tls": {"secretName": "heart-tls"}}):
        found = with_serving(case, **tls)
        for name in ("heart-disease", "heart-disease-candidate"):
            assert "management" not in [port["targetPort"] for port in found.child("Service", name)["spec"]["ports"]]
    (monitor,) = case.child("ServiceMonitor")["spec"]["endpoints"]
    (port,) = case.child("Service", "heart-disease-pods")["spec"]["ports"]
    (probed,) = {
        containers(case.deployment())[1][probe]["httpGet"]["port"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert monitor["port"] == port["name"] == port["targetPort"] == probed == "management"


def test_a_pod_with_tls_listens_with_tls_alone(smallest: Case) -> None:
    secured = with_serving(smallest, tls={"secretName": "heart-tls"})
    server = containers(secured.deployment())[1]
    settings = read_settings(environment(server))
    assert str(settings.tls) == mount(secured, "tls")
    assert volumes(secured)["tls"]["secret"] == {"secretName": "heart-tls"}
    assert {port["name"]: port["containerPort"] for port in server["ports"]} == {
        "https": settings.port,
        "management": settings.management_port,
        "grpc": settings.grpc_port,
    }


def parsed(case: Case, version: str):
    manifest = case.deployment(version)
    meta = manifest["metadata"] | {"uid": "u", "creationTimestamp": "2026-01-02T00:00:00Z"}
    return parse_deployment(manifest | {"metadata": meta})


def children(model: HeartModel, stable, candidate, traffic: Traffic) -> dict[tuple[str, str], dict]:
    built = build_children(model, None, KINDS, stable, traffic, candidate)
    return {(child["kind"], child["metadata"]["name"]): child["spec"] for child in built if "spec" in child}


@pytest.mark.parametrize("spread", [True, False])
def test_every_way_in_speaks_what_the_pods_behind_it_speak(full: Case, spread: bool) -> None:
    """A model gets TLS with its next version: until that is promoted, the one without goes on serving as it did."""
    secured = with_serving(full, tls={"secretName": "heart-tls"})
    traffic = Traffic(candidate="8", spread=spread, weight=0 if spread else 20, mirror_percent=0)
    found = children(secured.model, parsed(full, "7"), parsed(secured, "8"), traffic)

    def ports(service: str) -> list[str]:
        return [port["name"] for port in found["Service", service]["ports"]]

    assert ports("heart-disease") == (["http", "https", "grpc"] if spread else ["http", "grpc"])
    assert ports("heart-disease-candidate") == ["https", "grpc"]
    (path,) = found["Ingress", "heart-disease"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["port"] == {"name": "http"}
    backends = found["HTTPRoute", "heart-disease"]["rules"][0]["backendRefs"]
    assert [backend["port"] for backend in backends] == ([80] if spread else [80, 443])
    promoted = children(secured.model, parsed(secured, "8"), None, Traffic())
    assert [port["name"] for port in promoted["Service", "heart-disease"]["ports"]] == ["https", "grpc"]
    (path,) = promoted["Ingress", "heart-disease"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["port"] == {"name": "https"}
