"""Who may call a model, and what its pods may reach."""

import pytest

from heart_operator.manifests.traffic import Traffic
from tests.unit.heart_operator.manifests.conftest import matches


def policy(case, component):
    return case.child("NetworkPolicy", f"heart-disease-{component}")["spec"]


def ports(rules):
    return {port["port"] for rule in rules for port in rule["ports"]}


def test_each_policy_selects_its_own_pods(case):
    serving, training = (
        manifest["spec"]["template"]["metadata"]["labels"] for manifest in (case.deployment(), case.job)
    )
    for component, own, other in (("serving", serving, training), ("training", training, serving)):
        selector = policy(case, component)["podSelector"]["matchLabels"]
        assert matches(selector, own)
        assert not matches(selector, other)


def test_nobody_calls_the_trainer(case):
    spec = policy(case, "training")
    assert "Ingress" in spec["policyTypes"]
    assert "ingress" not in spec


PREDICTIONS, MANAGEMENT = {8080, 8443, 9000}, {8081}
OWN = {"podSelector": {}}
GATEWAY = {"name": "public", "namespace": "gateways"}


def named(*namespaces):
    key = "kubernetes.io/metadata.name"
    return {"namespaceSelector": {"matchExpressions": [{"key": key, "operator": "In", "values": [*namespaces]}]}}


PUBLIC = named("gateways") | {"podSelector": {"matchLabels": {"gateway.networking.k8s.io/gateway-name": "public"}}}


def admitted(case):
    """Peers that may ask for predictions; None: all."""
    (rule,) = policy(case, "callers")["ingress"]
    assert ports([rule]) == PREDICTIONS
    return rule.get("from")


def test_the_own_namespace_asks_and_no_other(smallest):
    assert admitted(smallest) == [OWN]


def test_a_profile_admits_others(smallest):
    agents = [{"namespaceSelector": {"matchLabels": {"team": "ward"}}}, {"ipBlock": {"cidr": "192.0.2.0/28"}}]
    profile = smallest.with_profile(callers=agents)
    assert admitted(profile) == [OWN, *agents]
    assert admitted(profile.with_spec(serving={"callers": [OWN]})) == [OWN], "unless the model says who"


def test_a_model_says_who_asks(smallest):
    app = {"namespaceSelector": {"matchLabels": {"team": "ward"}}, "podSelector": {"matchLabels": {"app": "booking"}}}
    other = {"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}
    assert admitted(smallest.with_spec(serving={"callers": [app, other]})) == [app, other]


def test_a_model_that_nobody_may_ask(smallest):
    spec = policy(smallest.with_spec(serving={"callers": []}), "callers")
    assert (spec["policyTypes"], "ingress" in spec) == (["Ingress"], False)


@pytest.mark.parametrize("way", [{"route": {"gateway": GATEWAY}}, {"ingress": {"host": "heart.example.org"}}])
def test_controllers_whose_namespace_nobody_names_still_reach_the_model(smallest, way):
    assert admitted(smallest.with_spec(serving=way)) is None
    closer = smallest.with_spec(serving=way).with_profile(ingressNamespaces=["ingress-nginx"])
    assert admitted(closer) == [OWN, named("ingress-nginx"), *([PUBLIC] if "route" in way else [])]


def test_a_gateway_reaches_every_version(smallest):
    routed = smallest.with_spec(serving={"route": {"gateway": GATEWAY}})
    *_, gateway = policy(routed.with_profile(ingressNamespaces=["envoy"]), "serving")["ingress"]
    assert (gateway["from"], ports([gateway])) == ([named("envoy"), PUBLIC], PREDICTIONS)
    *_, gateway = policy(routed, "serving")["ingress"]
    assert ("from" in gateway, ports([gateway])) == (False, PREDICTIONS)


def test_metrics_are_read_where_monitoring_is_and_by_the_other_pods(full, smallest):
    siblings, scrapers, _ = policy(full, "serving")["ingress"]
    assert siblings["from"] == [{"podSelector": policy(full, "serving")["podSelector"]}]
    assert ports([siblings]) == {8080, 8443, 8081}
    assert (scrapers["from"], ports([scrapers])) == ([named("monitoring")], MANAGEMENT)
    _, scrapers = policy(smallest, "serving")["ingress"]
    assert ("from" in scrapers, ports([scrapers])) == (False, MANAGEMENT)


def test_callers_do_not_reach_a_closed_candidate(smallest):
    """The policy that admits them leaves its pods out, and no other admits them."""
    version = "heartops.dev/model-version"
    found = {
        closed: [
            child["spec"]["podSelector"].get("matchExpressions")
            for child in smallest.children(traffic=Traffic(candidate="8", closed=closed))
            if child["metadata"]["name"] == "heart-disease-callers"
        ]
        for closed in ("", "8")
    }
    assert found == {"": [None], "8": [[{"key": version, "operator": "NotIn", "values": ["8"]}]]}
    for rule in policy(smallest, "serving")["ingress"]:
        assert rule.get("from") or ports([rule]) == MANAGEMENT


def test_serving_reaches_names_mlflow_and_its_siblings_alone(smallest):
    dns, mlflow, siblings = policy(smallest, "serving")["egress"]
    assert ports([dns]) == {53}
    assert mlflow == {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "heartops"}}}],
        "ports": [{"protocol": "TCP", "port": 5000}],
    }
    assert siblings["to"] == [
        {"podSelector": {"matchLabels": policy(smallest, "serving")["podSelector"]["matchLabels"]}}
    ]
    assert ports([siblings]) == {8080, 8443, 8081}


@pytest.mark.parametrize(
    ("uri", "port", "namespace"),
    [
        ("http://mlflow.tools.svc.cluster.local:5000", 5000, "tools"),
        ("http://mlflow.tools.svc", 80, "tools"),
        ("https://mlflow.example.org", 443, None),
        ("https://mlflow.example.org:8443/path", 8443, None),
    ],
)
def test_mlflow_is_reached_where_its_address_says(smallest, uri, port, namespace):
    rule = policy(smallest.with_profile(trackingUri=uri), "serving")["egress"][1]
    assert ports([rule]) == {port}
    found = [to["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for to in rule.get("to", ())]
    assert found == ([namespace] if namespace else [])


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://example.org/x.csv", {80, 443}),
        ("https://example.org:8443/x.csv", {80, 443, 8443}),
        ("s3://bucket/x.csv", {80, 443, 9000}),
        ("dvc+https://git.example.org:8443/a.git#x.csv", {80, 443, 8443, 9000}),
        ("gs://bucket/x.csv", {80, 443}),
    ],
)
def test_the_trainer_reaches_the_web_for_data_that_lies_there(smallest, uri, expected):
    *_, web = policy(smallest.with_spec(dataset={"uri": uri}), "training")["egress"]
    assert ports([web]) == expected
    rejected = {block["ipBlock"]["cidr"]: block["ipBlock"]["except"] for block in web["to"]}
    assert "169.254.0.0/16" in rejected["0.0.0.0/0"]


@pytest.mark.parametrize("uri", ["pvc://claim/x.csv", "configmap://name/x.csv", "builtin://heart-synthetic"])
def test_the_trainer_does_not_need_the_web_for_other_data(smallest, uri):
    rules = policy(smallest.with_spec(dataset={"uri": uri}), "training")["egress"]
    assert ports(rules) == {53, 5000}
