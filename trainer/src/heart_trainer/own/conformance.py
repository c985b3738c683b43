"""`python -m heart_trainer conformance`: does a program of one's own keep the contract of docs/own-trainer.md?

    python -m heart_trainer conformance -- python3 trainer.py
    python -m heart_trainer conformance --image registry.example.org/lightgbm-trainer:1.0 -- /trainer

It trains on three small datasets as a Job would, is judged as there, and trains once more to see whether equal rows
give an equal model. Nothing is registered, and no cluster is needed.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from pydantic import ValidationError

from heart_api.contract import Dataset, Feature, Target
from heart_api.handover import Env, TrainingRequest
from heart_api.training import Training
from heart_trainer.data.load import load
from heart_trainer.errors import TrainerError
from heart_trainer.evaluation.evaluate import estimates, judged_sample
from heart_trainer.fit.onnx_export import run_onnx
from heart_trainer.own.engine import engine_of, run_in_engine
from heart_trainer.own.exchange import prepare_here, run_here
from heart_trainer.own.judge import Exchange, judge
from heart_trainer.values import Fitted, Table

HOLDOUT = 0.3
BETTER_THAN_CHANCE = {"binary": ("roc_auc", 0.6), "multiclass": ("accuracy", 0.5), "regression": ("r2", 0.1)}
"""What any model of these easy datasets reaches."""
Run = Callable[[TrainingRequest, Exchange], None]
"""Lets the program read and write the folders of the exchange. Raises TrainerError."""


@dataclass(frozen=True)
class Trial:
    """A dataset that is built in."""

    dataset: str
    features: tuple[Feature, ...]
    target: Target
    regression: bool = False

    def request(self, settings: Mapping[str, object]) -> TrainingRequest:
        training = {**settings, "task": "regression" if self.regression else "classification"}
        return TrainingRequest(
            namespace="conformance",
            name="trial",
            registry_name="trial",
            trigger="conformance",
            dataset=Dataset(uri=f"builtin://{self.dataset}"),
            features=self.features,
            target=self.target,
            training=Training.model_validate(training),
        )


def _numbers(*names: str) -> tuple[Feature, ...]:
    return tuple(Feature(name=name, type="number") for name in names)


TRIALS = {
    "binary": Trial(
        "heart-synthetic?rows=600&seed=1",
        (
            *_numbers("age", "thalach", "oldpeak"),
            Feature(name="exang", type="boolean"),
            Feature(name="cp", type="category", values=(1, 2, 3, 4)),
            Feature(name="thal", type="category", values=(3, 6, 7), required=False),
            Feature(name="ca", type="integer", required=False),
        ),
        Target(name="num", positive_above=0),
    ),
    "multiclass": Trial("wine", _numbers("alcohol", "flavanoids", "color_intensity", "proline"), Target(name="target")),
    "regression": Trial("diabetes", _numbers("age", "bmi", "bp", "s5"), Target(name="target"), regression=True),
}
"""Numbers, categories, booleans and missing values; two and three classes; values."""


def _settings(parameters: str, timeout: int) -> dict[str, Any]:
    """As `spec.training`. Raises ValueError."""
    try:
        found = json.loads(parameters)
        assert isinstance(found, dict)
    except (ValueError, AssertionError):
        raise ValueError("""no JSON object of settings, such as '{"epochs": 20}'""") from None
    return {"trainer": "conformance", "holdout": HOLDOUT, "parameters": found, "timeoutSeconds": timeout}


def _option(place: Sequence[str | int]) -> str:
    return "timeout" if "timeoutSeconds" in place else "parameters"


def run_conformance(words: Sequence[str]) -> int:
    """The exit code: 0 if every check passed; what was found is printed."""
    options = _parser().parse_args(words)
    try:
        settings = _settings(options.parameters, options.timeout)
        requests = {task: TRIALS[task].request(settings) for task in options.task or TRIALS}
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        print("; ".join(f"--{_option(one['loc'])}: {one['msg']}" for one in found), file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"--parameters: {error}", file=sys.stderr)
        return 2
    try:
        run = _runner(options.image, options.command)
    except TrainerError as error:
        print(error.message, file=sys.stderr)
        return 2
    results = [passed for task, request in requests.items() for passed in _report(task, request, run)]
    print(f"\n{sum(results)} of {len(results)} checks passed")
    return 0 if all(results) else 1


def _parser() -> argparse.ArgumentParser:
    about = "Check that a program keeps the contract of a trainer of one's own (docs/own-trainer.md)."
    parser = argparse.ArgumentParser(prog="python -m heart_trainer conformance", description=about)
    parser.add_argument("--image", help="run the command in this image, by docker or podman; else as a process here")
    parser.add_argument("--task", action="append", choices=list(TRIALS), help="only this one; may be repeated")
    parser.add_argument("--parameters", default="{}", help="spec.training.parameters, as JSON")
    parser.add_argument("--timeout", type=int, default=600, help="spec.training.timeoutSeconds of each training")
    parser.add_argument("command", nargs="+", help="the program and its arguments, after --")
    return parser


def _runner(image: str | None, command: list[str]) -> Run:
    if image is None:
        return lambda request, exchange: run_here(command, request, exchange, os.environ)
    engine = engine_of()
    return lambda request, exchange: run_in_engine(engine, image, command, request, exchange)


def _report(task: str, request: TrainingRequest, run: Run) -> Iterator[bool]:
    """Prints and yields each check."""
    for name, problem in _checks(request, run):
        print(f"{'FAILED' if problem else 'ok':<7} {task:<11} {name}{f': {problem}' if problem else ''}", flush=True)
        yield not problem


def _checks(request: TrainingRequest, run: Run) -> Iterator[tuple[str, str]]:
    """(what was checked, what is wrong); nothing further where no model came back."""
    table = load(request, {Env.ROW_KEY: "conformance"})  # the same rows are kept out wherever it runs
    try:
        first = _trained(table, request, run)
    except TrainerError as error:
        yield "a model comes back that can be judged", error.message
        return
    yield "a model comes back that can be judged", ""
    yield "the ONNX file is the model that predicted the probes", ""  # or it would not have been judged
    yield "rows that it never had are answered better than by chance", _by_chance(table, first, request)
    try:
        again = _trained(table, request, run)
        same = np.array_equal(run_onnx(first.onnx, table.x), run_onnx(again.onnx, table.x))
        yield "equal rows and an equal seed give an equal model", "" if same else "two trainings differ; fix its seeds"
    except TrainerError as error:
        yield "a second training ends as the first", error.message


def _trained(table: Table, request: TrainingRequest, run: Run) -> Fitted:
    with TemporaryDirectory() as folder:
        exchange = Exchange(Path(folder) / "rows", Path(folder) / "results")
        prepare_here(table, request, exchange)
        run(request, exchange)
        return judge(table, request, exchange)


def _by_chance(table: Table, fitted: Fitted, request: TrainingRequest) -> str:
    metric, least = BETTER_THAN_CHANCE[table.task]
    found = estimates(judged_sample(table, fitted.oof), request.training.seed)[metric].estimate
    return "" if found >= least else f"{metric} is {found:.2f}, and any model of these rows reaches {least}"
