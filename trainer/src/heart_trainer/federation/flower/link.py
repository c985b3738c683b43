"""The coordinator's end of Flower: registers sites, starts the run, and carries messages to and from them.

The coordinator is the run's ServerApp itself: it claims the run's task as Flower's SuperExec would for a process of
its own, so that no code of a bundle is ever loaded.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.common.constant import SubStatus
from flwr.common.serde import run_from_proto
from flwr.proto.control_pb2 import RegisterNodeRequest, StartRunRequest
from flwr.proto.fab_pb2 import Fab
from flwr.proto.runtime_pb2 import AcquireTaskRequest, PullTaskInputRequest, PushTaskOutputRequest
from flwr.supercore.constant import TaskType
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.interceptors import (
    RuntimeTokenHttpInterceptor,
    RuntimeVersionHttpInterceptor,
    SuperExecAuthHttpInterceptor,
)
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid import HttpGrid

from heart_trainer.errors import TrainerError
from heart_trainer.federation.bundle import bundle, bundle_sha256
from heart_trainer.federation.exchange import Fleet, Reply, Seen
from heart_trainer.federation.files import AUTHORITY, SECRET

BODY = "body"
MESSAGE_TYPE = "query"
START_SECONDS = 120.0
POLL_SECONDS = 0.5
PROTECTED = frozenset({"/flwr.proto.Runtime/AcquireTask"})


class FlowerFleet(Fleet):
    """Raises TrainerError where the SuperLink does not answer."""

    def __init__(self, grid: HttpGrid) -> None:
        self._grid = grid

    def send(self, node: int, body: bytes, seconds: float) -> str:
        content = RecordDict({BODY: ConfigRecord({BODY: body})})
        with _speaking():
            (found,) = self._grid.push_messages([Message(content, node, MESSAGE_TYPE, ttl=seconds)])
        return str(found)

    def receive(self, messages: Sequence[str]) -> list[Reply]:
        with _speaking():
            found = list(self._grid.pull_messages(list(messages))) if messages else []
        return [_reply(message) for message in found]

    def seen(self) -> dict[int, Seen]:
        with _speaking():
            return {
                node.node_id: Seen(str(node.last_activated_at), node.status == "online")
                for node in self._grid.get_nodes()
            }


def _reply(message: Any) -> Reply:
    to = message.metadata.reply_to_message_id
    if message.has_error():
        return Reply(to, None, str(message.error.reason)[:200])
    try:
        body = message.content[BODY][BODY]
    except KeyError:
        return Reply(to, None, "the answer has no body")
    return Reply(to, body) if isinstance(body, bytes) else Reply(to, None, "the answer's body is not bytes")


@contextmanager
def _speaking() -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, OSError) as error:
        message = f"the SuperLink in the training's pod does not answer ({type(error).__name__}); the Job tries again"
        raise TrainerError("TrainingFailed", message, permanent=False) from error


@contextmanager
def open_fleet(
    folder: Path, address: str, public_keys: Mapping[str, bytes]
) -> Iterator[tuple[FlowerFleet, dict[str, int]]]:
    """(fleet, node of each site) for sites by name with their public keys (PEM). Raises TrainerError."""
    with _speaking():
        trust = (folder / AUTHORITY).read_bytes()
        nodes = _register(address, trust, public_keys)
        client = _runtime(address, trust, RuntimeTokenHttpInterceptor(_claim(address, trust, folder)))
        grid = HttpGrid(address, root_certificates=trust, token="unused")  # noqa: S106  it has a client already
        grid._client = client  # its own would repeat a request without end, and stop this process at a 401
        heartbeat = HeartbeatSender(make_task_heartbeat_fn_http(client))
        heartbeat.start()
    try:
        with _speaking():
            _take_task(grid, client)
        yield FlowerFleet(grid), nodes
    finally:
        with suppress(httpx.HTTPError):  # the run ends with the pod
            client.PushTaskOutput(PushTaskOutputRequest(sub_status=SubStatus.COMPLETED, details=""))
        heartbeat.stop()
        grid.close()


def _take_task(grid: HttpGrid, client: RuntimeHttpClient) -> None:
    found = client.PullTaskInput(PullTaskInputRequest())
    # Messages read their sender from here.
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = (
        found.task_id,
        found.run.run_id,
        found.context.node_id,
    )
    grid.set_run(run_from_proto(found.run))


def _runtime(address: str, trust: bytes, proof: Any) -> RuntimeHttpClient:
    version = RuntimeVersionHttpInterceptor(component_name="flwr-serverapp")
    return RuntimeHttpClient.from_server_address(address, False, trust, [version, proof])


def _register(address: str, trust: bytes, public_keys: Mapping[str, bytes]) -> dict[str, int]:
    """Registers the sites and starts a run with the release's bundle."""
    version = RuntimeVersionHttpInterceptor(component_name="flwr")
    control = ControlHttpClient.from_server_address(address, False, trust, [version])
    requests = {name: RegisterNodeRequest(public_key=key) for name, key in public_keys.items()}
    nodes = {name: int(_once_up(partial(control.RegisterNode, request)).node_id) for name, request in requests.items()}
    digest = bundle_sha256().removeprefix("sha256:")
    control.StartRun(StartRunRequest(fab=Fab(hash_str=digest, content=bundle())))
    control.close()
    return nodes


def _claim(address: str, trust: bytes, folder: Path) -> str:
    """The token of the run's task."""
    proof = SuperExecAuthHttpInterceptor(master_secret=(folder / SECRET).read_bytes(), protected_methods=PROTECTED)
    client = _runtime(address, trust, proof)
    deadline = time.monotonic() + START_SECONDS
    while not (token := client.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.SERVER_APP])).token):
        if time.monotonic() > deadline:
            raise TrainerError("TrainingFailed", "the SuperLink does not start the run; the Job tries again", False)
        time.sleep(POLL_SECONDS)
    client.close()
    return str(token)


def _once_up(call: Callable[[], Any]) -> Any:
    """The SuperLink starts beside the coordinator, and takes seconds."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return call()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
