"""`python -m heart_serving.fetch`, the init container: puts the model file, proven by its digest, in its place.

Sibling pods are tried first, so that serving scales, restarts and rolls back while MLflow is down; MLflow second.
Neither is trusted: the digest comes from the operator. Where the runtime profile asks for signatures, the one of the
version is read from MLflow and verified before the container ends.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from heart_api.startup import importing

with importing():
    from heart_api.handover import Env
    from heart_model.limits import ArtifactRejected
    from heart_serving.errors import FetchFailed, SettingsError
    from heart_serving.log import configure_logging, leave_message
    from heart_serving.model.download import Address, Unreachable, download, file_digest, resolve
    from heart_serving.model.mlflow import Registry
    from heart_serving.settings import Settings, read_settings

DEADLINE_SECONDS = 120.0
"""After that the container ends, and Kubernetes starts it anew with a growing pause."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0

logger = logging.getLogger("heart_serving")


@dataclass(frozen=True, slots=True)
class Clock:
    """Monotonic time in seconds and a sleep; tests replace both."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def fetch(settings: Settings, environ: Mapping[str, str], clock: Clock = Clock()) -> str:
    """Returns where the file came from. Raises FetchFailed; the file is there only when its digest is right."""
    if settings.file.exists() and file_digest(settings.file) == settings.sha256:
        return "an earlier start"
    registry = Registry.of(environ, settings.version)
    ends, pause, reason = clock.now() + DEADLINE_SECONDS, FIRST_PAUSE, "nothing was tried"
    while True:
        try:
            check_signature(registry, settings, environ.get(Env.SIGNING_KEYS, ""))
            return from_sibling(settings, environ) or registry.fetch(settings.file, settings.sha256)
        except Unreachable as error:
            reason = str(error)
        except ArtifactRejected as error:
            raise FetchFailed(str(error)) from None
        if clock.now() + pause > ends:
            raise FetchFailed(f"gave up after {DEADLINE_SECONDS:.0f} s: {reason}")
        logger.warning("%s; trying again in %.0f s", reason, pause)
        clock.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def check_signature(registry: Registry, settings: Settings, keys: str) -> None:
    """That one of the keys signed the file with the version's digest, for this model; nothing where none are asked for.

    Raises ArtifactRejected, or Unreachable.
    """
    if not keys:
        return
    from heart_model.signing import BadKey, SignatureRejected, subject, verify  # noqa: PLC0415  slow to import, rarely needed

    signature = registry.signature()
    if not signature:
        raise ArtifactRejected(
            f"version {settings.version} is not signed, and the runtime profile asks for a signature"
        )
    try:
        verify(signature, subject(settings.namespace, settings.name), settings.sha256, keys.encode())
    except (SignatureRejected, BadKey) as error:
        raise ArtifactRejected(f"version {settings.version}: {error}") from None


def from_sibling(settings: Settings, environ: Mapping[str, str]) -> str | None:
    """The address of the sibling that had the file; None when none has it. A bad sibling is passed over."""
    for sibling in siblings(environ.get(Env.SIBLINGS, "")):
        try:
            download(sibling, f"/artifacts/{settings.sha256}", settings.file, settings.sha256, {})
        except (Unreachable, ArtifactRejected) as error:
            logger.info("not from a sibling: %s", error)
        else:
            return f"sibling {sibling.host}"
    return None


def siblings(value: str) -> Iterator[Address]:
    """Every pod behind the headless Service `host:port`, in random order so that no single one has all the work."""
    if value:
        host, _, port = value.rpartition(":")
        yield from resolve(host, int(port))


def main() -> int:
    configure_logging()
    started = time.perf_counter()
    try:
        settings = read_settings(os.environ)
        configure_logging(model=settings.name, version=settings.version)
        source = fetch(settings, os.environ)
    except (SettingsError, FetchFailed) as error:
        logger.error("no model file: %s", error)
        leave_message(f"no model file: {error}")
        return 1
    logger.info("model file with digest sha256:%s from %s", settings.sha256, source)
    logger.info("fetched in %.2f s", time.perf_counter() - started)
    return 0


if __name__ == "__main__":
    sys.exit(main())
