"""The mounted files that say who may call; Kubernetes replaces them while the pod runs."""

import asyncio
import logging
import time
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from heart_api.authentication import AuthConfig, Jwt
from heart_api.handover import Env
from heart_serving.auth.guard import Authenticator, Guard
from heart_serving.auth.keys import key_files, read_key_ring
from heart_serving.auth.keyset import fetch_key_set
from heart_serving.auth.settings import AuthSettings
from heart_serving.errors import SettingsError

POLL_SECONDS = 1.0
FETCH_SECONDS = 60.0
"""Between two reads of the issuer's keys at their address."""
Stamp = tuple[tuple[str, int, int], ...]

logger = logging.getLogger("heart_serving")


class AuthFiles:
    """Reads them, and keeps a guard in step with them. What cannot be read changes nothing: nobody gets in by it."""

    def __init__(self, settings: AuthSettings) -> None:
        self._settings = settings
        self._stamp: Stamp = ()
        self._problem = ""
        self._url: str | None = None
        self._fetched: dict[str, bytes] = {}
        self._next_fetch = 0.0

    def open(self) -> Guard:
        """The guard to start with. Raises SettingsError: a server that does not know whom to admit does not start."""
        self._stamp = self._fingerprint()
        try:
            return Guard(self._read())
        except (OSError, ValueError) as error:
            raise SettingsError(f"{Env.AUTH_FILE}: {self._settings.file} {reason(error)}") from None

    async def follow(self, guard: Guard) -> None:
        """Until cancelled."""
        while True:
            await self.refresh(guard)
            await asyncio.sleep(POLL_SECONDS)

    async def refresh(self, guard: Guard) -> None:
        """Takes changed files, and changed keys of the issuer, up."""
        stamp = await asyncio.to_thread(self._fingerprint)
        try:
            changed = await asyncio.to_thread(self._fetch)
            if stamp == self._stamp and not changed:
                return
            guard.authenticator = await asyncio.to_thread(self._read)
        except (OSError, ValueError) as error:
            self._warn(reason(error))
            return
        self._stamp, self._problem = stamp, ""
        logger.info("who may call was read again")

    def _read(self) -> Authenticator | None:
        config = AuthConfig.model_validate_json(self._settings.file.read_bytes())
        self._url = config.jwt.jwks_url if config.type == "JWT" and config.jwt else None
        if config.type == "None":
            return None
        if config.type == "JWT":
            return self._tokens(config.jwt)
        return read_key_ring(self._settings.keys)

    def _tokens(self, rules: Jwt | None) -> Authenticator:
        """Without a key nobody gets in; the server starts all the same, as the issuer may be down."""
        from heart_serving.auth.tokens import Tokens, read_key_set  # noqa: PLC0415  a pod without tokens loads less

        if rules is None:
            raise ValueError("jwt is missing")
        document = self._fetched.get(rules.jwks_url, b"") if rules.jwks_url else read_if_there(self._settings.jwks)
        if not document:
            logger.warning("there are no keys of the issuer %s yet: every request is denied", rules.issuer)
        return Tokens(rules, read_key_set(document) if document else {})

    def _fetch(self) -> bool:
        """Whether the issuer's keys have changed. Raises ValueError when they cannot be read."""
        if self._url is None or time.monotonic() < self._next_fetch:
            return False
        self._next_fetch = time.monotonic() + FETCH_SECONDS
        try:
            document = fetch_key_set(self._url, read_if_there(self._settings.authorities))
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise ValueError(f"the issuer's keys at {self._url} cannot be read: {why}") from None
        changed = self._fetched.get(self._url) != document
        self._fetched = {self._url: document}
        return changed

    def _fingerprint(self) -> Stamp:
        files = [self._settings.file, self._settings.jwks, *key_files(self._settings.keys)]
        return tuple(stamps(files))

    def _warn(self, problem: str) -> None:
        if problem != self._problem:
            logger.warning("callers are admitted as before: %s", problem)
        self._problem = problem


def read_if_there(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def stamps(files: Iterable[Path]) -> Iterable[tuple[str, int, int]]:
    for file in files:
        try:
            found = file.stat()
        except OSError:
            continue
        yield str(file), found.st_mtime_ns, found.st_ino


def reason(error: Exception) -> str:
    """Without a value of a file."""
    if isinstance(error, ValidationError):
        where = ", ".join(sorted({".".join(map(str, item["loc"])) or item["msg"] for item in error.errors()}))
        return f"what says who may call is malformed: {where}"
    if isinstance(error, OSError):
        return f"what says who may call cannot be read: {error.strerror or type(error).__name__}"
    return str(error)
