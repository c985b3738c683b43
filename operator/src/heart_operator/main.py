"""The operator's process: settings → one replica → exit code."""

import asyncio
import logging
import os
import sys

from kubernetes.aio.config.config_exception import ConfigException

from heart_operator.kube.client import load_configuration
from heart_operator.kube.lease import LeaseLost
from heart_operator.operator import Operator
from heart_operator.profiles import ProfilesError
from heart_operator.settings import Settings, SettingsError, read_settings
from heart_operator.shutdown import stop_on_signals
from heart_operator.telemetry.logs import configure_logging

log = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    operator = Operator(settings, await load_configuration())
    await operator.run(stop)


def main() -> int:
    """The process's exit code: 0 after a signal, 1 when it must be started again, 2 when a person must act first."""
    try:
        settings = read_settings(os.environ)
        configure_logging(settings)
        asyncio.run(run(settings))
    except (SettingsError, ProfilesError, ConfigException) as error:
        print(f"heart-operator cannot start: {error}", file=sys.stderr)
        return 2
    except LeaseLost as error:
        log.error("Exiting, this replica is no longer the leader: %s", error)
        return 1
    except Exception:
        log.exception("Exiting after an unexpected error")
        return 1
    return 0
