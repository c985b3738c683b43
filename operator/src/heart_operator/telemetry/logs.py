"""Logging: one JSON object per line, or plain text for people at a terminal."""

import logging
import logging.config

from pythonjsonlogger.json import JsonFormatter

from heart_operator.settings import Settings

TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
QUIET = {
    "kopf.objects": "WARNING",
    "kopf": "WARNING",
    "aiohttp.access": "WARNING",
    "mlflow": "WARNING",
    "urllib3": "ERROR",
}
"""Loggers of libraries that would repeat the operator's own messages."""


def configure_logging(settings: Settings) -> None:
    """Everything goes to standard error, at the level of the settings."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "text": {"format": TEXT},
                "json": {
                    "()": JsonFormatter,
                    "fmt": "%(levelname)s %(name)s %(message)s",
                    "rename_fields": {"levelname": "level", "name": "logger"},
                    "timestamp": "time",
                },
            },
            "handlers": {"all": {"class": "logging.StreamHandler", "formatter": settings.log_format}},
            "root": {"level": settings.log_level.upper(), "handlers": ["all"]},
            "loggers": {}
            if settings.log_level == "debug"
            else {name: {"level": level} for name, level in QUIET.items()},
        }
    )
