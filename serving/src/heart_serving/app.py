"""Puts the application together: contract, protocols, framework and the ways into the server, for one model."""

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from heart_api.handover import EXPERIMENT_FILE
from heart_log.values import Source
from heart_model.model import Model
from heart_serving.admission.capacity import Capacity
from heart_serving.admission.request_body import BodyReader
from heart_serving.admission.worker import Worker, inline_bytes
from heart_serving.auth.files import AuthFiles
from heart_serving.auth.guard import Guard
from heart_serving.experiment.experiment import Experiment
from heart_serving.explain.worker import open_explain_worker
from heart_serving.http.cross_origin import cross_origin
from heart_serving.http.fast_path import FastPath
from heart_serving.http.prefix import PathsFile, Prefix, WithoutPrefix
from heart_serving.http.tls import Certificate
from heart_serving.log import RequestLog
from heart_serving.metrics import ServingMetrics
from heart_serving.mirroring.config import MirrorFile
from heart_serving.mirroring.mirror import Mirror
from heart_serving.model.examples import example_record
from heart_serving.prediction_app import PredictionApp
from heart_serving.predictionlog.parts import PredictionLogging, build_log
from heart_serving.predictionlog.proofs import Proofs
from heart_serving.predictor import Predictor
from heart_serving.protocols.answers import Answers
from heart_serving.protocols.base import Predict, PredictionProtocol
from heart_serving.protocols.contract import Contract
from heart_serving.protocols.kserve_v1 import KServeV1
from heart_serving.protocols.mlflow import Invocations
from heart_serving.protocols.open_inference import OpenInference
from heart_serving.protocols.output_bins import OutputCounts
from heart_serving.routes.framework import build_framework
from heart_serving.routes.management import build_management
from heart_serving.routes.readiness import Readiness
from heart_serving.settings import Settings

if TYPE_CHECKING:
    from heart_serving.rpc.server import GrpcListener

Background = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Application:
    """`asgi` is the whole ASGI application around `app`; `fast_path` answers what needs none. Both use `predictor`.

    `management` is an ASGI application of its own, for the second listener.
    """

    asgi: Any
    management: Any
    app: PredictionApp
    fast_path: FastPath
    predictor: Predictor
    capacity: Capacity
    readiness: Readiness
    log: RequestLog
    predictions: PredictionLogging
    certificate: Certificate | None = None
    """Of the listeners for predictions; None: they speak without TLS."""
    grpc: "GrpcListener | None" = None
    background: tuple[Background, ...] = ()
    """What runs beside the requests, from the server's start to its end."""


def create_app(model: Model, settings: Settings, log: RequestLog | None = None) -> Application:
    """The application, and what the server needs to stop it well. Raises ModelRejected or SettingsError."""
    contract = Contract.of(model.package.features, settings.max_rows)
    answers = Answers.of(model.package)
    inference = OpenInference(contract, answers, settings.name, settings.version)
    files = AuthFiles(settings.auth) if settings.auth else None
    guard = files.open() if files else Guard()
    metrics = build_metrics(model, settings, answers, guard)
    readiness = Readiness()
    log = log or RequestLog(model=settings.name, version=settings.version)
    protocols = build_protocols(settings, contract, answers, inference)
    predictions = open_log(settings, answers)
    proofs = Proofs(settings.log.proof_keys, settings.namespace, settings.name, settings.version)
    prefix = Prefix()
    framework = build_framework(model, settings, inference, metrics, readiness, predictions, proofs, guard, prefix)
    mirror = Mirror(settings.version, metrics, proofs, relative=answers.task == "regression", tls=settings.tls)
    experiment = Experiment(settings.version, settings.tls)
    if predictions.maintenance:
        predictions.maintenance.experiment = lambda: experiment.target
    predictor = Predictor(model.run, metrics, log, mirror, predictions.recorder, proofs, experiment)
    capacity = build_capacity(model, settings)
    explainer = open_explain_worker(model, settings, contract, answers)
    app = PredictionApp(predictor, protocols, explainer, framework, capacity, BodyReader(settings.max_body), guard)
    fast_path = FastPath(predictor, protocols, capacity, guard, prefix)
    certificate = Certificate(settings.tls) if settings.tls else None
    background = [*follow_rollout(settings, mirror, experiment), *follow_paths(settings, prefix)]
    background += [certificate.follow] if certificate else []
    background += [partial(files.follow, guard)] if files else []
    return Application(
        cross_origin(WithoutPrefix(app, prefix), settings.cors_origins),
        build_management(settings, readiness, framework, metrics, predictions.metrics),
        app,
        fast_path,
        predictor,
        capacity,
        readiness,
        log,
        predictions,
        certificate,
        open_grpc(settings, predictor, capacity, inference, readiness, guard, certificate),
        tuple(background),
    )


