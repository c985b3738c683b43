"""`python -m heart_trainer`: in a Job (the request is in the environment), or on a laptop with a HeartModel file.

`python -m heart_trainer evaluate` measures a version that is registered already, in place of training one;
`python -m heart_trainer drift` looks at the prediction log of the version that serves;
`python -m heart_trainer sign` signs a registered version;
`python -m heart_trainer site` answers a federated training with sums of a site's rows (docs/federated.md);
`python -m heart_trainer prepare` makes ready what a trainer of one's own is given, in its Job's first container;
`python -m heart_trainer conformance` checks a trainer of one's own.
"""

import argparse
import logging
import os
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from heart_api.startup import importing

with importing():
    from pydantic import ValidationError

    from heart_api.federation import FederatedTrainingRequest
    from heart_api.handover import (
        EXIT_PERMANENT,
        Env,
        EvaluationRequest,
        ModelRequest,
        TrainingOutcome,
        TrainingRequest,
    )
    from heart_trainer.errors import NoRowKey, TrainerError
    from heart_trainer.external.place import is_worker, leave
    from heart_trainer.fit.workers import start_workers, stop_workers
    from heart_trainer.manifest import BadManifest, read_manifest
    from heart_trainer.outcome import failed, write_outcome
    from heart_trainer.report.terminal import report

if TYPE_CHECKING:
    from heart_trainer.job import Job, JobResult

EXIT_PASSING = 1
EVALUATE, DRIFT, SIGN = "evaluate", "drift", "sign"
PREPARE, CONFORMANCE, SITE = "prepare", "conformance", "site"
LAPTOP_STORE = "sqlite:///mlflow.db"
R = TypeVar("R", bound=ModelRequest)


def main(arguments: Sequence[str] | None = None) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the pod is stopped: end the run, say so
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    words = list(sys.argv[1:] if arguments is None else arguments)
    code = _run_command(words)
    return _make_version(words) if code is None else code


def _run_command(words: list[str]) -> int | None:
    """The exit code of a command that makes no version; None if the words are of none.

    Each command imports what it needs once it is known: all together takes seconds.
    """
    if words == [DRIFT]:
        with _importing():
            from heart_trainer.drift.command import run_check  # noqa: PLC0415
        return run_check(os.environ, Progress())
    if words[:1] == [SIGN]:
        with _importing():
            from heart_trainer.sign import run_sign  # noqa: PLC0415
        return run_sign(words[1:])
    if words[:1] == [CONFORMANCE]:
        with _importing():
            from heart_trainer.own.conformance import run_conformance  # noqa: PLC0415
        return run_conformance(words[1:])
    if words[:1] == [SITE]:
        with _importing():
            from heart_trainer.federation.commands import run_site  # noqa: PLC0415
        return run_site(words[1:], Progress())
    return None


@contextmanager
def _importing() -> Iterator[None]:
    """For the modules of one command: MLflow sets its logger up when it is imported."""
    with importing():
        yield
    logging.getLogger("mlflow").setLevel(logging.ERROR)  # its migrations and remarks on pip are no one's news here


def _make_version(words: list[str]) -> int:
    """Prepare, train or evaluate. The exit code."""
    evaluates, prepares = words[:1] == [EVALUATE], words == [PREPARE]
    options = _parser(evaluates).parse_args(words[evaluates or prepares :])
    try:
        job = _job(options, os.environ, evaluates)
    except BadManifest as problem:
        outcome, code = _complain(failed("TrainingFailed", str(problem)), EXIT_PERMANENT)
    except NoRowKey as problem:
        outcome, code = _complain(failed(problem.reason, problem.message), EXIT_PERMANENT)
    else:
        outcome, code = _run(job, _action(job, evaluates=evaluates, prepares=prepares))
    write_outcome(os.environ.get(Env.TERMINATION_LOG), outcome)
    if code and is_worker(os.environ):
        leave(code)
    return code


def _action(job: "Job[Any]", *, evaluates: bool, prepares: bool) -> "Callable[[Job[Any]], JobResult | None]":
    """What the words and the request ask for."""
    with _importing():
        if evaluates:
            from heart_trainer.job_evaluation import run_evaluation  # noqa: PLC0415

            return run_evaluation
        if isinstance(job.request, FederatedTrainingRequest):
            return _federate
        from heart_trainer.job_training import prepare_own, run_training  # noqa: PLC0415

        return prepare_own if prepares else run_training


def _federate(job: "Job[Any]") -> "JobResult":
    with _importing():
        from heart_trainer.federation.commands import open_federation  # noqa: PLC0415
        from heart_trainer.job_federation import run_federated  # noqa: PLC0415
    return run_federated(job, lambda: open_federation(job.request, job.environ, job.progress))


def _parser(evaluates: bool) -> argparse.ArgumentParser:
    about = {
        False: "Train one version of a HeartModel and register it in MLflow. "
        f"`{EVALUATE}` as the first word measures a version that is registered already.",
        True: "Measure a registered version on the dataset of a HeartModel.",
    }
    words = f" {EVALUATE}" if evaluates else ""
    parser = argparse.ArgumentParser(prog=f"python -m heart_trainer{words}", description=about[evaluates])
    parser.add_argument("manifest", nargs="?", type=Path, help="YAML file with a HeartModel")
    parser.add_argument("--data", type=Path, help="local file in place of spec.dataset.uri")
    parser.add_argument("--tracking-uri", help=f"MLflow ({Env.TRACKING_URI}, else {LAPTOP_STORE})")
    if evaluates:
        parser.add_argument("--version", default="", help="the version's number")
    else:
        parser.add_argument("--out", type=Path, help="folder for model card, evaluation and model (<name>-training)")
        parser.add_argument(
            "--trainer", default="", help="command of the program that spec.training.trainer stands for"
        )
    return parser


