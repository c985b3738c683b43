"""Puts the application together: contract, dialects, framework and edge for one model."""

from dataclasses import dataclass

from heart_serving.answers import Answers
from heart_serving.contract import Contract
from heart_serving.dialects import Dialect, Predict
from heart_serving.edge import Edge
from heart_serving.invocations import Invocations
from heart_serving.kservev1 import KServeV1
from heart_serving.log import RequestLog
from heart_serving.metrics import ServingMetrics
from heart_serving.model import Model
from heart_serving.oip import OpenInference
from heart_serving.outputs import OutputCounts
from heart_serving.routes import Readiness, build_framework
from heart_serving.settings import Settings


@dataclass(frozen=True, slots=True)
class Application:
    edge: Edge
    readiness: Readiness
    log: RequestLog


def create_app(model: Model, settings: Settings, log: RequestLog | None = None) -> Application:
    """The ASGI application (`edge`), and what the server needs to stop it well."""
    contract = Contract.of(model.package.features, settings.max_rows)
    answers = Answers.of(model.package)
    inference = OpenInference(contract, answers, settings.name, settings.version)
    info = {"version": settings.version, "digest": f"sha256:{settings.sha256}", "algorithm": model.package.algorithm}
    metrics = ServingMetrics(settings.name, settings.version, info, OutputCounts(answers))
    readiness = Readiness()
    log = log or RequestLog(model=settings.name, version=settings.version)
    dialects: dict[str, Dialect] = {
        "/predict": Predict(contract, answers, settings.version),
        f"/v2/models/{settings.name}/infer": inference,
        f"/v2/models/{settings.name}/versions/{settings.version}/infer": inference,
        f"/v1/models/{settings.name}:predict": KServeV1(contract, answers),
        "/invocations": Invocations(contract, answers),
    }
    framework = build_framework(model, settings, inference, metrics, readiness)
    return Application(Edge(model, settings, dialects, framework, metrics, log), readiness, log)