def build_metrics(model: Model, settings: Settings, answers: Answers, guard: Guard) -> ServingMetrics:
    info = {"version": settings.version, "digest": f"sha256:{settings.sha256}", "algorithm": model.package.algorithm}
    return ServingMetrics(settings.name, settings.version, info, OutputCounts(answers), guard)


def open_log(settings: Settings, answers: Answers) -> PredictionLogging:
    """The prediction log of this version, as the settings want it."""
    source = Source(settings.name, settings.version, f"sha256:{settings.sha256}", settings.log.spec.redact)
    return build_log(settings.log, source, answers)


def follow_rollout(settings: Settings, mirror: Mirror, experiment: Experiment) -> Iterator[Background]:
    """What the stable version does for a candidate, as its files say."""
    if settings.mirror_file is not None:
        yield partial(mirror.run, MirrorFile(settings.mirror_file, settings.version))
        yield partial(experiment.run, settings.mirror_file.with_name(EXPERIMENT_FILE))


def follow_paths(settings: Settings, prefix: Prefix) -> Iterator[Background]:
    """Reads the prefix of the paths now, and follows its file."""
    if settings.paths_file is not None:
        paths = PathsFile(settings.paths_file)
        paths.refresh(prefix)
        yield partial(paths.follow, prefix)


def open_grpc(
    settings: Settings,
    predictor: Predictor,
    capacity: Capacity,
    inference: OpenInference,
    readiness: Readiness,
    guard: Guard,
    certificate: Certificate | None,
) -> "GrpcListener | None":
    """A pod that does not speak gRPC does not load it: its memory counts."""
    if settings.grpc_port is None:
        return None
    from heart_serving.rpc.inference import GrpcInference  # noqa: PLC0415
    from heart_serving.rpc.server import GrpcListener  # noqa: PLC0415
    from heart_serving.rpc.service import InferenceService  # noqa: PLC0415

    service = InferenceService(predictor, capacity, GrpcInference(inference), readiness, guard)
    return GrpcListener(service.handler(), settings, certificate)


def build_capacity(model: Model, settings: Settings) -> Capacity:
    """What is small follows from what the model costs and how long a record is."""
    example = len(orjson.dumps(example_record(model.package)))
    small = inline_bytes(model.row_seconds, model.further_seconds, example)
    return Capacity(Worker(settings.max_in_flight), small, settings.max_in_flight)


def build_protocols(
    settings: Settings, contract: Contract, answers: Answers, inference: OpenInference
) -> dict[str, PredictionProtocol]:
    """By path."""
    invocations = Invocations(contract, answers)
    return {
        "/predict": Predict(contract, answers, settings.version),
        f"/v2/models/{settings.name}/infer": inference,
        f"/v2/models/{settings.name}/versions/{settings.version}/infer": inference,
        f"/v1/models/{settings.name}:predict": KServeV1(contract, answers),
        "/invocations": invocations,
        f"/endpoints/{settings.name}/invocations": invocations,
    }
