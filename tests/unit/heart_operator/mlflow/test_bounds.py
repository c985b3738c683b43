"""What a tenant puts into their workspace costs the operator neither memory nor its threads."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from heart_operator.mlflow import backend as backend_module
from heart_operator.mlflow import bounds
from heart_operator.mlflow.backend import MlflowBackend
from heart_operator.mlflow.errors import RegistryError

API = "/api/2.0/mlflow"


class Workspace:
    """MLflow with one registered model, whose versions the test decides on."""

    def __init__(self) -> None:
        self.versions = [version(1)]
        self.sent = 0
        self.endless = False
        self.packed = False
        self.pages = 1

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"registered_models": [{"name": "heart"}]})

    async def found(self, request: web.Request) -> web.StreamResponse:
        page = int(request.query.get("page_token") or 0) + 1
        token = {"next_page_token": str(page)} if page < self.pages else {}
        body = json.dumps({"model_versions": self.versions, **token}).encode()
        if self.packed:
            return web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
        response = web.StreamResponse()
        await response.prepare(request)
        while self.endless and self.sent < 512:
            await response.write(b" " * 2**20)
            self.sent += 1
        await response.write(body)
        return response

    async def features(self, _: web.Request) -> web.Response:
        return web.json_response({"workspaces_enabled": True})

    async def nothing(self, _: web.Request) -> web.Response:
        return web.json_response({})


def version(number: int, **tags: str) -> dict[str, object]:
    found = [{"key": key, "value": value} for key, value in tags.items()]
    return {"name": "heart", "version": str(number), "source": "runs:/a/model", "tags": found}


@pytest.fixture
async def workspace() -> AsyncIterator[tuple[Workspace, MlflowBackend]]:
    server, app = Workspace(), web.Application()
    app.add_routes(
        [
            web.get("/api/3.0/mlflow/server-info", server.features),
            web.get(f"{API}/registered-models/search", server.models),
            web.get(f"{API}/model-versions/search", server.found),
            web.get(f"{API}/experiments/search", server.nothing),
            web.post(f"{API}/experiments/search", server.nothing),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield server, MlflowBackend(f"http://127.0.0.1:{runner.addresses[0][1]}#clinic")
    await runner.cleanup()


async def test_a_workspace_is_read(workspace: tuple[Workspace, MlflowBackend]) -> None:
    server, backend = workspace
    server.versions, server.pages = [version(1), version(2)], 1
    found = await asyncio.to_thread(backend.snapshot)
    assert set(found.versions["heart"]) == {"1", "2"}


async def test_an_answer_without_end_is_cut_off(workspace: tuple[Workspace, MlflowBackend]) -> None:
    server, backend = workspace
    server.endless = True
    with pytest.raises(RegistryError, match="answers with too much"):
        await asyncio.to_thread(backend.snapshot)
    assert server.sent < 512, "it was read to its end"


async def test_an_answer_is_bounded_after_it_is_unpacked(workspace: tuple[Workspace, MlflowBackend]) -> None:
    server, backend = workspace
    server.packed = True
    server.versions = [version(1, note="x" * (bounds.MOST_BYTES + 1))]
    with pytest.raises(RegistryError, match="answers with too much"):
        await asyncio.to_thread(backend.snapshot)


async def test_pages_without_end_are_not_followed(
    workspace: tuple[Workspace, MlflowBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, backend = workspace
    server.pages = 10**9
    monkeypatch.setattr(backend_module, "MOST_FOUND", 20)
    with pytest.raises(RegistryError, match="workspace clinic has more than 20"):
        await asyncio.to_thread(backend.snapshot)


async def test_a_slow_workspace_frees_its_thread(
    workspace: tuple[Workspace, MlflowBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four threads ask for every namespace."""
    server, backend = workspace
    server.pages = 10**9
    monkeypatch.setattr(bounds, "SECONDS", 0.5)
    with pytest.raises(RegistryError, match="too long"):
        await asyncio.to_thread(backend.snapshot)


async def test_long_texts_are_not_kept(workspace: tuple[Workspace, MlflowBackend]) -> None:
    server, backend = workspace
    long = "x" * 5000
    names = ("heartops.artifact-sha256", "heartops.rejected", "heartops.evaluation-run", "heartops.trigger")
    server.versions = [version(1, **dict.fromkeys(names, long))]
    found = (await asyncio.to_thread(backend.snapshot)).versions["heart"]["1"]
    assert max(len(str(value)) for value in (found.artifact_sha256, found.rejected, found.run_id, found.trigger)) <= 300