def _job(options: argparse.Namespace, environ: Mapping[str, str], evaluates: bool) -> "Job[Any]":
    now = datetime.now(UTC)
    make = _evaluation if evaluates else _training
    request, out = make(options, environ, f"cli-{now:%Y%m%dT%H%M%S%f}")
    _check_trainer(getattr(options, "trainer", ""), request)
    if not options.manifest and not environ.get(Env.ROW_KEY):
        raise NoRowKey(request.namespace)
    if isinstance(request, TrainingRequest):
        start_workers(request.training)
    with _importing():
        from heart_trainer.job import Job  # noqa: PLC0415  after the workers have begun to import what they need
    return Job(
        request=request,
        environ=environ,
        tracking_uri=options.tracking_uri or environ.get(Env.TRACKING_URI) or LAPTOP_STORE,
        today=now.date(),
        progress=Progress(),
        data=options.data,
        out=out,
        trainer=getattr(options, "trainer", ""),
    )


def _check_trainer(command: str, request: ModelRequest) -> None:
    """Raises BadManifest where `--trainer` would be left out, or is no command."""
    if command and not request.training.trainer:
        raise BadManifest("--trainer: the HeartModel names no spec.training.trainer that this program could stand for")
    try:
        shlex.split(command)
    except ValueError:
        raise BadManifest(f"--trainer: {command} is no command: is a quote missing?") from None


def _training(
    options: argparse.Namespace, environ: Mapping[str, str], trigger: str
) -> tuple[ModelRequest, Path | None]:
    if options.manifest:
        request = read_manifest(options.manifest, trigger)
        return request, options.out or Path(f"{request.name}-training")
    if environ.get(Env.FEDERATED_REQUEST):
        return _from_environment(FederatedTrainingRequest, environ, Env.FEDERATED_REQUEST), options.out
    return _from_environment(TrainingRequest, environ, Env.TRAINING_REQUEST), options.out


def _evaluation(
    options: argparse.Namespace, environ: Mapping[str, str], trigger: str
) -> tuple[EvaluationRequest, None]:
    if not options.manifest:
        return _from_environment(EvaluationRequest, environ, Env.EVALUATION_REQUEST), None
    request = read_manifest(options.manifest, trigger)
    if not options.version.isdecimal():
        raise BadManifest("--version: name the number of a registered version, such as 8")
    return EvaluationRequest.model_validate({**request.dump(), "version": options.version}), None


def _from_environment(kind: type[R], environ: Mapping[str, str], variable: str) -> R:
    text = environ.get(variable)
    if not text:
        raise BadManifest(f"name a HeartModel file (or set {variable}); --help says more")
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, entry["loc"])) for entry in error.errors(include_input=False))
        raise BadManifest(f"{variable} is not a request that this trainer reads: {fields}") from error


class Progress:
    """Prints each message with the seconds since this object was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, message: str) -> None:
        print(f"{time.monotonic() - self._start:7.1f}s  {message}")


def _run(job: "Job[Any]", act: "Callable[[Job[Any]], JobResult | None]") -> tuple[TrainingOutcome, int]:
    """What became of it, and the exit code. Only an unforeseen error prints a traceback."""
    try:
        trained = act(job)
    except TrainerError as error:
        outcome = failed(error.reason, error.message, getattr(error, "sites", None))
        return _complain(outcome, EXIT_PERMANENT if error.permanent else EXIT_PASSING)
    except KeyboardInterrupt:
        outcome = failed(
            "TrainingInterrupted",
            "it was stopped before it ended; the Job tries again up to its backoffLimit",
        )
        return _complain(outcome, EXIT_PASSING)
    except Exception as error:
        traceback.print_exc()
        message = f"{type(error).__name__} in the trainer; its log says where. The Job retries up to its backoffLimit"
        return _complain(failed("TrainingFailed", message), EXIT_PASSING)
    if trained is None:  # another container, or another worker, reports the version
        return TrainingOutcome(), 0
    _announce(job, trained)
    return TrainingOutcome(result=trained.result), 0


def _complain(outcome: TrainingOutcome, code: int) -> tuple[TrainingOutcome, int]:
    if outcome.failure:
        print(f"{outcome.failure.reason}: {outcome.failure.message}", file=sys.stderr)
    return outcome, code


def _announce(job: "Job[Any]", trained: "JobResult") -> None:
    if trained.evaluation:
        print(report(trained.evaluation))
    if job.out:
        print(f"\nmodel card   {(job.out / 'model_card.html').resolve()}")
    print(f"version      {trained.result.version} of {job.request.registry_name} ({trained.result.artifact_sha256})")
    if job.out:
        print(f"serve it     python -m heart_serving {job.out}")


if __name__ == "__main__":
    code = main()
    stop_workers()
    sys.exit(code)
