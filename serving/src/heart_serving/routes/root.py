"""`GET /`: for the health checks of load balancers, and for people who want the documentation."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from heart_serving.routes.names import PREFIX
from heart_serving.settings import Settings


def add_root(app: FastAPI, settings: Settings) -> None:
    """Add `/`: what this server is, and where its documentation is."""
    card: dict[str, Any] = {
        "status": "alive",
        "model": settings.name,
        "version": settings.version,
        "docs": "docs",
        "openapi": "openapi.json",
    }

    @app.get("/", tags=["health"], response_class=JSONResponse)
    async def root(request: Request) -> Response:
        """Name and version, and where the documents are; a browser is sent to them."""
        if "text/html" in request.headers.get("accept", ""):
            prefix = request.scope.get(PREFIX)
            return RedirectResponse(f"{prefix}/docs" if prefix else "docs")  # a Gateway may have cut one off, too
        return JSONResponse(card)
