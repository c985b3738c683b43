"""`python -m heart_serving [DIR]`: proves the model, then serves it. In a pod the environment names it."""

import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial

from heart_api.startup import importing

with importing():
    from heart_model.errors import ModelRejected
    from heart_model.model import load_model
    from heart_serving.app import create_app
    from heart_serving.errors import SettingsError
    from heart_serving.log import configure_logging, leave_message
    from heart_serving.server import serve
    from heart_serving.settings import Settings, read_settings

EXIT_REJECTED = 2

logger = logging.getLogger("heart_serving")


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 stopped, 1 a port that is taken, 2 wrong settings or a model that is rejected."""
    configure_logging()
    try:
        settings = read_settings(prepare(arguments, os.environ))
        configure_logging(model=settings.name, version=settings.version)
        started = time.perf_counter()
        application = create_app(load_model(settings.file, settings.sha256), settings)
    except (SettingsError, ModelRejected) as error:
        logger.error("not serving: %s", error)
        leave_message(f"not serving: {error}")
        return EXIT_REJECTED
    logger.info("model opened and self-check passed in %.0f ms", (time.perf_counter() - started) * 1000)
    serve(application, settings, partial(welcome, settings) if arguments else None)
    return 0


def welcome(settings: Settings) -> None:
    """For the person who has started it."""
    where = f"http://{settings.host}:{settings.port}"
    print(f"Serving {settings.name} at {where} (try {where}/docs; Ctrl-C ends it)", file=sys.stderr, flush=True)


def prepare(arguments: Sequence[str], environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment itself in a pod; with arguments, one for the folder. Raises SettingsError or ModelRejected."""
    if not arguments:
        return environ
    from heart_serving.laptop import build_environment  # noqa: PLC0415  a pod has no use for it, and its memory counts

    return build_environment(arguments, environ)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
