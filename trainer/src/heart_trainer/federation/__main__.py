"""`python -m heart_trainer.federation identity | superlink | gate`: what stands beside the coordinator in its pod.

Nothing of pandas or scikit-learn is imported here: these containers are small.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from heart_api.federation import FLEET_PORT, GATE, IDENTITY, SUPERLINK, CoordinatorIdentity, FederatedTrainingRequest
from heart_api.handover import EXIT_PERMANENT, Env
from heart_trainer.federation import gate
from heart_trainer.federation.bundle import bundle_sha256
from heart_trainer.federation.files import write_identity
from heart_trainer.federation.keys import authority

HOSTS = "HEARTOPS_FEDERATION_HOSTS"
"""Names under which sites reach the coordinator, separated by commas."""
SUPERLINK_PORT = 8000


class NotStarted(Exception):
    """What is missing, for people."""


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m heart_trainer.federation", description=__doc__)
    parser.add_argument("part", choices=(IDENTITY, SUPERLINK, GATE))
    parser.add_argument("--port", type=int, help="of the gate, or of the SuperLink on loopback")
    parser.add_argument("--superlink", default=f"https://127.0.0.1:{SUPERLINK_PORT}", help="its URL, for the gate")
    options = parser.parse_args(arguments)
    known = os.environ if environ is None else environ
    try:
        return _run(options, known)
    except NotStarted as problem:
        print(problem, file=sys.stderr)
        return EXIT_PERMANENT


def _run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    folder = Path(_needed(environ, Env.FEDERATION_DIR))
    if options.part == IDENTITY:
        return make_identity(folder, environ)
    if options.part == SUPERLINK:
        from heart_trainer.federation.flower.superlink import run  # noqa: PLC0415  only this image has Flower

        run(folder, options.port or SUPERLINK_PORT)
    serve_gate(folder, options.port or FLEET_PORT, options.superlink)
    return 0


def make_identity(folder: Path, environ: Mapping[str, str]) -> int:
    """Writes certificate and keys for the pod, and tells the operator what sites have to trust."""
    try:
        request = FederatedTrainingRequest.model_validate_json(_needed(environ, Env.FEDERATED_REQUEST))
    except ValidationError as error:
        raise NotStarted(f"{Env.FEDERATED_REQUEST} is not a request that this trainer reads") from error
    found = authority(_needed(environ, Env.ROW_KEY), request.namespace, request.name)
    hosts = [host.strip() for host in environ.get(HOSTS, "").split(",") if host.strip()]
    write_identity(folder, found, hosts, datetime.now(UTC))
    identity = CoordinatorIdentity(certificate=found.pem, bundle_sha256=bundle_sha256())
    text = identity.model_dump_json(by_alias=True)
    if path := environ.get(Env.TERMINATION_LOG):
        Path(path).write_text(text)
    print(text)
    return 0


def serve_gate(folder: Path, port: int, superlink: str) -> None:
    """Until it is told to stop."""

    async def serve() -> None:
        task = asyncio.ensure_future(gate.serve(folder, port, superlink))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(serve())


def _needed(environ: Mapping[str, str], name: str) -> str:
    if not environ.get(name):
        advice = " (the Secret heartops-runtime: kubectl heart init-namespace)" if name == Env.ROW_KEY else ""
        raise NotStarted(f"{name} is not set{advice}")
    return environ[name]


if __name__ == "__main__":
    sys.exit(main())
