"""What the protocols have besides predictions, on FastAPI: metadata and readiness in the form of each."""

from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse

from heart_serving import __version__
from heart_serving.openapi.schemas import Json
from heart_serving.protocols.open_inference import OpenInference
from heart_serving.routes.names import UNKNOWN, V2, V2_VERSION, check_model
from heart_serving.routes.readiness import Readiness
from heart_serving.settings import Settings

EXTENSIONS = ["binary_tensor_data", "model_configuration", "statistics"]
STOPPING: dict[int | str, Json] = {503: {"description": "The pod is stopping."}}


def add_protocols(app: FastAPI, settings: Settings, inference: OpenInference, readiness: Readiness) -> None:
    """Add the routes of all protocols besides predictions: metadata, liveness, readiness."""
    add_open_inference(app, settings, inference, readiness)
    add_kserve_v1(app, settings, readiness)
    add_mlflow(app, readiness)


def add_open_inference(app: FastAPI, settings: Settings, inference: OpenInference, readiness: Readiness) -> None:
    """Add those of the Open Inference Protocol (v2)."""
    tags: list[Any] = ["open inference protocol"]

    @app.get("/v2", tags=tags)
    async def server_metadata() -> dict[str, Any]:
        """Server metadata."""
        return {"name": "heartops", "version": __version__, "extensions": EXTENSIONS}

    @app.get("/v2/models", tags=tags)
    async def models() -> dict[str, list[str]]:
        """Names of the models that this server has."""
        return {"models": [settings.name]}

    @app.get(V2, tags=tags, responses=UNKNOWN)
    @app.get(V2_VERSION, tags=tags, responses=UNKNOWN)
    async def model_metadata(name: str, version: str = settings.version) -> dict[str, Any]:
        """Inputs and outputs of the model."""
        check_model(settings, name, version)
        return inference.metadata()

    @app.get(f"{V2}/ready", tags=tags, responses=UNKNOWN | STOPPING)
    @app.get(f"{V2_VERSION}/ready", tags=tags, responses=UNKNOWN | STOPPING)
    async def model_ready(response: Response, name: str, version: str = settings.version) -> dict[str, Any]:
        """Whether the model answers."""
        check_model(settings, name, version)
        return {"name": name, "ready": readiness.check(response)}

    @app.post(f"{V2}/infer", include_in_schema=False)
    @app.post(f"{V2_VERSION}/infer", include_in_schema=False)
    async def infer_elsewhere(name: str, version: str = settings.version) -> None:
        """The model that this server has is answered before the framework is reached."""
        check_model(settings, name, version)


def add_kserve_v1(app: FastAPI, settings: Settings, readiness: Readiness) -> None:
    """Add those of KServe's protocol v1."""
    tags: list[Any] = ["kserve v1"]

    @app.get("/v1/models", tags=tags)
    async def v1_models() -> dict[str, list[str]]:
        """Names of the models that this server has."""
        return {"models": [settings.name]}

    @app.get("/v1/models/{name}", tags=tags, responses=UNKNOWN | STOPPING)
    async def v1_model_ready(response: Response, name: str) -> dict[str, Any]:
        """Whether the model answers."""
        check_model(settings, name)
        return {"name": name, "ready": readiness.check(response)}

    @app.post("/v1/models/{name}:predict", include_in_schema=False)
    async def v1_predict_elsewhere(name: str) -> None:
        check_model(settings, name)


def add_mlflow(app: FastAPI, readiness: Readiness) -> None:
    """Add those of MLflow's scoring server."""

    @app.get("/ping", tags=["mlflow"], responses=STOPPING, response_class=PlainTextResponse)
    async def ping(response: Response) -> PlainTextResponse:
        """200 while predictions are answered."""
        readiness.check(response)
        return PlainTextResponse("\n", response.status_code or 200)

    @app.get("/version", tags=["mlflow"], response_class=PlainTextResponse)
    async def version() -> PlainTextResponse:
        """Version of the server."""
        return PlainTextResponse(__version__)
