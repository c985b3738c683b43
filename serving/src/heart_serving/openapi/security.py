"""Who may call, in OpenAPI: two ways to send a key or token, and the scope that each operation takes."""

from collections.abc import Collection
from typing import Any

from heart_api.authentication import KEY_HEADER
from heart_serving.auth.guard import OPEN_PATHS
from heart_serving.openapi.schemas import Json

SCHEMES: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key of this model, or a token of its issuer.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": KEY_HEADER,
        "description": "The same, where something on the way consumes Authorization.",
    },
}
DENIED: Json = {
    "401": {"description": "No valid key or token: `WWW-Authenticate` says more."},
    "403": {"description": "The key or token lacks the scope."},
}
OWN_SCOPES = {"/explain": "explain", "/feedback": "feedback"}


def with_security(document: Json, predictions: Collection[str]) -> Json:
    """The document of a model whose callers authenticate. `predictions`: paths that take the scope `predict`."""
    components = {**document["components"], "securitySchemes": SCHEMES}
    paths = {
        path: {method: secured(operation, path, predictions) for method, operation in operations.items()}
        for path, operations in document["paths"].items()
    }
    return {**document, "components": components, "paths": paths}


def secured(operation: Json, path: str, predictions: Collection[str]) -> Json:
    if path in OPEN_PATHS:
        return {**operation, "security": []}
    scope = OWN_SCOPES.get(path, "predict" if path in predictions else None)
    scopes: list[Any] = [scope] if scope else []
    responses = {**operation["responses"], **{code: DENIED[code] for code in ("401", "403")[: 1 + len(scopes)]}}
    return {**operation, "security": [{name: scopes} for name in SCHEMES], "responses": responses}
