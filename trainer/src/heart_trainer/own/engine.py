"""A trainer's image under docker or podman, bounded as its container in a Job's pod is."""

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from heart_api.handover import Env, TrainingRequest
from heart_api.owntrainer import launcher_command, launcher_limits
from heart_trainer.errors import TrainerFailed
from heart_trainer.own.judge import Exchange
from heart_trainer.own.launcher import copy_launcher

ENGINES = ("docker", "podman")
ROWS, RESULTS, LAUNCHER = "/heartops/own-rows", "/heartops/own-results", "/heartops/own-launcher"
USER = "65533:65533"


def engine_of() -> str:
    """The engine's program. Raises TrainerFailed where there is none."""
    for engine in ENGINES:
        if found := shutil.which(engine):
            return found
    raise TrainerFailed(f"--image needs {' or '.join(ENGINES)}; without one, run its command as a process here")


def run_in_engine(engine: str, image: str, command: list[str], request: TrainingRequest, exchange: Exchange) -> None:
    """Raises TrainerFailed where the engine could not start it."""
    with TemporaryDirectory() as folder:
        launcher = Path(folder)
        launcher.chmod(0o755)
        copy_launcher(launcher)
        exchange.results.chmod(0o777)  # as a volume of a pod; its user is nobody here
        words = engine_command(engine, image, command, request.training.timeout_seconds, exchange, launcher)
        done = subprocess.run(words, check=False)  # noqa: S603  an image that the user named
    if done.returncode:
        raise TrainerFailed(f"{Path(engine).name} ended with exit code {done.returncode}: see what it printed above")


def engine_command(
    engine: str, image: str, command: list[str], timeout_seconds: int, exchange: Exchange, launcher: Path
) -> list[str]:
    """No network, no rights, a file system that cannot be written, and the three folders."""
    folders = {ROWS: (exchange.rows, "ro"), RESULTS: (exchange.results, "rw"), LAUNCHER: (launcher, "ro")}
    mounts = [f"--volume={path}:{place}:{mode}" for place, (path, mode) in folders.items()]
    variables = {Env.OWN_ROWS: ROWS, Env.OWN_RESULTS: RESULTS, "HOME": "/tmp"}  # noqa: S108  a mount of its own
    start, *arguments = (*launcher_command(LAUNCHER), *launcher_limits(timeout_seconds, RESULTS), *command)
    return [
        *(engine, "run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL", f"--user={USER}"),
        *("--security-opt=no-new-privileges", "--tmpfs=/tmp:size=1g,mode=1777"),
        *mounts,
        *(f"--env={name}={value}" for name, value in variables.items()),
        *(f"--entrypoint={start}", image),
        *arguments,
    ]
