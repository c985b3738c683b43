"""Whatever bytes a client sends, in whatever pieces: responses of HTTP below 500, no exception, and no way in."""

import asyncio
import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heart_serving.http.connection import Connection
from heart_serving.server import Server
from tests.support.serving.app import in_process_server
from tests.support.serving.callers import KEY, with_key
from tests.support.serving.tiny_model import RECORD, tiny_model

pytestmark = pytest.mark.timeout(3600)
CASES = max(300, settings().max_examples)
"""More than a property has by default: `make test-overnight` has 10,000."""
BODIES = [
    json.dumps(body).encode() for body in (RECORD, [RECORD], {"instances": [RECORD]}, {"dataframe_records": [RECORD]})
]
PATHS = (
    b"/predict",
    b"/invocations",
    b"/v2/models/heart/infer",
    b"/v1/models/heart:predict",
    b"/explain",
    b"/feedback",
)
FIELDS = (b"content-encoding", b"content-type", b"inference-header-content-length", b"origin", b"expect")
WORDS = [*RECORD, "inputs", "instances", "dataframe_split", "dataframe_records", "columns", "data", "name", "shape"]


class Wire:
    """The transport of a connection; keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = write_eof = close

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    return in_process_server(tiny_model(), tmp_path_factory.mktemp("fuzz"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server whose callers need a key."""
    folder = tmp_path_factory.mktemp("guarded")
    return in_process_server(tiny_model(), folder, auth=with_key(folder))


tokens = st.text("abcXYZ-_09", min_size=1, max_size=12).map(str.encode)
NAMES = "Content-Length Transfer-Encoding Connection Upgrade Expect Content-Type Content-Encoding"
VALUES = "0|5|-1|99999999999999999999|chunked|close|Upgrade, HTTP2-Settings|h2c|100-continue|application/json|gzip"
names = st.sampled_from(NAMES.encode().split())
values = st.sampled_from(VALUES.encode().split(b"|"))
fields = st.tuples(names | tokens, values | tokens | st.binary(max_size=8))
urls = st.sampled_from([b"/predict", b"/", b"*", b"http://h/predict", b"/v2/models/heart/infer", b"/%ff"]) | tokens
requests = st.builds(
    lambda method, url, version, fields, body: (
        b"%b %b HTTP/%b\r\n" % (method, url, version)
        + b"".join(b"%b: %b\r\n" % field for field in fields)
        + b"\r\n"
        + body
    ),
    st.sampled_from([b"POST", b"GET", b"HEAD", b"OPTIONS", b"CONNECT", b"PRI"]) | tokens,
    urls,
    st.sampled_from([b"1.1", b"1.0", b"2.0", b"0.9"]),
    st.lists(fields, max_size=6),
    st.binary(max_size=30) | st.just(b"5\r\nhello\r\n0\r\n\r\n"),
)
streams = st.lists(requests | st.binary(max_size=60), min_size=1, max_size=4).map(b"".join)


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(stream=streams, size=st.integers(1, 200))
async def test_no_head_breaks_a_connection(server: Server, stream: bytes, size: int) -> None:
    answer = await sent(server, stream, size)
    if answer:
        assert answer.startswith(b"HTTP/1.1 ")
        assert answer[9:10] in b"1234"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner),
    max_leaves=8,
)
WHOLE = st.sampled_from(BODIES)
plain_bodies = st.binary(max_size=80) | json_values.map(lambda value: json.dumps(value).encode()) | WHOLE | WHOLE
packed = st.just(bytes) | st.sampled_from([gzip.compress, zlib.compress, lambda body: gzip.compress(body)[:-3]])
bodies = st.builds(lambda pack, body: pack(body), packed, plain_bodies)
more_fields = st.lists(
    st.tuples(
        st.sampled_from(FIELDS),
        st.sampled_from([b"gzip", b"deflate", b"br", b"application/json", b"text/csv", b"5", b"-1", b"100-continue"]),
    ),
    max_size=1,
)
credentials = st.sampled_from(
    [b"", b"authorization: Bearer ", b"authorization: Basic ", b"x-api-key: ", b"authorization: bearer  "]
).flatmap(lambda head: (st.binary(max_size=30) | st.just(KEY.encode()[:-1])).map(lambda key: printable(head, key)))


def printable(head: bytes, key: bytes) -> bytes:
    return b"%b%b\r\n" % (head, key.translate(None, bytes(range(32)))) if head else b""


def chunked(body: bytes) -> bytes:
    parts = [body[start : start + 7] for start in range(0, len(body), 7)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def request_of(path: bytes, more: list[tuple[bytes, bytes]], credential: bytes, body: bytes, in_chunks: bool) -> bytes:
    head = (
        b"POST %b HTTP/1.1\r\ncontent-type: application/json\r\n" % path
        + b"".join(b"%b: %b\r\n" % field for field in more)
        + credential
    )
    if in_chunks:
        return head + b"transfer-encoding: chunked\r\n\r\n" + chunked(body)
    return head + b"content-length: %d\r\n\r\n%b" % (len(body), body)


posts = st.builds(request_of, st.sampled_from(PATHS), more_fields, credentials, bodies, st.booleans())


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(stream=st.lists(posts, min_size=1, max_size=3).map(b"".join), size=st.integers(1, 400))
async def test_no_body_breaks_a_server_nor_opens_one(server: Server, guarded: Server, stream: bytes, size: int) -> None:
    """Whatever is sent without a valid key gets no prediction from a server that requires one."""
    for each in (server, guarded):
        for answer in (await sent(each, stream, size)).split(b"HTTP/1.1 ")[1:]:
            assert answer[:1] in b"124", answer[:300]
            assert each is server or answer[:1] != b"2"


async def sent(server: Server, stream: bytes, size: int) -> bytes:
    """What a connection writes to a stream that comes in pieces of this size."""
    wire = Wire()
    connection = Connection(server.config, server.server_state, {})
    connection.connection_made(wire)  # type: ignore[arg-type]
    for start in range(0, len(stream), size):
        connection.data_received(stream[start : start + size])
        await asyncio.sleep(0)
    while tasks := [task for task in server.server_state.tasks if not connection_waits(connection)]:
        await asyncio.wait(tasks, timeout=0.05)
    connection.connection_lost(None)
    while tasks := list(server.server_state.tasks):
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)
    return wire.written


def connection_waits(connection: Connection) -> bool:
    """For bytes that will not come."""
    cycle = connection.cycle
    return cycle is None or cycle.response_complete or cycle.more_body
