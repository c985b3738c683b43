"""Everything but predictions that callers may ask for, on FastAPI: health, the model's card and documents."""

from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from heart_model.model import Model
from heart_serving.auth.guard import Guard
from heart_serving.explain.worker import add_explain_error
from heart_serving.http.prefix import Prefix
from heart_serving.metrics import ServingMetrics
from heart_serving.model.examples import example_record, example_records
from heart_serving.openapi.docs_page import docs_page
from heart_serving.openapi.document import build_openapi, prediction_paths, servers
from heart_serving.openapi.security import with_security
from heart_serving.predictionlog.parts import PredictionLogging
from heart_serving.predictionlog.proofs import Proofs
from heart_serving.protocols.open_inference import OpenInference
from heart_serving.routes.feedback import add_feedback
from heart_serving.routes.names import error_key
from heart_serving.routes.protocols import STOPPING, add_protocols
from heart_serving.routes.readiness import Readiness
from heart_serving.routes.root import add_root
from heart_serving.routes.triton import add_triton
from heart_serving.settings import Settings

PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
"""/docs loads nothing from anywhere: it works without the internet, and no one else learns who reads it."""


def build_framework(
    model: Model,
    settings: Settings,
    inference: OpenInference,
    metrics: ServingMetrics,
    readiness: Readiness,
    predictions: PredictionLogging,
    proofs: Proofs,
    guard: Guard,
    prefix: Prefix,
) -> FastAPI:
    """Return the FastAPI application of all routes but predictions and explanations, which are answered before it."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.exception_handler(HTTPException)(as_json)
    app.exception_handler(404)(as_json)
    app.exception_handler(405)(as_json)
    add_health(app, settings, readiness)
    add_root(app, settings)
    add_triton(app, settings, inference, metrics)
    add_protocols(app, settings, inference, readiness)
    add_model(app, model, settings)
    add_feedback(app, settings, inference.answers, predictions, proofs)
    add_explain_error(app, model.package, settings)
    add_documents(app, model, settings, guard, prefix)
    return app


async def as_json(request: Request, error: Any) -> JSONResponse:
    """Return the error as a response, in the form of the route's protocol."""
    return JSONResponse({error_key(request.url.path): error.detail}, error.status_code, error.headers)


def add_health(app: FastAPI, settings: Settings, readiness: Readiness) -> None:
    """Add the probes for callers: whether the process lives, and whether it is ready."""

    @app.get("/health", tags=["health"], responses=STOPPING)
    async def health(response: Response) -> dict[str, str]:
        """Whether this pod answers predictions: 200, or 503 while it stops."""
        state = "ok" if readiness.check(response) else "stopping"
        return {"status": state, "model": settings.name, "version": settings.version}

    @app.get("/v2/health/live", tags=["health"])
    async def live() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @app.get("/v2/health/ready", tags=["health"], responses=STOPPING)
    async def ready(response: Response) -> dict[str, bool]:
        """The model has passed its self-check, and the pod is not stopping."""
        return {"ready": readiness.check(response)}


def add_model(app: FastAPI, model: Model, settings: Settings) -> None:
    """Add /model: what serves, by which contract, with example records."""
    package = model.package.model_dump(mode="json", by_alias=True, exclude_none=True)
    shown = ("task", "algorithm", "target", "classes", "threshold", "synthetic", "metrics", "features")
    card = {
        "name": settings.name,
        "namespace": settings.namespace,
        "registryName": model.package.registry_name,
        "version": settings.version,
        "digest": f"sha256:{settings.sha256}",
        **{key: package[key] for key in shown},
        "example": example_record(model.package),
        "examples": example_records(model.package),
    }

    @app.get("/model", tags=["model"])
    async def describe_model() -> dict[str, Any]:
        """Name, version, digest, quality at training, the data contract, and made-up records that fit it."""
        return card


def add_documents(app: FastAPI, model: Model, settings: Settings, guard: Guard, prefix: Prefix) -> None:
    """Add the OpenAPI document and /docs; where callers must prove who they are, the document says how."""
    document = build_openapi(app.routes, model.package, settings)
    secured = with_security(document, prediction_paths(model.package, settings))
    page = docs_page(document, model.package, settings)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> JSONResponse:
        found = document if guard.authenticator is None else secured
        return JSONResponse(found | {"servers": servers(prefix.public)} if prefix.public else found)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_POLICY})
