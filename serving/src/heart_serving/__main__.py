"""`python -m heart_serving`: proves the model, then serves it."""

import logging
import os
import sys
import time

from heart_api.startup import importing

with importing():
    from heart_model.errors import ModelRejected
    from heart_model.model import load_model
    from heart_serving.app import create_app
    from heart_serving.errors import SettingsError
    from heart_serving.log import configure_logging, leave_message
    from heart_serving.server import serve
    from heart_serving.settings import read_settings

EXIT_REJECTED = 2

logger = logging.getLogger("heart_serving")


def main() -> int:
    configure_logging()
    try:
        settings = read_settings(os.environ)
        configure_logging(model=settings.name, version=settings.version)
        started = time.perf_counter()
        application = create_app(load_model(settings.file, settings.sha256), settings)
    except (SettingsError, ModelRejected) as error:
        logger.error("not serving: %s", error)
        leave_message(f"not serving: {error}")
        return EXIT_REJECTED
    logger.info("model opened and self-check passed in %.0f ms", (time.perf_counter() - started) * 1000)
    serve(application, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
