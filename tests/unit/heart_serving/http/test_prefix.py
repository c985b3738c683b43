"""The path prefix of an Ingress: the model answers below it, and nothing else does."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heart_api.handover import PublicPaths
from heart_api.paths import OWN_PATHS, OWN_TREES, cut_prefix
from heart_serving.http.prefix import PathsFile, Prefix
from tests.support.serving.app import InProcess, in_process
from tests.support.serving.tiny_model import RECORD, tiny_model

PREFIXES = ("/iris", "/predict/iris")


def behind_ingress(folder: Path, prefix: str, *, fast_path: bool = False) -> InProcess:
    """A model behind an Ingress with such a path."""
    return in_process(tiny_model(), folder, fast_path=fast_path, paths_file=paths_file(folder, prefix))


def paths_file(folder: Path, prefix: str) -> Path:
    file = folder / "paths.json"
    file.write_text(PublicPaths(prefix=prefix, public=(prefix,)).model_dump_json())
    return file


@pytest.fixture(params=[True, False], ids=["fast-path", "asgi"])
def fast_path(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=PREFIXES)
async def behind(tmp_path: Path, request: pytest.FixtureRequest, fast_path: bool) -> AsyncIterator[InProcess]:
    prefix: str = request.param
    served = behind_ingress(tmp_path, prefix, fast_path=fast_path)
    async with served.client:
        served.client.base_url = f"http://heart{prefix}"  # type: ignore[assignment]
        yield served


@pytest.fixture
async def at_predict(tmp_path: Path, fast_path: bool) -> AsyncIterator[InProcess]:
    served = behind_ingress(tmp_path, "/predict/iris", fast_path=fast_path)
    async with served.client:
        yield served


async def test_every_route_answers_below_the_prefix(behind: InProcess) -> None:
    record = {"inputs": [{"name": "age", "shape": [1], "datatype": "FP32", "data": [1]}]}
    assert (await behind.client.post("predict", json=RECORD)).status_code == 200
    assert (await behind.client.post("v2/models/heart/infer", json=record)).status_code == 422
    for path in ("health", "v2/models/heart", "model", "ping"):
        assert (await behind.client.get(path)).status_code == 200


async def test_without_the_prefix_callers_inside_the_cluster_are_answered(behind: InProcess) -> None:
    assert (await behind.client.post("http://heart/predict", json=RECORD)).status_code == 200


async def test_the_name_below_predict_is_the_prediction_itself(at_predict: InProcess) -> None:
    reply = await at_predict.client.post("/predict/iris", json=RECORD)
    assert (reply.status_code, "prediction" in reply.json()) == (200, True)
    assert (await at_predict.client.get("/predict/iris")).status_code == 405
    assert (await at_predict.client.get("/predict/iris/")).json()["model"] == "heart"


async def test_the_prefix_alone_leads_people_to_the_documents(tmp_path: Path) -> None:
    served = behind_ingress(tmp_path, "/iris")
    for path in ("/iris", "/iris/"):
        browser = await served.client.get(path, headers={"Accept": "text/html"})
        assert (browser.status_code, browser.headers["location"]) == (307, "/iris/docs")
    assert (await served.client.get("/iris/docs")).status_code == 200


async def test_documents_name_the_prefix(behind: InProcess) -> None:
    document = (await behind.client.get("openapi.json")).json()
    assert document["servers"][0]["url"] == behind.client.base_url.path.rstrip("/")
    assert "/predict" in document["paths"]


CONFUSED = (
    "/{p}x/predict",
    "/x/{p}/predict",
    "/{p}/{p}/predict",
    "/{p}//predict",
    "//{p}/predict",
    "/{p}%2Fpredict",
    "/{p}/%2e%2e/{p}/predict",
    "/{p}/../{p}/predict/",
    "/{p};x/predict",
    "/{upper}/predict",
    "/%69ris/predict",
)
"""What a gateway and a server could read differently."""


@pytest.mark.parametrize("url", CONFUSED)
async def test_what_only_resembles_the_prefix_is_nobodys(tmp_path: Path, fast_path: bool, url: str) -> None:
    served = behind_ingress(tmp_path, "/iris", fast_path=fast_path)
    target = served.client.build_request("POST", "http://heart/", json=RECORD)
    target.url = target.url.copy_with(raw_path=url.format(p="iris", upper="Iris").encode())
    assert (await served.client.send(target)).status_code == 404


@pytest.mark.parametrize("path", ["metrics", "artifacts/{sha256}", "../metrics", "%2e%2e/metrics", "/metrics"])
async def test_what_only_the_platform_may_ask_stays_out_of_reach(tmp_path: Path, path: str) -> None:
    model = tiny_model()
    served = behind_ingress(tmp_path, "/iris")
    reply = await served.client.get(f"http://heart/iris/{path.format(sha256=model.sha256)}")
    assert reply.status_code == 404


def test_a_change_is_followed_and_a_malformed_one_is_not(tmp_path: Path) -> None:
    prefix, file = Prefix(), paths_file(tmp_path, "/iris")
    paths = PathsFile(file)
    paths.refresh(prefix)
    assert prefix.inner(b"/iris/predict") == b"/predict"
    paths_file(tmp_path, "/flowers")
    paths.refresh(prefix)
    assert (prefix.inner(b"/flowers/predict"), prefix.inner(b"/iris/predict")) == (b"/predict", b"/iris/predict")
    file.write_text('{"prefix": "/../metrics"}')
    paths.refresh(prefix)
    assert prefix.text == "/flowers"
    file.unlink()
    paths.refresh(prefix)
    assert prefix.text == ""


def test_the_models_own_paths_are_no_prefixes(tmp_path: Path) -> None:
    """So that an Ingress at `/v2` goes on reaching them."""
    served = in_process(tiny_model(), tmp_path)
    routes = [route.path for route in served.application.app._framework.routes]
    for path in {"/predict", "/explain", "/invocations", "/endpoints/heart/invocations", *routes} - {"/"}:
        assert cut_prefix(path) == ""
        assert path in OWN_PATHS or path.split("/")[1] in OWN_TREES
    assert cut_prefix("/") == ""
    assert (cut_prefix("/v2iris/"), cut_prefix("/predict/iris")) == ("/v2iris", "/predict/iris")
