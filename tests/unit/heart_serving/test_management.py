"""The second listener: the platform's own, with bounds of its own."""

import asyncio
from pathlib import Path

import httpx

from hack.cluster.ports import free_port
from tests.support.serving.app import CLIENT, VERSION, in_process, running, serving
from tests.support.serving.callers import with_key
from tests.support.serving.tiny_model import RECORD, tiny_model


async def test_the_platform_needs_no_key(tmp_path: Path) -> None:
    """A kubelet and Prometheus have none; NetworkPolicies say who reaches the port."""
    model = tiny_model()
    served = in_process(model, tmp_path, auth=with_key(tmp_path))
    for path in ("/metrics", "/v2/health/live", "/v2/health/ready", f"/artifacts/{model.sha256}"):
        assert (await served.management.get(path)).status_code == 200


async def test_people_read_the_documents_there_without_a_key(tmp_path: Path) -> None:
    """A browser sends none; a port-forward takes a right in the namespace."""
    served = in_process(tiny_model(), tmp_path, auth=with_key(tmp_path))
    assert "<html" in (await served.management.get("/docs")).text
    assert (await served.management.get("/openapi.json")).json()["components"]["securitySchemes"]
    assert (await served.management.get("/model")).json()["name"] == "heart"


async def test_predictions_are_not_answered_there(tmp_path: Path) -> None:
    served = in_process(tiny_model(), tmp_path)
    for path in ("/predict", "/invocations", "/v2/models/heart/infer", "/feedback", "/explain"):
        assert (await served.management.post(path, json=RECORD)).status_code == 404


def test_each_port_answers_its_own(tmp_path: Path) -> None:
    model = tiny_model()
    with running(model, tmp_path) as server:
        for path in ("/metrics", f"/artifacts/{model.sha256}"):
            assert CLIENT.get(f"{server.url}{path}").status_code == 404
            reply = CLIENT.get(f"{server.management}{path}")
            assert (reply.status_code, reply.headers["x-model-version"]) == (200, VERSION)
        assert CLIENT.post(f"{server.management}/predict", json=RECORD).status_code == 404
        assert CLIENT.post(f"{server.url}/predict", json=RECORD).status_code == 200


async def test_predictions_cannot_keep_a_probe_away(tmp_path: Path) -> None:
    """With every connection for predictions taken by a client that sends half a request."""
    management = free_port()
    async with serving(tiny_model(), tmp_path, max_connections=3, management_port=management) as (_, port):
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        for _, writer in streams:
            writer.write(b"POST /predict HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
        async with httpx.AsyncClient() as client:
            for path in ("/v2/health/live", "/metrics"):
                assert (await client.get(f"http://127.0.0.1:{management}{path}")).status_code == 200
        for _, writer in streams:
            writer.close()


async def test_a_stopping_pod_is_not_ready_and_lives(tmp_path: Path) -> None:
    served = in_process(tiny_model(), tmp_path)
    served.application.readiness.draining = True
    ready = await served.management.get("/v2/health/ready")
    assert (ready.status_code, ready.json()) == (503, {"ready": False})
    assert (await served.management.get("/v2/health/live")).status_code == 200
