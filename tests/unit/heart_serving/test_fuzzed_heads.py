"""Whatever bytes a client sends, and in whatever pieces: responses of HTTP below 500, and no exception."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heart_model.model import load_model
from heart_serving.app import create_app
from heart_serving.http.connection import Connection
from heart_serving.server import Server, build_server
from heart_serving.settings import Settings
from tests.support.serving.tiny_model import tiny_model


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
    model, folder = tiny_model(), Path(tmp_path_factory.mktemp("fuzz"))
    chosen = Settings("heart", "clinic", "7", model.sha256, model.write(folder))
    server = build_server(create_app(load_model(chosen.file, model.sha256), chosen), chosen)
    server.config.load()
    return server


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


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(stream=streams, size=st.integers(1, 200))
async def test_no_head_breaks_a_connection(server: Server, stream: bytes, size: int) -> None:
    wire = Wire()
    connection = Connection(server.config, server.server_state, {})
    connection.connection_made(wire)  # type: ignore[arg-type]
    for start in range(0, len(stream), size):
        connection.data_received(stream[start : start + size])
        await asyncio.sleep(0)
    connection.connection_lost(None)
    while tasks := list(server.server_state.tasks):
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)
    if wire.written:
        assert wire.written.startswith(b"HTTP/1.1 ")
        assert wire.written[9:10] in b"1234"
