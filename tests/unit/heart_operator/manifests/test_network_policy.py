"""Who may call a model, and what its pods may reach."""

import pytest

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


def test_everybody_may_ask_for_predictions_unless_the_profile_says_who(smallest):
    assert policy(smallest, "serving")["ingress"] == [
        {"ports": [{"protocol": "TCP", "port": port} for port in (8080, 8443, 8081, 9000)]}
    ]


def test_named_namespaces_shut_out_the_others(full):
    (rule,) = policy(full, "serving")["ingress"]
    own, named = rule["from"]
    assert own == {"podSelector": {}}
    (expression,) = named["namespaceSelector"]["matchExpressions"]
    assert expression == {
        "key": "kubernetes.io/metadata.name",
        "operator": "In",
        "values": ["ingress-nginx", "monitoring"],
    }
    assert ports([rule]) == {8080, 8443, 8081, 9000}


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
