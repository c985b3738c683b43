"""What a pod is told of its prediction log, and how it reaches the database."""

import pytest

from heart_api.handover import Env
from heart_api.predictionlog import PredictionLog
from heart_serving.settings import read_settings
from tests.unit.heart_operator.manifests.conftest import containers, environment


def address(container):
    return next((item for item in container["env"] if item["name"] == Env.DATABASE_URL), None)


def with_log(case, **log):
    return case.with_spec(serving={"predictionLog": log})


def test_the_server_reads_what_the_spec_says(full):
    _, server = containers(full.deployment())
    wanted = {"samplePercent": 20, "redact": ["age"], "retentionDays": 30}
    assert read_settings(environment(server)).log.spec == PredictionLog.model_validate(wanted)


def test_by_default_everything_goes_to_the_database_for_90_days(smallest):
    _, server = containers(smallest.deployment())
    assert read_settings(environment(server)).log.spec == PredictionLog(
        sink="PostgreSQL", sample_percent=100, redact=(), retention_days=90
    )


def test_the_server_gets_one_key_of_the_secret_and_starts_without_it(case):
    _, server = containers(case.deployment())
    reference = {"name": "heartops-runtime", "key": Env.DATABASE_URL, "optional": True}
    assert address(server)["valueFrom"] == {"secretKeyRef": reference}
    assert "envFrom" not in server


@pytest.mark.parametrize("sink", ["Stdout", "None"])
def test_a_server_without_a_database_gets_no_address(full, sink):
    without = with_log(full, sink=sink)
    assert address(containers(without.deployment())[1]) is None
    assert 5432 not in ports(without)


def test_the_database_is_reached_where_the_profile_says(full):
    (rule,) = [rule for rule in egress(full) if rule["ports"] == [{"protocol": "TCP", "port": 5432}]]
    (to,) = rule["to"]
    assert to == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "heartops"}}}
    assert ports(full.with_profile(databaseAddress="db.example.org")) >= {5432}
    assert 6432 in ports(full.with_profile(databaseAddress="db.example.org:6432"))


def test_a_profile_that_names_no_database_opens_no_port(smallest):
    assert 5432 not in ports(smallest)


def test_the_trainer_reaches_the_database_only_to_learn_from_feedback(full):
    learning = full.with_spec(dataset={"uri": "pvc://cohorts/heart.csv", "includeFeedback": True})
    assert 5432 in ports(learning, "training")
    assert 5432 not in ports(full, "training")


def egress(case, component="serving"):
    return case.child("NetworkPolicy", f"heart-disease-{component}")["spec"]["egress"]


def ports(case, component="serving"):
    return {port["port"] for rule in egress(case, component) for port in rule["ports"]}
