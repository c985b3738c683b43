"""A model that asks for a key: who gets in, and what those hear who do not."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.openapi.models import OpenAPI

from heart_api.authentication import SCOPES, hashed
from tests.support.serving.app import InProcess, in_process
from tests.support.serving.callers import KEY, Mounted
from tests.support.serving.tiny_model import RECORD, tiny_model

BEARER = {"Authorization": f"Bearer {KEY}"}
KINDS = {str: "BYTES", bool: "BOOL", int: "INT64", float: "FP64"}
TENSORS = {
    "inputs": [
        {"name": name, "datatype": KINDS[type(value)], "shape": [1], "data": [value]} for name, value in RECORD.items()
    ]
}
PREDICTIONS: dict[str, Any] = {
    "/predict": RECORD,
    "/v2/models/heart/infer": TENSORS,
    "/v2/models/heart/versions/7/infer": TENSORS,
    "/v1/models/heart:predict": {"instances": [RECORD]},
    "/invocations": {"dataframe_records": [RECORD]},
    "/endpoints/heart/invocations": {"dataframe_records": [RECORD]},
}


@pytest.fixture
def mounted(tmp_path: Path) -> Mounted:
    found = Mounted(tmp_path)
    found.allow("clinic", KEY)
    found.require("APIKey")
    return found


@pytest.fixture(params=[True, False], ids=["fast-path", "asgi"])
async def served(tmp_path: Path, mounted: Mounted, request: pytest.FixtureRequest) -> AsyncIterator[InProcess]:
    served = in_process(tiny_model(), tmp_path, fast_path=request.param, auth=mounted.settings)
    async with served.client:
        yield served


def message(path: str, reply: httpx.Response) -> str:
    """In the form of the protocol's own errors."""
    found = reply.json()
    if path.endswith("invocations"):
        assert found["error_code"] == {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}[reply.status_code]
        return str(found["message"])
    [(key, text)] = found.items()
    assert key == ("error" if path.startswith(("/v1", "/v2")) else "detail")
    return str(text)


@pytest.mark.parametrize("path", PREDICTIONS)
@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
async def test_a_key_opens_every_protocol(served: InProcess, path: str, header: str) -> None:
    credential = {header: f"Bearer {KEY}" if header == "Authorization" else KEY}
    assert (await served.client.post(path, json=PREDICTIONS[path], headers=credential)).status_code == 200


NO_KEYS: dict[str, dict[str, str]] = {
    "none": {},
    "empty": {"Authorization": "Bearer "},
    "another": {"Authorization": "Bearer heart_another"},
    "a part": {"Authorization": f"Bearer {KEY[:-1]}"},
    "more": {"Authorization": f"Bearer {KEY}0"},
    "its hash": {"Authorization": f"Bearer {hashed(KEY, ()).sha256}"},
    "its stored line": {"X-API-Key": hashed(KEY, ("predict",)).line()},
    "as a password": {"Authorization": "Basic aGVhcnQ6aGVhcnQ="},
    "no bearer": {"Authorization": KEY},
    "very long": {"Authorization": "Bearer " + "a" * 20_000},
    "in another header": {"X-Api-Token": KEY},
    "not ASCII": {"X-API-Key": "schlüssel"},
    "name of the caller": {"X-API-Key": "clinic"},
    "a shadow": {"X-HeartOps-Shadow": "1"},
}


@pytest.mark.parametrize("path", PREDICTIONS)
@pytest.mark.parametrize("name", NO_KEYS)
async def test_nothing_else_does(served: InProcess, path: str, name: str) -> None:
    headers = {key: value.encode() for key, value in NO_KEYS[name].items()}
    reply = await served.client.post(path, json=PREDICTIONS[path], headers=headers)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith('Bearer realm="heartops"')
    assert "prediction" not in reply.text
    assert "key" in message(path, reply)


async def test_a_key_in_the_address_is_none(served: InProcess) -> None:
    """Addresses are logged by everything on the way."""
    for name in ("api_key", "key", "access_token"):
        reply = await served.client.post(f"/predict?{name}={KEY}", json=RECORD)
        assert reply.status_code == 401


async def test_a_denied_request_costs_no_parsing_and_is_not_read(served: InProcess) -> None:
    for body in (b"{", b"[" * 100_000, b"\xff" * 3_000_000):
        reply = await served.client.post("/predict", content=body, headers={"Content-Type": "application/json"})
        assert reply.status_code == 401


OTHERS = ("/model", "/docs", "/openapi.json", "/v2", "/v2/models", "/v2/models/heart", "/v2/models/stats", "/nothing")


@pytest.mark.parametrize("path", OTHERS)
async def test_what_describes_the_model_takes_any_key(served: InProcess, mounted: Mounted, path: str) -> None:
    for method in ("GET", "HEAD"):
        assert (await served.client.request(method, path)).status_code == 401
    assert message(path, await served.client.get(path))
    assert (await served.client.get(path, headers=BEARER)).status_code in (200, 404)


@pytest.mark.parametrize("path", ["/", "/health", "/v2/health/live", "/v2/health/ready", "/ping"])
async def test_load_balancers_need_no_key(served: InProcess, path: str) -> None:
    assert (await served.client.get(path)).status_code == 200


