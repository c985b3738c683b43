"""The smallest example: three classes, a fixed count of pods, and `kubectl scale`."""

import json

import pytest

from tests.e2e.kit import ROOT, TRAINING, Model, declare, eventually, example, get, kubectl
from tests.e2e.traffic import traffic

pytestmark = pytest.mark.timeout(600)

FLOWERS = json.loads((ROOT / "examples/iris/requests/predict.json").read_text())


@pytest.fixture(scope="module")
def iris(namespace: str) -> Model:
    manifest = example("iris", namespace)
    manifest["spec"]["serving"] = {"replicas": 1}
    model = declare(manifest)
    model.wait_serving("1", TRAINING)
    return model


def test_each_flower_gets_its_species(iris: Model, proxy: str) -> None:
    answers = iris.predict(proxy, FLOWERS).raise_for_status().json()["predictions"]
    assert [answer["label"] for answer in answers] == ["setosa", "versicolor", "virginica"]
    for answer in answers:
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_a_fixed_count_has_no_autoscaler_and_follows_kubectl_scale(iris: Model) -> None:
    assert get("hpa", iris.name, "-n", iris.namespace) == {}
    scale_to(iris, 2)
    path = f"/apis/heartops.dev/v1alpha1/namespaces/{iris.namespace}/heartmodels/{iris.name}/scale"
    scale = json.loads(kubectl("get", "--raw", path))
    assert scale["status"]["replicas"] == 2
    assert "heartops.dev/model=iris" in scale["status"]["selector"]


def test_a_pod_fewer_costs_no_request(iris: Model, images: dict[str, str]) -> None:
    scale_to(iris, 2)
    with traffic(iris, FLOWERS[:1], images["serving"]) as load:
        scale_to(iris, 1)
        eventually(lambda: len(iris.pods("1")) == 1, 60, "the other pod to be gone")
        load.wait_for_more()
    assert load.failures == []
    assert load.failed == 0


def scale_to(model: Model, count: int) -> None:
    kubectl("scale", "heartmodel", model.name, "-n", model.namespace, f"--replicas={count}")
    eventually(lambda: model.status["serving"].get("readyReplicas") == count, 90, f"{count} ready pods")


def test_a_suspended_model_goes_on_serving_and_is_left_alone(iris: Model, proxy: str) -> None:
    iris.patch(suspend=True, training={"seed": 99})
    iris.wait("Ready", "True", 30, reason="Suspended")
    assert iris.predict(proxy, FLOWERS).status_code == 200
    assert len(iris.children("jobs")) == 1
