"""In a canary with shadow traffic, every panel of the dashboards shows data of the cluster's own Prometheus."""

import json
import time
from collections.abc import Iterator

import pytest

from tests.e2e.kit import (
    HTTP,
    PROMETHEUS,
    ROOT,
    SYSTEM,
    Model,
    Object,
    declare,
    eventually,
    example,
    has_monitoring,
    require,
)
from tests.e2e.profiles import EXTERNAL_NAMESPACE
from tests.e2e.traffic import traffic
from tests.support.apiserver.dashboard import OF_HISTORY, OF_SYSTEM, Query, all_queries, filled
from tests.support.apiserver.prometheus import finite
from tests.support.soak import SOAK

pytestmark = pytest.mark.timeout(900)

FLOWER = json.loads((ROOT / "examples/iris/requests/predict.json").read_text())[0]
PANELS = [query for query in all_queries() if not OF_HISTORY.search(query.expression)]
"""Of what happens here; tests/api/test_prometheus.py asks the others of the same Prometheus with such a history."""
RANGE = 900
"""Seconds before now that a dashboard shows."""


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


@pytest.mark.parametrize("query", PANELS, ids=str)
def test_every_panel_shows_data(canary: Model, proxy: str, query: Query) -> None:
    """Scrapes are up to 30 s apart, and a mounted file that switches the mirror takes up to a minute and a half."""
    namespace = SYSTEM if query.board in OF_SYSTEM else canary.namespace
    expression = filled(query.expression, namespace, canary.name, range_=f"{RANGE}s")
    assert eventually(lambda: shown(proxy, expression, query.instant), 180, f"data for {expression}")


INSTALLATION = (
    "HeartOpsDatabaseDown",
    "HeartOpsEventsUndelivered",
    "HeartOpsOperatorDown",
    "HeartOpsRegistryUnavailable",
)
"""Alerts that ask for series by their labels: with a wrong one they would always fire, or never."""


@pytest.mark.skipif(not SOAK, reason="in make test-soak")
@pytest.mark.parametrize("alert", INSTALLATION)
def test_a_healthy_installation_alerts_nobody(canary: Model, proxy: str, alert: str) -> None:
    """Not even for the minutes before an alert fires."""

    def is_quiet() -> bool:
        groups = HTTP.get(f"{proxy}/{PROMETHEUS}/rules").raise_for_status().json()["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"] if rule["name"] == alert]
        return bool(rules) and all(rule["health"] == "ok" and not any(map(is_ours, rule["alerts"])) for rule in rules)

    assert eventually(is_quiet, 180, f"{alert} to be evaluated, and silent")


def is_ours(active: Object) -> bool:
    """Whether it is about the installation, and not about the MLflow of somebody else that comes and goes."""
    return EXTERNAL_NAMESPACE not in active["labels"].get("server", "")


def shown(proxy: str, expression: str, instant: bool) -> list[float]:
    """The latest values, or those that a graph of the time range has."""
    now = time.time()
    path, span = ("query", {}) if instant else ("query_range", {"start": now - RANGE, "end": now, "step": 5})
    answer = HTTP.get(f"{proxy}/{PROMETHEUS}/{path}", params={"query": expression, **span})
    series = answer.raise_for_status().json()["data"]["result"]
    if instant:
        return finite(series)
    return [value for each in series for value in finite([{"value": point} for point in each["values"]])]
