"""Puts the application together: contract, dialects, framework and edge for one model."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from heart_log.values import Source
from heart_model.model import Model
from heart_serving.explain.worker import ExplainDesk, open_desk
from heart_serving.log import RequestLog
from heart_serving.metrics import ServingMetrics
from heart_serving.mirroring.config import MirrorFile
from heart_serving.mirroring.mirror import Mirror
from heart_serving.prediction_app import Edge
from heart_serving.predictionlog.parts import PredictionLogging, build_log
from heart_serving.protocols.answers import Answers
from heart_serving.protocols.base import Dialect, Predict
from heart_serving.protocols.contract import Contract
from heart_serving.protocols.kserve_v1 import KServeV1
from heart_serving.protocols.mlflow import Invocations
from heart_serving.protocols.open_inference import OpenInference
from heart_serving.protocols.output_bins import OutputCounts
from heart_serving.routes.framework import build_framework
from heart_serving.routes.readiness import Readiness
from heart_serving.settings import Settings


@dataclass(frozen=True, slots=True)
class Application:
    edge: Edge
    readiness: Readiness
    log: RequestLog
    predictions: PredictionLogging
    background: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = ()
    """What runs beside the requests, from the server's start to its end."""


def create_app(model: Model, settings: Settings, log: RequestLog | None = None) -> Application:
    """The ASGI application (`edge`), and what the server needs to stop it well. Raises ModelRefused."""
    contract = Contract.of(model.package.features, settings.max_rows)
    answers = Answers.of(model.package)
    inference = OpenInference(contract, answers, settings.name, settings.version)
    info = {"version": settings.version, "digest": f"sha256:{settings.sha256}", "algorithm": model.package.algorithm}
    metrics = ServingMetrics(settings.name, settings.version, info, OutputCounts(answers))
    readiness = Readiness()
    log = log or RequestLog(model=settings.name, version=settings.version)
    dialects = build_dialects(model, settings, contract, answers, inference)
    source = Source(settings.name, settings.version, f"sha256:{settings.sha256}", settings.log.spec.redact)
    predictions = build_log(settings.log, source, answers)
    framework = build_framework(model, settings, inference, metrics, readiness, predictions)
    mirror = Mirror(settings.version, metrics, relative=answers.task == "regression")
    edge = Edge(model, settings, dialects, framework, metrics, log, mirror, predictions.recorder)
    if settings.mirror_file is None:
        return Application(edge, readiness, log, predictions)
    follow = partial(mirror.run, MirrorFile(settings.mirror_file, settings.version))
    return Application(edge, readiness, log, predictions, (follow,))


def build_dialects(
    model: Model, settings: Settings, contract: Contract, answers: Answers, inference: OpenInference
) -> dict[str, Dialect | ExplainDesk]:
    """What the edge answers itself, by path."""
    found: dict[str, Dialect | ExplainDesk] = {
        "/predict": Predict(contract, answers, settings.version),
        f"/v2/models/{settings.name}/infer": inference,
        f"/v2/models/{settings.name}/versions/{settings.version}/infer": inference,
        f"/v1/models/{settings.name}:predict": KServeV1(contract, answers),
        "/invocations": Invocations(contract, answers),
    }
    if desk := open_desk(model, settings, contract, answers):
        found["/explain"] = desk
    return found
