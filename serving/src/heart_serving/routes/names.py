"""Paths of the Open Inference Protocol, and the answer for a model that this server does not have."""

from fastapi import HTTPException

from heart_serving.openapi.schemas import Json, json_content, ref
from heart_serving.settings import Settings

UNKNOWN: dict[int | str, Json] = {404: {"description": "Another model."} | json_content(ref("ProtocolError"))}
AUTHOR = "heartops.author"
"""Key of the ASGI scope: who asks, as the guard knows them; empty where nobody has to say."""
PREFIX = "heartops.prefix"
"""Key of the ASGI scope: the path prefix that this server has cut off; absent where there was none."""
LEAVE_VERSION = "heartops.leave-version"
"""Key of the ASGI scope: to be called when the answer itself says which version gave it."""
KSERVE = ("/v1", "/v2")
V2 = "/v2/models/{name}"
V2_VERSION = "/v2/models/{name}/versions/{version}"


def error_key(path: str) -> str:
    """Return the key under which an error's text stands: `error` on KServe's routes, `detail` everywhere else."""
    return "error" if path.startswith(KSERVE) else "detail"


def check_model(settings: Settings, name: str, version: str | None = None) -> None:
    """Raise Problem 404 if `name` or `version` is not that of the model that is served."""
    if name != settings.name or version not in (None, settings.version):
        raise HTTPException(404, f"this server has model {settings.name} version {settings.version}")
