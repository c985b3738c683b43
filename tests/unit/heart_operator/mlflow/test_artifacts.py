"""Where an evaluation may lie, only where the tracking server itself hands it out; and how much of it is read."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from heart_api.evaluation import EVALUATION_PATH
from heart_operator.mlflow.backend import PROXIED, MlflowBackend
from heart_operator.mlflow.errors import RegistryError


@pytest.mark.parametrize(
    ("location", "read"),
    [
        ("mlflow-artifacts:/1/abc/artifacts", True),
        ("mlflow-artifacts://other.example/1/abc", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("file:///etc", False),
        ("/etc", False),
        ("s3://bucket/1/abc", False),
        ("", False),
    ],
)
def test_only_the_servers_own_artifacts_are_read(location: str, read: bool) -> None:
    assert bool(PROXIED.match(location)) is read


class Mlflow:
    """Lists an artifact of ten bytes and sends another."""

    def __init__(self) -> None:
        self.sent = 0
        self.body = b"0123456789"
        self.endless = False

    async def run(self, _: web.Request) -> web.Response:
        info = {"run_id": "r", "experiment_id": "1", "artifact_uri": "mlflow-artifacts:/1/r/artifacts"}
        return web.json_response({"run": {"info": info, "data": {}}})

    async def no_models(self, _: web.Request) -> web.Response:
        return web.json_response({"models": []})

    async def files(self, _: web.Request) -> web.Response:
        return web.json_response({"files": [{"path": "evaluation.json", "is_dir": False, "file_size": 10}]})

    async def download(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(self.body)
        while self.endless and self.sent < 512:
            await response.write(b"x" * 1024 * 1024)
            self.sent += 1
        return response


@pytest.fixture
async def mlflow() -> AsyncIterator[tuple[Mlflow, MlflowBackend]]:
    server, app = Mlflow(), web.Application()
    root = "/api/2.0/mlflow-artifacts/artifacts"
    app.add_routes(
        [
            web.get("/api/2.0/mlflow/runs/get", server.run),
            web.get(root, server.files),
            web.post("/api/2.0/mlflow/logged-models/search", server.no_models),
            web.get(root + "/1/r/artifacts/evaluation/evaluation.json", server.download),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield server, MlflowBackend(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await runner.cleanup()


async def test_an_artifact_is_read(mlflow: tuple[Mlflow, MlflowBackend]) -> None:
    _, backend = mlflow
    assert await asyncio.to_thread(backend.read_artifact, "r", EVALUATION_PATH, 100) == b"0123456789"


async def test_an_artifact_that_grows_while_it_is_sent_is_cut_off(mlflow: tuple[Mlflow, MlflowBackend]) -> None:
    server, backend = mlflow
    server.endless = True
    with pytest.raises(RegistryError, match="more than 100000 bytes"):
        await asyncio.to_thread(backend.read_artifact, "r", EVALUATION_PATH, 100_000)
    assert server.sent < 512, "it was read to its end"
