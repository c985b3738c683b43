"""The path prefix of an Ingress, which passes paths on unchanged, cut off before anything looks at a path.

The prefix is matched with the bytes that the client sent, and cut off once: what is encoded, doubled, or only begins
alike is another path, and nobody's.
"""

import asyncio
import logging
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from heart_api.handover import PublicPaths
from heart_api.paths import PREDICT, cut_prefix, is_predict
from heart_serving.routes.names import PREFIX

POLL_SECONDS = 1.0
NO_PATHS = PublicPaths()

logger = logging.getLogger("heart_serving")


class Prefix:
    """The prefix as it is now, and all that documents call the model's. Used on the event loop alone."""

    def __init__(self, paths: PublicPaths = NO_PATHS) -> None:
        self.set(paths)

    def set(self, paths: PublicPaths) -> None:
        self.public = paths.public
        self.text = cut_prefix(paths.prefix)
        self.raw = self.text.encode()
        self._below = self.raw + b"/"
        self._alone = PREDICT.encode() if is_predict(self.text) else b"/"

    def inner(self, url: bytes) -> bytes:
        """The model's own path, of one that a client wrote. Callers inside the cluster write it without the prefix."""
        if not self.raw:
            return url
        if url == self.raw:
            return self._alone
        return url[len(self.raw) :] if url.startswith(self._below) else url


class WithoutPrefix:
    """ASGI application in front of another one, which sees the model's own paths."""

    def __init__(self, application: Any, prefix: Prefix) -> None:
        self._application = application
        self._prefix = prefix

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._prefix.raw and scope["type"] == "http":
            scope = self._inner(scope)
        await self._application(scope, receive, send)

    def _inner(self, scope: Any) -> Any:
        raw: bytes = scope["raw_path"]
        inner = self._prefix.inner(raw)
        if inner is raw:
            return scope
        path = scope["path"][len(self._prefix.text) :] or inner.decode()
        return scope | {"path": path, "raw_path": inner, PREFIX: self._prefix.text}


class PathsFile:
    """The mounted file that says where users find the model; the operator changes it while pods run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: bytes | None = b""

    async def follow(self, prefix: Prefix) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await asyncio.to_thread(self.refresh, prefix)

    def refresh(self, prefix: Prefix) -> None:
        """Takes a changed file up. A missing one says that there is no prefix; a malformed one changes nothing."""
        try:
            found = self._path.read_bytes()
        except OSError:
            found = None
        if found == self._read:
            return
        self._read = found
        try:
            paths = PublicPaths.model_validate_json(found) if found is not None else NO_PATHS
        except ValidationError as error:
            where = ", ".join(sorted({".".join(map(str, item["loc"])) or item["msg"] for item in error.errors()}))
            logger.warning("paths stay as they are: %s is malformed: %s", self._path, where)
            return
        prefix.set(paths)
        logger.info("users find the model at: %s", ", ".join(paths.public) or "/")
