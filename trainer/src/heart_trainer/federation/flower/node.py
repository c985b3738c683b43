"""A site's end of Flower: a SuperNode that answers in this process, and never fetches or loads a bundle.

Flower's own SuperNode starts a process for every message and runs the code that the coordinator sends. Here the run's
bundle is compared by its digest, and that is all that becomes of it.
"""

import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.common.constant import HEARTBEAT_DEFAULT_INTERVAL
from flwr.common.serde import message_to_proto
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.node_pb2 import Node
from flwr.proto.run_pb2 import GetRunRequest
from flwr.supercore.heartbeat import HeartbeatSender
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_protobuf_utils import (
    make_confirm_message_received_fn_protobuf,
    make_pull_object_fn_protobuf,
    make_push_object_fn_protobuf,
)
from flwr.supercore.inflatable.inflatable_utils import ObjectPullError, pull_and_inflate_object_from_tree, push_objects
from flwr.supercore.interceptors.http.runtime_version import RuntimeVersionHttpInterceptor
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

from heart_trainer.federation.errors import Unknown, Unreachable, Untrusted
from heart_trainer.federation.keys import Key

BODY = "body"


@dataclass(frozen=True)
class Question:
    """A message of the coordinator. `bundle_sha256`: of the run that it belongs to."""

    body: bytes
    bundle_sha256: str
    handle: Any


class SuperNode:
    """A connection. Raises Unreachable, Untrusted or Unknown from every method."""

    def __init__(self, address: str, certificate: str, key: Key) -> None:
        self._public = public_key_to_bytes(key.public_key())
        interceptors = [
            RuntimeVersionHttpInterceptor(component_name="SuperNode"),
            NodeAuthHttpInterceptor(key, key.public_key()),
        ]
        self._client = FleetHttpClient.from_server_address(address, False, certificate.encode(), interceptors)
        self._node: Node | None = None
        self._bundles: dict[int, str] = {}
        self._heartbeat = HeartbeatSender(self._beat)

    def connect(self) -> None:
        """Anew, whatever came before: what was fetched and not answered is asked again for a new connection alone."""
        self._leave()
        request = ActivateNodeRequest(public_key=self._public, heartbeat_interval=HEARTBEAT_DEFAULT_INTERVAL)
        found = _speaking(lambda: self._client.ActivateNode(request))
        self._node = Node(node_id=found.node_id)
        if not self._heartbeat.is_running:
            self._heartbeat.start()

    def _beat(self) -> bool:
        request = SendNodeHeartbeatRequest(node=self._node, heartbeat_interval=HEARTBEAT_DEFAULT_INTERVAL)
        try:
            return bool(self._client.SendNodeHeartbeat(request).success)
        except httpx.HTTPError:
            return False  # the main loop notices, too, and connects anew

    def next(self) -> Question | None:
        """The oldest message that waits; None if there is none."""
        found: Question | None = _speaking(self._next)
        return found

    def _next(self) -> Question | None:
        found = self._client.PullMessages(PullMessagesRequest(node=self._node))
        if not found.messages_list:
            return None
        run, tree = found.messages_list[0].metadata.run_id, found.message_object_trees[0]
        message = pull_and_inflate_object_from_tree(
            tree,
            make_pull_object_fn_protobuf(self._client.PullObject, self._node, run),
            make_confirm_message_received_fn_protobuf(self._client.ConfirmMessageReceived, self._node, run),
            return_type=Message,
        )
        message.metadata.__dict__["_message_id"] = tree.object_id
        body = message.content[BODY][BODY] if BODY in message.content else b""
        return Question(body if isinstance(body, bytes) else b"", self._bundle_of(run), message)

    def _bundle_of(self, run: int) -> str:
        if run not in self._bundles:
            found = self._client.GetRun(GetRunRequest(node=self._node, run_id=run))
            self._bundles[run] = f"sha256:{found.run.fab_hash}"
        return self._bundles[run]

    def answer(self, question: Question, body: bytes, seconds: float) -> None:
        reply = Message(RecordDict({BODY: ConfigRecord({BODY: body})}), reply_to=question.handle)
        _speaking(lambda: self._push(reply, seconds))

    def _push(self, reply: Message, seconds: float) -> None:
        reply.metadata.__dict__["_message_id"] = reply.object_id
        with no_object_id_recompute():
            request = PushMessagesRequest(
                node=self._node,
                messages_list=[message_to_proto(remove_content_from_message(reply))],
                message_object_trees=[get_object_tree(reply)],
                clientapp_runtime_list=[seconds],
            )
            found = self._client.PushMessages(request)
            push = make_push_object_fn_protobuf(
                self._client.PushObject, self._node, reply.metadata.run_id, found.session_id
            )
            push_objects(get_all_nested_objects(reply), push, object_ids_to_push=set(found.objects_to_push))

    def close(self) -> None:
        """Says goodbye, so that nobody waits for this site."""
        if self._heartbeat.is_running:
            self._heartbeat.stop()
        self._leave()
        self._client.close()

    def _leave(self) -> None:
        """An active node cannot be activated again, and a node that says nothing is Offline within a minute anyway."""
        if self._node is not None:
            with suppress(httpx.HTTPError):
                self._client.DeactivateNode(DeactivateNodeRequest(node_id=self._node.node_id))


def _speaking(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if status in (401, 403, 404, 412):
            raise Unknown(f"the coordinator answers with status {status}") from error
        raise Unreachable(f"the coordinator answers with status {status}") from error
    except httpx.HTTPError as error:
        if _is_certificate(error):
            raise Untrusted("its certificate is not of the authority that was given") from error
        raise Unreachable(f"{type(error).__name__}") from error
    except ObjectPullError as error:
        raise Unreachable("a message was not complete") from error


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
