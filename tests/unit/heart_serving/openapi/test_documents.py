"""What people and Prometheus read: OpenAPI, /docs, /model, /metrics and the log."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from fastapi.openapi.models import OpenAPI
from hypothesis import given
from prometheus_client.parser import text_string_to_metric_families

import heart_serving
from heart_api.contract import Feature
from heart_serving.model.examples import example_record
from heart_serving.protocols.contract import Contract
from tests.support.serving.app import InProcess, in_process
from tests.support.serving.tiny_model import HEART, RECORD, tiny_model
from tests.unit.heart_serving.strategies import contracts

ROOT = Path(__file__).resolve().parents[4]
PREDICTIONS = (
    "/predict",
    "/v2/models/heart/infer",
    "/v2/models/heart/versions/7/infer",
    "/invocations",
    "/v1/models/heart:predict",
)


async def openapi(served: InProcess) -> dict[str, Any]:
    document: dict[str, Any] = (await served.client.get("/openapi.json")).json()
    return document


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
async def test_openapi_is_valid_and_complete(tmp_path: Path, task: str) -> None:
    served = in_process(tiny_model(task=task, classes=(0, 1, 2) if task == "multiclass" else None), tmp_path)
    document = await openapi(served)
    OpenAPI.model_validate(document)
    paths = {*PREDICTIONS, "/v2/models/{name}", "/v1/models/{name}", "/ping", "/health", "/v2/health/ready", "/model"}
    assert paths <= set(document["paths"])
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in document["components"]["schemas"]


async def test_openapi_tells_the_contract(served: InProcess) -> None:
    record = (await openapi(served))["components"]["schemas"]["Record"]
    age, cp = record["properties"]["age"], record["properties"]["cp"]
    assert (age["type"], age["minimum"], age["maximum"], age["x-unit"]) == ("number", 0, 120, "years")
    assert "Age of the patient" in age["description"]
    assert cp["enum"] == ["typical", "atypical", "none"]
    assert record["required"] == ["age", "sex", "cp", "exang"]
    assert record["additionalProperties"] is False


async def test_the_examples_work_as_they_stand(served: InProcess) -> None:
    document = await openapi(served)
    for path in PREDICTIONS:
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        for example in content["examples"].values():
            assert (await served.client.post(path, json=example["value"])).status_code == 200


@given(contracts())
def test_every_contract_has_an_example_that_keeps_it(contract: tuple[Feature, ...]) -> None:
    Contract.of(contract, 1).rows([example_record(tiny_model(contract).package)])


EXAMPLE = {"age": 61.5, "sex": 1, "cp": "atypical", "vessels": 1, "exang": True}


async def test_the_example_is_the_versions_own_typical_record(tmp_path: Path) -> None:
    """Everywhere: in the schema, in each protocol's body, on /docs and in /model."""
    served = in_process(tiny_model(example=EXAMPLE), tmp_path)
    document = await openapi(served)
    assert document["components"]["schemas"]["Record"]["example"] == EXAMPLE
    assert document["components"]["schemas"]["Record"]["properties"]["age"]["examples"] == [61.5]
    for path in PREDICTIONS:
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert "61.5" in json.dumps(body["examples"])
    assert "61.5" in (await served.client.get("/docs")).text
    assert (await served.client.get("/model")).json()["example"] == EXAMPLE


async def test_docs_is_one_page_without_the_internet(served: InProcess) -> None:
    page = await served.client.get("/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "src=" not in page.text
    for feature in HEART:
        assert f"<td>{feature.name}" in page.text


async def test_docs_escapes_the_contract(tmp_path: Path) -> None:
    feature = Feature(name="x", type="number", description="<script>alert(1)</script>")
    served = in_process(tiny_model((feature,)), tmp_path)
    assert "<script>alert" not in (await served.client.get("/docs")).text


async def test_model_card(served: InProcess) -> None:
    card = (await served.client.get("/model")).json()
    assert (card["name"], card["namespace"], card["version"]) == ("heart", "clinic", "7")
    assert card["digest"] == f"sha256:{tiny_model(labels=('no disease', 'disease')).sha256}"
    assert [feature["name"] for feature in card["features"]] == [feature.name for feature in HEART]


async def test_artifacts_are_given_by_digest_alone(served: InProcess) -> None:
    model = tiny_model(labels=("no disease", "disease"))
    assert (await served.management.get(f"/artifacts/{model.sha256}")).content == model.data
    for other in ("0" * 64, "..%2f..%2fetc%2fpasswd", "model.onnx", ""):
        assert (await served.management.get(f"/artifacts/{other}")).status_code == 404


@pytest.mark.parametrize("path", ["/metrics", "/artifacts/{}", "/artifacts/", "/metrics/", "/METRICS", "/%6detrics"])
async def test_callers_cannot_reach_what_is_the_platforms(served: InProcess, path: str) -> None:
    """A model's bytes are its owner's, and so are its figures."""
    model = tiny_model(labels=("no disease", "disease"))
    for method in ("GET", "HEAD", "POST"):
        reply = await served.client.request(method, path.format(model.sha256))
        assert reply.status_code in (404, 405)
        assert model.data not in reply.content
        assert "process_" not in reply.text


async def samples(served: InProcess) -> dict[tuple[str, str], float]:
    """(sample name, code or bucket) → value; every label that others rely on is checked on the way."""
    text = (await served.management.get("/metrics")).text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not family.name.startswith("process_"):
                assert (sample.labels["model_name"], sample.labels["model_version"]) == ("heart", "7")
            found[sample.name, sample.labels.get("code") or sample.labels.get("le", "")] = sample.value
    return found


async def test_metrics_count_what_users_asked(served: InProcess) -> None:
    assert (await samples(served))["http_requests_total", "200"] == 0
    await served.client.post("/predict", json=RECORD)
    await served.client.post("/predict", json=[RECORD] * 5)
    await served.client.post("/predict", json={})
    for probe in ("/health", "/v2/health/ready"):
        assert (await served.client.get(probe)).status_code == 200
    for probe in ("/v2/health/live", "/v2/health/ready", "/metrics", "/artifacts/x"):
        await served.management.get(probe)
    seen = await samples(served)
    assert (seen["http_requests_total", "200"], seen["http_requests_total", "422"]) == (2, 1)
    assert ("http_requests_total", "404") not in seen
    assert seen["predictions_total", ""] == 6
    for stage in ("preprocess", "predict", "postprocess"):
        assert seen[f"request_{stage}_seconds_count", ""] == 2
    assert seen["prediction_latency_seconds_bucket", "+Inf"] == 2
    assert ("prediction_latency_seconds_bucket", "0.5") in seen
    assert seen["model_info", ""] == 1


async def test_each_request_leaves_one_log_line(served: InProcess) -> None:
    await served.client.post("/predict", json=[RECORD, RECORD], headers={"X-Request-Id": "a-1"})
    await served.client.post("/predict", json={"age": 1}, headers={"X-Request-Id": "a-2"})
    await served.client.get("/model", headers={"X-Request-Id": "a-3"})
    await served.client.get("/health")
    lines = [json.loads(line) for line in served.logged().splitlines()]
    assert [(line["correlation_id"], line["route"], line["code"]) for line in lines] == [
        ("a-1", "/predict", 200),
        ("a-2", "/predict", 422),
        ("a-3", "/model", 200),
    ]
    assert all(line["version"] == "7" and line["latency_ms"] > 0 for line in lines)
    assert lines[0]["records"] == 2
    assert len({line["request_id"] for line in lines} - {"a-1", "a-2", "a-3"}) == 3


def test_one_version_number() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert heart_serving.__version__ == project["version"]
