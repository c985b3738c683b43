"""Flower's SuperLink as the coordinator's pod runs it."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from heart_trainer.federation.files import AUTHORITY, CERTIFICATE, KEY, SECRET

HOST, PORT = "127.0.0.1", 8000
QUIET = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
"""Nothing is reported to Flower's makers, and nothing is looked up."""


def command(folder: Path, port: int = PORT) -> list[str]:
    """Listens on loopback alone: whoever reaches its control interface needs no credentials."""
    return [
        sys.executable,
        "-c",
        "from flwr.superlink.cli import flower_superlink; flower_superlink()",
        "--host",
        HOST,
        "--port",
        str(port),
        "--ssl-ca-certfile",
        str(folder / AUTHORITY),
        "--ssl-certfile",
        str(folder / CERTIFICATE),
        "--ssl-keyfile",
        str(folder / KEY),
        "--enable-supernode-auth",
        "--isolation",
        "process",
        "--superexec-auth-secret-file",
        str(folder / SECRET),
        "--disable-runtime-dependency-installation",
    ]


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {**environ, **QUIET}


def run(folder: Path, port: int = PORT) -> None:
    """Replaces this process."""
    arguments = command(folder, port)
    os.execve(arguments[0], arguments, environment(os.environ))  # noqa: S606  fixed arguments
