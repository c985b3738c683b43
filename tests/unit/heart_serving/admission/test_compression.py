"""Compressed requests are bounded after they are unpacked; answers are compressed for those who accept it."""

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heart_serving.admission.compression import MOST_MEMBERS
from tests.support.serving.app import InProcess, in_process
from tests.support.serving.tiny_model import RECORD, tiny_model

BODY = json.dumps(RECORD).encode()
PATHS = {
    "/predict": RECORD,
    "/explain": RECORD,
    "/invocations": {"dataframe_records": [RECORD]},
    "/v1/models/heart:predict": {"instances": [RECORD]},
}


def deflate(data: bytes) -> bytes:
    return zlib.compress(data)


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def halves(data: bytes) -> bytes:
    return gzip.compress(data[:20]) + gzip.compress(data[20:])


def headers(encoding: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Content-Encoding": encoding}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("gzip", halves), ("deflate", deflate), ("deflate", bare)],
)
async def test_compressed_requests_are_answered_as_others(
    served: InProcess, path: str, encoding: str, pack: Any
) -> None:
    body = json.dumps(PATHS[path]).encode()
    plain = await served.client.post(path, content=body, headers=headers("identity"))
    packed = await served.client.post(path, content=pack(body), headers=headers(encoding))
    assert packed.status_code == 200
    assert packed.json() | {"request_id": ""} == plain.json() | {"request_id": ""}


SPACES = 20_000_000
BROKEN: dict[str, tuple[str, Callable[[], bytes], int]] = {
    "a bomb": ("gzip", lambda: gzip.compress(b" " * SPACES + BODY), 413),
    "three large members": ("gzip", lambda: gzip.compress(b" " * 1_000_000) * 3, 413),
    "a bomb by deflate": ("deflate", lambda: deflate(b" " * SPACES), 413),
    "too many members": ("gzip", lambda: gzip.compress(b"") * (MOST_MEMBERS + 1), 400),
    "cut off": ("gzip", lambda: gzip.compress(BODY)[:-9], 400),
    "not gzip": ("gzip", lambda: BODY, 400),
    "nothing": ("gzip", lambda: b"", 400),
    "not deflate": ("deflate", lambda: BODY, 400),
    "unknown": ("br", lambda: BODY, 415),
    "twice": ("gzip, gzip", lambda: gzip.compress(gzip.compress(BODY)), 415),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_cannot_be_unpacked_is_rejected_and_given_back(served: InProcess, name: str) -> None:
    encoding, body, status = BROKEN[name]
    reply = await served.client.post("/predict", content=body(), headers=headers(encoding))
    assert reply.status_code == status
    assert (status == 415) == ("accept-encoding" in reply.headers)
    assert served.application.app._bodies.buffered == 0


MANY = [RECORD] * 200


@pytest.mark.parametrize(
    ("accepts", "encoding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("br, gzip;q=0.5", "gzip"),
        ("gzip;q=0, deflate", "deflate"),
        ("identity", None),
        ("gzip;q=0.0", None),
    ],
)
@pytest.mark.parametrize("records", [MANY, MANY * 10])
async def test_long_answers_are_compressed_where_that_is_accepted(
    served: InProcess, accepts: str, encoding: str | None, records: Any
) -> None:
    reply = await served.client.post("/predict", json=records, headers={"Accept-Encoding": accepts})
    assert reply.headers.get("content-encoding") == encoding
    assert len(reply.json()["predictions"]) == len(records)


async def test_short_answers_are_not(served: InProcess) -> None:
    reply = await served.client.post("/predict", json=RECORD, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in reply.headers


async def test_a_model_that_is_slow_unpacks_too(tmp_path: Path) -> None:
    served = in_process(tiny_model(), tmp_path, fast_path=True)
    body = gzip.compress(json.dumps(MANY * 20).encode())
    reply = await served.client.post("/predict", content=body, headers=headers("gzip"))
    assert len(reply.json()["predictions"]) == len(MANY) * 20