@pytest.mark.parametrize(
    ("path", "scope"), [("/predict", "predict"), ("/explain", "explain"), ("/feedback", "feedback")]
)
async def test_a_key_of_another_scope_is_refused(tmp_path: Path, mounted: Mounted, path: str, scope: str) -> None:
    mounted.allow("all-but-one", "heart_1", scopes=[each for each in SCOPES if each != scope])
    mounted.allow("one", "heart_2", scopes=[scope])
    served = in_process(tiny_model(), tmp_path, auth=mounted.settings)
    denied = await served.client.post(path, json=RECORD, headers={"X-API-Key": "heart_1"})
    assert denied.status_code == 403
    assert f'error="insufficient_scope", scope="{scope}"' in denied.headers["www-authenticate"]
    assert (await served.client.post(path, json=RECORD, headers={"X-API-Key": "heart_2"})).status_code not in (401, 403)


async def test_a_browser_may_ask_whether_it_may_ask(tmp_path: Path, mounted: Mounted) -> None:
    """A preflight carries no key, by the standard; the request behind it does."""
    origin = "https://clinic.example"
    served = in_process(tiny_model(), tmp_path, auth=mounted.settings, cors_origins=(origin,))
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    assert (await served.client.options("/predict", headers=asked)).status_code == 200
    denied = await served.client.post("/predict", json=RECORD, headers={"Origin": origin})
    assert (denied.status_code, denied.headers["access-control-allow-origin"]) == (401, origin)


async def samples(served: InProcess, name: str) -> dict[str, float]:
    """By the line's labels that are not those of every line."""
    text = (await served.management.get("/metrics")).text
    found = {}
    for line in text.splitlines():
        if line.startswith(f"{name}{{"):
            labels, _, value = line.partition("} ")
            own = [each for each in labels.partition("{")[2].split(",") if not each.startswith("model_")]
            found[",".join(own)] = float(value)
    return found


async def test_denied_requests_are_counted_apart(served: InProcess) -> None:
    """The canary's analysis divides errors by http_requests_total: nobody without a key may move either."""
    before = await samples(served, "http_requests_total")
    for name in ("none", "another", "another"):
        await served.client.post("/predict", json=RECORD, headers=NO_KEYS[name])
    await served.client.get("/model")
    denied = await samples(served, "requests_denied_total")
    assert (denied['reason="missing"'], denied['reason="invalid"'], denied['reason="scope"']) == (2, 2, 0)
    assert await samples(served, "http_requests_total") == before


@pytest.mark.parametrize(
    ("kind", "keys", "shown"), [("APIKey", (), [0]), ("APIKey", (KEY, "other"), [2]), ("None", (), [])]
)
async def test_keys_that_admit_somebody_are_counted(
    kind: str, keys: tuple[str, ...], shown: list[float], tmp_path: Path
) -> None:
    """0: every request is denied, which an alert says. A model that asks nobody has no such series."""
    files = Mounted(tmp_path)
    files.require(kind)
    files.allow("clinic", *keys)
    served = in_process(tiny_model(), tmp_path, auth=files.settings)
    async with served.client:
        assert list((await samples(served, "caller_keys")).values()) == shown


async def test_callers_are_counted_by_name(served: InProcess, mounted: Mounted) -> None:
    for _ in range(2):
        await served.client.post("/predict", json=RECORD, headers=BEARER)
    await served.client.post("/predict", json=[RECORD] * 1000, headers=BEARER)
    await served.client.get("/model", headers=BEARER)
    assert await samples(served, "caller_requests_total") == {'caller="clinic"': 4}


async def test_denials_are_logged_together_and_no_key_ever(served: InProcess, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(100):
        await served.client.post("/predict", json=RECORD, headers=NO_KEYS["another"])
        await asyncio.sleep(0)  # a real client's next request comes by the event loop
    await served.client.post("/predict", json=RECORD, headers=BEARER)
    await served.client.post("/predict", json={}, headers=BEARER)
    assert len([record for record in caplog.records if "denied" in record.getMessage()]) == 1
    shown = served.logged() + caplog.text + (await served.management.get("/metrics")).text
    assert KEY not in shown
    assert "heart_another" not in shown
    assert len(served.logged().splitlines()) == 2


async def test_openapi_says_how_to_prove_it_and_what_it_takes(served: InProcess, mounted: Mounted) -> None:
    document = (await served.client.get("/openapi.json", headers=BEARER)).json()
    OpenAPI.model_validate(document)
    assert document["components"]["securitySchemes"]["apiKey"]["name"] == "X-API-Key"
    scopes = {
        path: operation["security"]
        for path, operations in document["paths"].items()
        for operation in operations.values()
    }
    for path in PREDICTIONS:
        assert scopes[path] == [{"bearer": ["predict"]}, {"apiKey": ["predict"]}]
    assert scopes["/explain"][0] == {"bearer": ["explain"]}
    assert scopes["/feedback"][0] == {"bearer": ["feedback"]}
    assert scopes["/model"] == [{"bearer": []}, {"apiKey": []}]
    for path, needed in scopes.items():
        if "{" not in path and path not in (*PREDICTIONS, "/explain", "/feedback"):
            method = next(iter(document["paths"][path]))
            reply = await served.client.request(method, path)
            assert (reply.status_code == 401) == bool(needed), path


async def test_openapi_of_a_model_for_everybody_asks_for_nothing(tmp_path: Path) -> None:
    served = in_process(tiny_model(), tmp_path)
    document = (await served.client.get("/openapi.json")).json()
    assert "securitySchemes" not in document["components"]
    assert "security" not in json.dumps(document["paths"])
