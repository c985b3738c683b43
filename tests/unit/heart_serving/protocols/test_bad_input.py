"""Whatever a client sends: a clear 4xx, never a 5xx, and never its own values back."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heart_serving.admission.request_body import BodyReader, Head
from heart_serving.errors import Problem
from tests.support.serving.app import InProcess, in_process
from tests.support.serving.tiny_model import HEART, RECORD, tiny_model
from tests.unit.heart_serving.strategies import any_records, json_values

JSON = {"Content-Type": "application/json"}
MARKER = "S3CRET-9471"
GOOD = json.dumps(RECORD)
INFER = "/v2/models/heart/infer"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ("", 400, "not JSON"),
        ("{", 400, "not JSON"),
        ("not json", 400, "not JSON"),
        (GOOD + GOOD, 400, "not JSON"),
        (GOOD.replace("54", "NaN"), 400, "not JSON"),
        (GOOD.replace("54", "Infinity"), 400, "not JSON"),
        (GOOD.replace("54", "-Infinity"), 400, "not JSON"),
        (GOOD.replace("54", "1e999"), 400, "not JSON"),
        (GOOD.replace("54", "9" * 5000), 400, "not JSON"),
        (GOOD.replace("54", "9" * 25), 422, "at most 120"),
        (GOOD.replace("54", "054"), 400, "not JSON"),
        ("[" * 100_000, 400, "not JSON"),
        ('{"a":' * 100_000, 400, "not JSON"),
        ("[" * 1000 + "]" * 1000, 422, "must be an object"),
        ('{"a":' * 1000 + "1" + "}" * 1000, 422, "not a feature"),
        ('{"age": 70,' + GOOD[1:], 400, "two entries of the same name"),
        ('{"sex": 1, "sex": 1,' + GOOD[1:], 400, "two entries of the same name"),
        (GOOD.encode("utf-16"), 400, "not JSON"),
        (b"\xef\xbb\xbf" + GOOD.encode(), 400, "not JSON"),
        (b'"\xff"', 400, "not JSON"),
        (b'{"age": "\\ud800"}', 400, "not JSON"),
        ("null", 422, "one record (an object) or a list"),
        ("54", 422, "one record (an object) or a list"),
        ("true", 422, "one record (an object) or a list"),
        ('"text"', 422, "one record (an object) or a list"),
        ("{}", 422, "missing"),
        ("[]", 422, "at least one record"),
        ("[[]]", 422, "must be an object"),
        ("[null]", 422, "must be an object"),
        (json.dumps({"instances": [RECORD]}), 422, "not a feature"),
        (json.dumps(RECORD | {"exang": 2}), 422, "true or false"),
        (json.dumps([RECORD] * 10_001), 413, "at most 10000 records"),
        (" " * (2 * 1024 * 1024) + GOOD, 413, "at most 2097152 bytes"),
    ],
)
async def test_bad_bodies(served: InProcess, body: Any, status: int, says: str) -> None:
    reply = await served.client.post("/predict", content=body, headers=JSON)
    assert reply.status_code == status
    assert says in json.dumps(reply.json()["detail"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "application/x-python-serialize"}, 415),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "br"}, 415),
        ({"Content-Type": "application/json; charset=UTF-8"}, 200),
        ({"Content-Type": "Application/JSON"}, 200),
    ],
)
async def test_only_plain_json_in_utf8(served: InProcess, headers: dict[str, str], status: int) -> None:
    assert (await served.client.post("/predict", content=GOOD, headers=headers)).status_code == status


async def test_other_methods_and_paths(served: InProcess) -> None:
    assert (await served.client.get("/predict")).headers["allow"] == "POST"
    assert (await served.client.get("/predict")).status_code == 405
    assert (await served.client.post("/health")).status_code == 405
    assert (await served.client.get("/predicts")).json() == {"detail": "Not Found"}
    assert (await served.client.get("/v2/models/other")).json()["error"]
    assert (await served.client.post("/v2/models/other/infer", json={})).status_code == 404


async def test_an_odd_id_of_a_caller_is_not_logged(served: InProcess) -> None:
    for odd in ("a b", "x" * 65, "<script>", 'a"b'):
        reply = await served.client.post("/predict", json=RECORD, headers={"X-Request-Id": odd})
        assert reply.json()["request_id"] == reply.headers["x-request-id"]
    assert "correlation_id" not in served.logged()


async def test_values_never_come_back_nor_reach_the_log(served: InProcess) -> None:
    bad = [
        {"age": MARKER, "sex": MARKER, "cp": MARKER, "vessels": MARKER, "exang": MARKER},
        RECORD | {f"{MARKER} {MARKER}": MARKER},
        [MARKER],
        MARKER,
    ]
    for body in [*map(json.dumps, bad), f'{{"{MARKER}', f"{{'{MARKER}'", f"[{MARKER}]"]:
        reply = await served.client.post("/predict", content=body, headers=JSON)
        assert reply.status_code in (400, 422)
        assert MARKER not in reply.text
    await served.client.get(f"/{MARKER}?{MARKER}={MARKER}")
    assert "/predict" in served.logged()
    assert MARKER not in served.logged()
    assert MARKER not in (await served.management.get("/metrics")).text


async def test_beyond_the_bound_of_requests_in_flight_clients_are_told_to_come_back(tmp_path: Path) -> None:
    served = in_process(tiny_model(), tmp_path)
    served.application.app.tasks = range(129)
    reply = await served.client.post("/predict", json=RECORD)
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    assert (await served.client.get("/v2/health/ready")).status_code == 200
    served.application.app.tasks = range(128)
    assert (await served.client.post("/predict", json=RECORD)).status_code == 200


async def test_bodies_in_memory_are_bounded_and_given_back() -> None:
    bodies = BodyReader(max_body=100)

    def client(*chunks: bytes) -> Any:
        messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        waiting = iter([*messages, {"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            return next(waiting)

        return receive

    assert await bodies.read(client(b"a" * 60, b"b" * 40), Head()) == b"a" * 60 + b"b" * 40
    assert bodies.buffered == 100
    bodies.release(100)
    with pytest.raises(Problem, match="at most 100 bytes"):
        await bodies.read(client(b"a" * 60, b"b" * 41), Head())
    with pytest.raises(Problem, match="at most 100 bytes"):
        await bodies.read(client(), Head(length=101))
    assert (bodies.buffered, bodies.waiting) == (0, 0)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> InProcess:
    return in_process(tiny_model(), tmp_path_factory.mktemp("fuzz"))


FUZZ = settings(
    deadline=None,
    max_examples=max(200, settings().max_examples),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@FUZZ
@given(data=st.data())
async def test_fuzzed_records_never_fail(shared: InProcess, data: st.DataObject) -> None:
    body = data.draw(any_records(HEART) | st.lists(any_records(HEART), max_size=3))
    reply = await shared.client.post("/predict", content=json.dumps(body), headers=JSON)
    assert reply.status_code in (200, 400, 422)


@FUZZ
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
async def test_fuzzed_bytes_never_fail(shared: InProcess, body: bytes) -> None:
    for path in ("/predict", INFER):
        assert (await shared.client.post(path, content=body, headers=JSON)).status_code in (400, 422)


tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from([*(feature.name for feature in HEART), "features", "x"]) | json_values,
        "shape": st.lists(st.integers(-1, 6), max_size=3) | json_values,
        "datatype": st.sampled_from(["FP32", "FP64", "INT64", "BOOL", "BYTES", "FP16", "X"]) | json_values,
        "data": st.lists(json_values, max_size=6) | json_values,
        "parameters": json_values,
    },
)
requests = st.fixed_dictionaries(
    {}, optional={"id": json_values, "inputs": st.lists(tensors, max_size=6) | json_values, "outputs": json_values}
)


@FUZZ
@given(parsed=requests | json_values)
async def test_fuzzed_tensors_never_fail(shared: InProcess, parsed: Any) -> None:
    reply = await shared.client.post(INFER, content=json.dumps(parsed), headers=JSON)
    assert reply.status_code in (200, 400, 413, 422)
