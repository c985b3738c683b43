"""A good version proves itself step by step, people steer it, and no client notices anything."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.e2e.canaries import (
    USUAL,
    Watched,
    aliases,
    artifact,
    brought_up,
    check_load,
    cohort,
    heart,
    register,
    tell_as,
)
from tests.e2e.kit import TRAINING, Object, eventually, kubectl
from tests.e2e.traffic import Traffic, traffic
from tests.support.trainer.faulty_models import is_shifted

pytestmark = pytest.mark.timeout(900)

STEPS = [{"setWeight": 30}, {"pause": {"duration": "8s"}}, {"setWeight": 50}, {"pause": {"duration": "8s"}}]


@pytest.fixture(scope="module")
def manifest(namespace: str) -> Object:
    return cohort(namespace, "steps", replicas=2, steps=STEPS)


@pytest.fixture(scope="module")
def steps(manifest: Object, proxy: str) -> Watched:
    return brought_up(manifest, proxy)


@pytest.fixture(scope="module")
def load(steps: Watched, images: dict[str, str]) -> Iterator[Traffic]:
    """Keep-alive and new connections, through everything that happens to the model `steps`."""
    with traffic(steps.model, USUAL, images["serving"]) as counted:
        yield counted


def test_a_good_version_takes_over_step_by_step(steps: Watched, load: Traffic, mlflow: MlflowClient) -> None:
    steps.model.patch(training={"seed": 2})
    steps.until_asked("2", TRAINING)
    seen: dict[tuple[int, int], Object] = {}

    def taken_over(status: Object) -> bool:
        if candidate := status.get("candidate"):
            seen[candidate["weight"], candidate["actualWeight"]] = candidate
        return status["serving"]["version"] == "2"

    row = kubectl("get", "hm", "steps", "-n", steps.model.namespace)
    eventually(lambda: aliases(mlflow, steps.model).get("candidate") == "2", 20, "the alias candidate")
    steps.until(taken_over, 180, "promotion of version 2")
    promoted = steps.until_serving("2", 30)
    assert {(30, 33), (50, 50)} <= seen.keys(), "weight asked for, weight by the number of pods"
    header, line = row.splitlines()
    shown = dict(zip(header.split(), line.split(), strict=False))
    assert (shown["VERSION"], shown["CANDIDATE"], shown["WEIGHT"]) == ("1", "2", "33")
    analysis = seen[50, 50]["analysis"]
    assert analysis["verdict"] == "Passed"
    assert analysis["candidate"]["requests"] >= 30
    assert sum(analysis["candidate"]["outputs"].values()) >= 30
    eventually(lambda: aliases(mlflow, steps.model) == {"serving": "2", "previous": "1"}, 30, "true aliases")
    assert [(entry["version"], entry["reason"]) for entry in steps.status["history"]][-1] == ("2", "Promoted")
    steps.model.wait_events("RollingOut", "Promoted")
    check_load(load, gone="1", since=promoted)
    print(kubectl("get", "hm", "steps", "-n", steps.model.namespace, "-o", "wide"), row, analysis["message"])


def test_an_alias_moved_in_mlflow_moves_what_serves(steps: Watched, load: Traffic, mlflow: MlflowClient) -> None:
    """Out and back, at once: both versions are warm."""
    name = "steps"
    mlflow.set_registered_model_alias(name, "champion", "2")
    steps.model.patch(version="@champion")
    mlflow.set_registered_model_alias(name, "champion", "1")
    went = steps.until_serving("1", 90)
    check_load(load)
    mlflow.set_registered_model_alias(name, "champion", "2")
    steps.until_serving("2", 90)
    check_load(load, gone="1", since=steps.until_serving("2", 10))
    assert load.latest["2"] > went
    told = {"serving": "2", "previous": "1", "champion": "2"}  # the registry's copies come last
    eventually(lambda: aliases(mlflow, steps.model) == told, 60, "the aliases")


def test_a_number_pins(steps: Watched, load: Traffic) -> None:
    steps.model.patch(version=1)
    went = steps.until_serving("1", 60)
    check_load(load, gone="2", since=went)
    steps.model.patch(version="latest")
    went = steps.until_serving("2", 60)
    check_load(load, gone="1", since=went)


def test_a_person_rolls_back_and_nobody_else_can_in_their_name(steps: Watched, load: Traffic) -> None:
    digest = steps.status["serving"]["digest"]
    forged = tell_as(steps.model, "mallory", f"rollback 2 {digest} forged")
    assert forged.returncode != 0
    assert "heartops.dev/command-by must be the user of the request" in forged.stderr
    print(heart(steps.model, "rollback", "--reason", "complaints"))
    went = steps.until_serving("1", 60)
    check_load(load, gone="2", since=went)
    entry = steps.until_rejected("2", 10)
    assert (entry["reason"], "complaints" in entry["message"]) == ("RolledBack", True)
    last = steps.status["history"][-1]
    assert (last["version"], last["reason"], last["message"]) == ("1", "RolledBack", "complaints")
    assert last["by"] not in ("", "heartops", "mallory")
    steps.model.wait_events("CommandExecuted", "RolledBack")
    print(heart(steps.model, "history"))


def test_approval_is_a_persons(steps: Watched, load: Traffic) -> None:
    """Cleared, aborted, cleared again, through the steps, approved."""
    steps.model.patch(approval="Manual")
    heart(steps.model, "retry")
    steps.until_asked("2", 120)
    heart(steps.model, "abort", "--reason", "not today")
    went = steps.until_serving("1", 60)
    assert steps.until_rejected("2", 10)["reason"] == "Aborted"
    check_load(load, gone="2", since=went)
    heart(steps.model, "retry")
    steps.until(lambda status: status.get("candidate", {}).get("phase") == "AwaitingApproval", 240, "no approval")
    print(heart(steps.model, "status"))
    heart(steps.model, "promote", "--reason", "checked by hand")
    went = steps.until_serving("2", 60)
    check_load(load, gone="1", since=went)
    assert steps.status["history"][-1]["message"] == "checked by hand"
    steps.model.patch(approval="Automatic")


def test_a_version_by_hand_is_measured_and_serves(
    steps: Watched, load: Traffic, manifest: Object, mlflow_uri: str, proxy: str, tmp_path: Path
) -> None:
    clean = artifact(steps.model, proxy)
    number = register(mlflow_uri, manifest, clean, is_shifted(1.1), tmp_path)
    assert number == "3"
    steps.until_asked("3", TRAINING)
    assert steps.status["evaluation"]["version"] == "3"
    went = steps.until_serving("3", 180)
    check_load(load, gone="2", since=went)
