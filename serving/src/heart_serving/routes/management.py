"""What the platform asks of a pod, on a port that no Service for callers, Ingress or route publishes."""

from typing import Any

from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from heart_serving.metrics import Exposition
from heart_serving.routes.readiness import Readiness
from heart_serving.settings import Settings

DESCRIPTION = ("/docs", "/openapi.json", "/model")
"""Also on the port for callers; here for people with a port-forward and a browser, which sends no key."""


def build_management(settings: Settings, readiness: Readiness, framework: Any, *metrics: Collector) -> Starlette:
    """Probes, metrics and the model's bytes. Nobody is asked who they are: NetworkPolicies say who gets here.

    `framework`: the application that answers DESCRIPTION.
    """
    exposition = Exposition(*metrics)

    async def live(request: Request) -> Response:
        """The process answers."""
        return JSONResponse({"live": True})

    async def ready(request: Request) -> Response:
        """The model has passed its self-check, and the pod is not stopping."""
        response = JSONResponse({"ready": not readiness.draining})
        readiness.check(response)
        return response

    async def prometheus_metrics(request: Request) -> Response:
        return Response(exposition(), headers={"Content-Type": exposition.content_type})

    async def artifact(request: Request) -> Response:
        """The model's bytes, for new pods of the same model; they check the digest themselves."""
        if request.path_params["sha256"] != settings.sha256:
            raise HTTPException(404, "this pod serves another model file")
        return FileResponse(settings.file, media_type="application/octet-stream")

    return Starlette(
        routes=[
            Route("/v2/health/live", live),
            Route("/v2/health/ready", ready),
            Route("/metrics", prometheus_metrics),
            Route("/artifacts/{sha256}", artifact),
            *(Route(path, framework) for path in DESCRIPTION),
        ]
    )
