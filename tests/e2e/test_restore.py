"""A HeartModel that is deleted without its children and applied again: it takes them over, and no request is lost."""

import pytest

from tests.e2e.kit import TRAINING, Object, apply, declare, eventually, example, get, items, kubectl, new_namespace
from tests.e2e.traffic import traffic

pytestmark = pytest.mark.timeout(900)

FLOWER = {"sepal_length_cm": 5.1, "sepal_width_cm": 3.5, "petal_length_cm": 1.4, "petal_width_cm": 0.2}


def manifest(namespace: str) -> Object:
    found = example("iris", namespace)
    found["spec"]["training"] = {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}, "backoffLimit": 0}
    found["spec"]["serving"] = {"replicas": 2}
    return found


def test_a_model_that_comes_back_loses_no_request_and_trains_nothing(images: dict[str, str]) -> None:
    with new_namespace() as namespace:
        model = declare(manifest(namespace))
        model.wait_serving("1", TRAINING)
        selector = get("service", model.name, "-n", namespace)["spec"]["selector"]
        jobs, pods = uids("jobs", namespace), model.pods("1")
        with traffic(model, [FLOWER], images["serving"]) as load:
            kubectl("delete", "heartmodel", model.name, "-n", namespace, "--cascade=orphan")
            assert model.get() == {}
            load.wait_for_more()
            apply(manifest(namespace))
            model.wait_serving("1", 120)
            uid = model.get()["metadata"]["uid"]
            eventually(lambda: owners(model.children()) == {uid}, 60, "all children to be adopted")
            load.wait_for_more()
        assert load.failures == []
        assert load.failed == 0
        assert set(load.answered) == {"1"}
        assert get("service", model.name, "-n", namespace)["spec"]["selector"] == selector
        assert uids("jobs", namespace) == jobs, "nothing was trained anew"
        assert set(model.pods("1")) == set(pods), "the same pods serve"


def owners(children: list[Object]) -> set[str]:
    """Uids of the owners of what the operator makes itself; pods and ReplicaSets belong to these."""
    made = [child for child in children if child["kind"] not in ("Pod", "ReplicaSet")]
    return {owner["uid"] for child in made for owner in child["metadata"].get("ownerReferences", [{"uid": ""}])}


def uids(kind: str, namespace: str) -> set[str]:
    return {item["metadata"]["uid"] for item in items(kind, "-n", namespace)}
