"""Where a trainer of one's own and HeartOps exchange files: volumes of the pod, or folders on a laptop."""

import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from heart_api.handover import Env, TrainingRequest
from heart_api.owntrainer import launcher_limits
from heart_trainer.errors import TrainerFailed
from heart_trainer.job import Job
from heart_trainer.own.judge import Exchange
from heart_trainer.own.launcher import copy_launcher, own_command
from heart_trainer.own.prepare import prepare
from heart_trainer.values import Table

PASSED_ON = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")
"""Variables of a laptop that a trainer's process gets; credentials are in others."""


def prepare_in_pod(table: Table, request: TrainingRequest, environ: Mapping[str, str]) -> None:
    """What the next container of the pod needs: rows, and the launcher that it starts with."""
    prepare(table, request, Path(environ[Env.OWN_ROWS]))
    copy_launcher(Path(environ[Env.OWN_LAUNCHER]))


@contextmanager
def exchanged(job: Job[TrainingRequest], table: Table) -> Iterator[Exchange]:
    """The folders with what the program was given and returned; on a laptop it runs now.

    Raises TrainerFailed where nobody has said what to run.
    """
    rows, results = job.environ.get(Env.OWN_ROWS), job.environ.get(Env.OWN_RESULTS)
    if rows and results:
        yield Exchange(Path(rows), Path(results))
        return
    if not job.trainer:
        raise TrainerFailed(
            f"spec.training.trainer is {job.request.training.trainer}, which a runtime profile describes; here, say how"
            " it is started: --trainer 'python3 trainer.py'"
        )
    with TemporaryDirectory() as folder:
        exchange = Exchange(Path(folder) / "rows", Path(folder) / "results")
        prepare_here(table, job.request, exchange)
        job.progress(f"running {job.trainer}")
        run_here(shlex.split(job.trainer), job.request, exchange, job.environ)
        yield exchange


def prepare_here(table: Table, request: TrainingRequest, exchange: Exchange) -> None:
    for folder in (exchange.rows, exchange.results):
        folder.mkdir()
    prepare(table, request, exchange.rows)


def run_here(command: Sequence[str], request: TrainingRequest, exchange: Exchange, environ: Mapping[str, str]) -> None:
    """The program as a process of this machine: without network and credentials, but on the same file system."""
    limits = launcher_limits(request.training.timeout_seconds, str(exchange.results))
    with TemporaryDirectory() as home:
        given = {name: environ[name] for name in PASSED_ON if name in environ}
        folders = {Env.OWN_ROWS: str(exchange.rows), Env.OWN_RESULTS: str(exchange.results), "HOME": home}
        done = subprocess.run(  # noqa: S603  a command that the user typed
            [*own_command(), *limits, *command], env=given | folders, cwd=os.getcwd(), check=False
        )
    if done.returncode:
        raise TrainerFailed(
            f"The trainer was not started: its launcher ended with exit code {done.returncode} (Linux on x86_64 or"
            " aarch64 is needed, with seccomp)."
        )
