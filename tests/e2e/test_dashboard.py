"""In a canary with shadow traffic, every panel of the dashboard shows data of the cluster's own Prometheus."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.kit import HTTP, PROMETHEUS, ROOT, Model, declare, eventually, example, has_monitoring, require
from tests.e2e.traffic import traffic
from tests.support.apiserver.dashboard import DASHBOARDS, Query, filled, queries
from tests.support.apiserver.prometheus import finite

pytestmark = pytest.mark.timeout(900)

FLOWER = json.loads((ROOT / "examples/iris/requests/predict.json").read_text())[0]
WITH_FEEDBACK = {"Accuracy"}
"""Nobody reports outcomes here; tests/api/test_prometheus.py asks these of the same Prometheus with outcomes."""
PANELS = [query for path in DASHBOARDS for query in queries(path) if query.panel not in WITH_FEEDBACK]


@pytest.fixture(scope="module")
def canary(namespace: str, images: dict[str, str]) -> Iterator[Model]:
    """Version 2 has half of the requests and copies of the others, until somebody goes on."""
    require(has_monitoring(), "Prometheus Operator")
    manifest = example("iris", namespace)
    manifest["spec"]["training"] = {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}}
    manifest["spec"]["serving"] = {"replicas": 1}
    manifest["spec"]["rollout"] |= {
        "steps": [{"setWeight": 50}, {"pause": {}}],
        "mirror": {"percent": 100},
        "analysis": {"interval": "5s"},
    }
    model = declare(manifest)
    model.wait_serving("1", 300)
    model.patch(training={"seed": 7})
    eventually(lambda: model.status.get("candidate", {}).get("actualWeight"), 300, "the candidate to share the traffic")
    with traffic(model, [FLOWER], images["serving"]):
        yield model


@pytest.mark.parametrize("query", PANELS, ids=lambda query: f"{query.panel}: {query.legend}")
def test_every_panel_shows_data(canary: Model, proxy: str, query: Query) -> None:
    """Scrapes are 15 s apart, and a mounted file that switches the mirror takes up to a minute and a half."""
    expression = filled(query.expression, canary.namespace, canary.name)

    def shown() -> list[float]:
        answer = HTTP.get(f"{proxy}/{PROMETHEUS}/query", params={"query": expression})
        return finite(answer.raise_for_status().json()["data"]["result"])

    assert eventually(shown, 180, f"data for {expression}")
