"""Cross-origin requests of browsers, for the pages that the HeartModel lists."""

from collections.abc import Sequence
from typing import Any

from starlette.middleware.cors import CORSMiddleware

REQUEST_HEADERS = (
    "Authorization",
    "X-API-Key",
    "Content-Type",
    "Content-Encoding",
    "X-Request-Id",
    "Inference-Header-Content-Length",
)
RESPONSE_HEADERS = (
    "X-Request-Id",
    "X-Feedback-Proof",
    "X-Model-Version",
    "Retry-After",
    "WWW-Authenticate",
    "Inference-Header-Content-Length",
)
REMEMBERED_SECONDS = 600


def cross_origin(app: Any, origins: Sequence[str]) -> Any:
    """The ASGI application, which answers preflights of these origins and lets their pages read its answers."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "POST"),
        allow_headers=REQUEST_HEADERS,
        expose_headers=RESPONSE_HEADERS,
        max_age=REMEMBERED_SECONDS,
    )
