"""The serving application in process, and as a real process on loopback."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from hack.cluster.ports import free_port
from heart_api.handover import Env
from heart_model.model import load_model
from heart_serving.app import Application, create_app
from heart_serving.http.responses import fields
from heart_serving.log import RequestLog
from heart_serving.predictionlog.proofs import Proofs, read_keys
from heart_serving.server import Server, build_server
from heart_serving.settings import Settings
from tests.support.serving.tiny_model import TinyModel

NAME, VERSION = "heart", "7"
PROOF_KEY = "k" * 48
PROOFS = Proofs(read_keys(PROOF_KEY), "clinic", NAME, VERSION)
"""What a server with this key has answered, and what it has not."""
CLIENT = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))
"""One for all requests, each by a connection of its own: making one costs more than most of them."""


@dataclass
class InProcess:
    """The application, a client that calls it directly, and what it has logged."""

    application: Application
    client: httpx.AsyncClient
    management: httpx.AsyncClient
    """Of the second listener."""
    stream: io.BytesIO

    def logged(self) -> str:
        self.application.log.flush()
        return self.stream.getvalue().decode()


class FastPathTransport(httpx.AsyncBaseTransport):
    """What a connection does: the fast path where it answers, ASGI for the rest."""

    def __init__(self, application: Application, asgi: httpx.AsyncBaseTransport) -> None:
        self._fast_path, self._asgi = application.fast_path, asgi

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        if request.method != "POST" or not self._fast_path.takes(request.url.raw_path):
            return await self._asgi.handle_async_request(request)
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        exchange = self._fast_path.answer(asyncio.get_running_loop(), request.url.raw_path, headers, body)
        if exchange is None:
            return await self._asgi.handle_async_request(request)
        assert exchange.reply is not None
        self._fast_path.record(exchange)
        found = fields(exchange.reply, exchange.id, exchange.proof)
        return httpx.Response(exchange.reply.status, headers=found, content=exchange.reply.body)


def in_process(model: TinyModel, folder: Path, *, fast_path: bool = False, **settings: Any) -> InProcess:
    file = model.write(folder)
    chosen = Settings(NAME, "clinic", VERSION, model.sha256, file, **settings)
    stream = io.BytesIO()
    application = create_app(load_model(file, model.sha256), chosen, RequestLog(stream, model=NAME, version=VERSION))
    transport: httpx.AsyncBaseTransport = httpx.ASGITransport(application.asgi, raise_app_exceptions=False)
    if fast_path:
        transport = FastPathTransport(application, transport)
    client = httpx.AsyncClient(transport=transport, base_url="http://heart")
    management = httpx.AsyncClient(transport=httpx.ASGITransport(application.management), base_url="http://heart")
    return InProcess(application, client, management, stream)


def in_process_server(model: TinyModel, folder: Path, **settings: Any) -> Server:
    """A server that does not listen: what its connections need, for tests that bring their own transport."""
    chosen = Settings(NAME, "clinic", VERSION, model.sha256, model.write(folder), **settings)
    log = RequestLog(io.BytesIO(), model=NAME, version=VERSION)
    server = build_server(create_app(load_model(chosen.file, model.sha256), chosen, log), chosen)
    server.config.load()
    return server


@dataclass
class Running:
    """`python -m heart_serving` on loopback."""

    process: "subprocess.Popen[bytes]"
    port: int
    management_port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def management(self) -> str:
        """Address of the second listener."""
        return f"http://127.0.0.1:{self.management_port}"

    def metrics(self) -> str:
        return CLIENT.get(f"{self.management}/metrics").text

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stopped(self) -> str:
        """Waits for the end of the process; everything that it logged."""
        self.process.wait(30)
        return self.log.read_text()


def environment(file: Path, sha256: str, port: int, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        Env.MODEL_NAME: NAME,
        Env.MODEL_NAMESPACE: "clinic",
        Env.MODEL_VERSION: VERSION,
        Env.MODEL_SHA256: f"sha256:{sha256}",
        Env.MODEL_FILE: str(file),
        Env.PROOF_KEY: PROOF_KEY,
        "HEARTOPS_HOST": "127.0.0.1",
        "HEARTOPS_PORT": str(port),
        "HEARTOPS_GRPC_PORT": "0",
        "HEARTOPS_MANAGEMENT_PORT": "0",
        **more,
    }


def start(variables: dict[str, str], log: Path, *prefix: str) -> "subprocess.Popen[bytes]":
    """Logs into a file: nobody reads a pipe fast enough to not hold up a server under load."""
    command = [*prefix, sys.executable, "-m", "heart_serving"]
    with log.open("wb") as output:
        return subprocess.Popen(command, env=variables, stdout=output, stderr=subprocess.STDOUT)


@contextmanager
def running(model: TinyModel, folder: Path, **variables: str) -> Iterator[Running]:
    """Ready when the block begins, gone when it ends."""
    port, management_port = free_port(), free_port()
    log = folder / "server.log"
    variables = {"HEARTOPS_MANAGEMENT_PORT": str(management_port)} | variables
    process = start(environment(model.write(folder), model.sha256, port, **variables), log)
    server = Running(process, port, management_port, log)
    try:
        wait_ready(server)
        yield server
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def serving(model: TinyModel, folder: Path, **settings: Any) -> AsyncIterator[tuple[Server, int]]:
    """(server, port): the real server on this event loop, so that a test may shorten its times."""
    port = free_port()
    chosen = Settings(NAME, "clinic", VERSION, model.sha256, model.write(folder), "127.0.0.1", port, 0, **settings)
    log = RequestLog(io.BytesIO(), model=NAME, version=VERSION)
    server = build_server(create_app(load_model(chosen.file, model.sha256), chosen, log), chosen)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            assert not task.done()
            await asyncio.sleep(0.01)
        yield server, port
    finally:
        server.should_exit = True
        await task


def wait_ready(server: Running, seconds: float = 30) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if server.process.poll() is not None:
            raise AssertionError(f"the server ended: {server.stopped()}")
        try:
            if CLIENT.get(f"{server.management}/v2/health/ready", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise AssertionError("the server did not become ready in time")


def outcome_of(request_id: str, outcome: Any, row: int = 0, records: int = 1) -> dict[str, Any]:
    """An outcome of a request for so many records, with its proof."""
    proof = PROOFS.prove(request_id, records)
    return {"request_id": request_id, "proof": proof, "row": row, "outcome": outcome}
