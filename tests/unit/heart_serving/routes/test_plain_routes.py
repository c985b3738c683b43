"""Routes beside predictions, as clients of other servers, load balancers and browsers expect them."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.serving.app import InProcess, in_process
from tests.support.serving.tiny_model import RECORD, tiny_model

GETS = (
    "/",
    "/health",
    "/v2",
    "/v2/models/heart",
    "/v2/models/heart/config",
    "/v1/models/heart",
    "/model",
    "/docs",
    "/ping",
)


@pytest.mark.parametrize("path", GETS)
async def test_head_says_what_get_says_without_a_body(served: InProcess, path: str) -> None:
    head, got = await served.client.head(path), await served.client.get(path)
    assert (head.status_code, got.status_code, head.content) == (200, 200, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == got.headers[name]


async def test_head_of_nothing_and_of_a_prediction(served: InProcess) -> None:
    assert (await served.client.head("/nothing")).status_code == 404
    assert (await served.client.head("/predict")).status_code == 405


async def test_the_root_is_alive_and_leads_people_to_the_documents(served: InProcess) -> None:
    reply = await served.client.get("/")
    assert reply.json() | {"status": "alive", "model": "heart", "version": "7"} == reply.json()
    browser = await served.client.get("/", headers={"Accept": "text/html,application/xhtml+xml"})
    assert (browser.status_code, browser.headers["location"]) == (307, "docs")


@pytest.mark.parametrize("path", ["/v2/models/heart/config", "/v2/models/heart/versions/7/config"])
async def test_the_configuration_names_tensors_in_tritons_types(served: InProcess, path: str) -> None:
    found = (await served.client.get(path)).json()
    assert (found["name"], found["max_batch_size"]) == ("heart", 0)
    assert found["input"][2] == {"name": "cp", "data_type": "TYPE_STRING", "dims": [-1]}
    assert found["output"][2] == {"name": "probabilities", "data_type": "TYPE_FP32", "dims": [-1, 2]}


@pytest.mark.parametrize("path", ["/v2/models/stats", "/v2/models/heart/stats", "/v2/models/heart/versions/7/stats"])
async def test_statistics_count_requests_rows_and_failures(served: InProcess, path: str) -> None:
    for body in (RECORD, [RECORD, RECORD], {}):
        await served.client.post("/predict", json=body)
    [found] = (await served.client.get(path)).json()["model_stats"]
    assert (found["inference_count"], found["execution_count"]) == (3, 2)
    assert found["last_inference"] > 0
    stages: dict[str, Any] = found["inference_stats"]
    assert (stages["success"]["count"], stages["fail"]["count"]) == (2, 1)
    assert stages["success"]["ns"] >= stages["compute_infer"]["ns"] > 0


async def test_the_repository_has_one_version_and_says_who_decides(served: InProcess) -> None:
    for body in (None, {}, {"ready": True}):
        index = await served.client.post("/v2/repository/index", json=body)
        assert index.json() == [{"name": "heart", "version": "7", "state": "READY", "reason": ""}]
    for verb in ("load", "unload"):
        reply = await served.client.post(f"/v2/repository/models/heart/{verb}", json={})
        assert (reply.status_code, "spec.version" in reply.json()["error"]) == (400, True)
        assert (await served.client.post(f"/v2/repository/models/other/{verb}")).status_code == 404


@pytest.mark.parametrize("path", ["/v2/models/other/config", "/v2/models/heart/versions/8/stats"])
async def test_another_model_is_not_found(served: InProcess, path: str) -> None:
    reply = await served.client.get(path)
    assert (reply.status_code, reply.json()) == (404, {"error": "this server has model heart version 7"})


ORIGIN = "https://clinic.example"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type,x-request-id",
}


@pytest.fixture(params=[True, False], ids=["fast-path", "asgi"])
def shared(tmp_path: Path, request: pytest.FixtureRequest) -> InProcess:
    return in_process(tiny_model(), tmp_path, fast_path=request.param, cors_origins=(ORIGIN,))


async def test_no_page_of_another_site_may_read_answers_by_default(served: InProcess) -> None:
    reply = await served.client.post("/predict", json=RECORD, headers={"Origin": ORIGIN})
    assert "access-control-allow-origin" not in reply.headers
    assert (await served.client.options("/predict", headers=PREFLIGHT)).status_code == 405


async def test_pages_of_listed_origins_may_predict(shared: InProcess) -> None:
    asked = await shared.client.options("/predict", headers=PREFLIGHT)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, ORIGIN)
    for path, body in (("/predict", RECORD), ("/predict", {}), ("/explain", RECORD), ("/feedback", {})):
        reply = await shared.client.post(path, json=body, headers={"Origin": ORIGIN})
        assert reply.headers["access-control-allow-origin"] == ORIGIN
        assert "x-request-id" in reply.headers["access-control-expose-headers"].lower()


async def test_pages_of_other_origins_may_not(shared: InProcess) -> None:
    for origin in ("https://evil.example", "https://clinic.example.evil.example", "null", "http://clinic.example"):
        reply = await shared.client.post("/predict", json=RECORD, headers={"Origin": origin})
        assert "access-control-allow-origin" not in reply.headers
        assert (await shared.client.options("/predict", headers=PREFLIGHT | {"Origin": origin})).status_code == 400
