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
    """Return the ASGI application with CORS: preflights of `origins` are answered, and their pages may read answers.

    Without origins it is `app` itself.
    """
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
