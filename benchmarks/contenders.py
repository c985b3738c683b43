"""Every server that is measured: how it is started, and how one asks it."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import environments
from benchmarks.environments import ROOT, Environment, NotInstalled
from benchmarks.models import BenchModel
from hack.cluster.ports import free_port
from tests.support.serving.app import environment as serving_variables
from tests.support.trainer.requests import HEART

PEERS = Path(__file__).parent / "peers"
OURS, FASTAPI, ASGI = "HeartOps", "empty FastAPI route", "empty ASGI app"


@dataclass(frozen=True)
class Start:
    """How one server is started for one model."""

    command: list[str]
    environment: dict[str, str]
    cwd: Path


@dataclass(frozen=True)
class Contender:
    title: str
    place: Environment
    start: Callable[[Environment, BenchModel, Path, int], Start]
    question: Callable[[BenchModel, int], tuple[str, Any]]
    """(path, JSON document) for that many records."""

    def request(self, model: BenchModel, records: int) -> bytes:
        path, document = self.question(model, records)
        body = json.dumps(document).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: heart\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        return head.encode() + b"\r\n\r\n" + body


def contenders() -> tuple[list[Contender], dict[str, str]]:
    """Everything that could be installed, and of the rest why not."""
    own = environments.ours()
    found = [
        Contender(OURS, own, start_ours, ask_ours),
        Contender(FASTAPI, own, start_empty("empty_fastapi.py"), ask_fastapi),
        Contender(ASGI, own, start_empty("empty_asgi.py"), ask_ours),
    ]
    absent = {}
    for name, (start, question) in STARTS.items():
        title = str(environments.PEERS[name]["title"])
        try:
            found.append(Contender(title, environments.peer(name), start, question))
        except NotInstalled as why:
            absent[title] = str(why)
    return found, absent


def start_ours(place: Environment, model: BenchModel, folder: Path, port: int) -> Start:
    source = f"{ROOT}/common/src:{ROOT}/serving/src"
    variables = serving_variables(model.onnx, model.served.sha256, port, PYTHONPATH=source)
    return Start([place.python, "-m", "heart_serving"], variables, folder)


def ask_ours(model: BenchModel, records: int) -> tuple[str, Any]:
    return "/predict", model.record if records == 1 else [model.record] * records


def start_empty(script: str) -> Callable[[Environment, BenchModel, Path, int], Start]:
    features = json.dumps([feature.model_dump(mode="json", exclude_none=True) for feature in HEART])

    def start(place: Environment, model: BenchModel, folder: Path, port: int) -> Start:
        return Start([place.python, str(PEERS / script)], {"BENCH_FEATURES": features, "BENCH_PORT": str(port)}, folder)

    return start


def ask_fastapi(model: BenchModel, records: int) -> tuple[str, Any]:
    return ("/one", model.record) if records == 1 else ("/many", [model.record] * records)


def start_mlserver(place: Environment, model: BenchModel, folder: Path, port: int) -> Start:
    settings = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port(), "host": "127.0.0.1"}
    quiet = {"debug": False, "parallel_workers": 0, "logging_settings": None}
    described = {
        "name": "heart",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(model.pipeline)},
    }
    (folder / "settings.json").write_text(json.dumps(settings | quiet))
    (folder / "model-settings.json").write_text(json.dumps(described))
    return Start([place.tool("mlserver"), "start", str(folder)], {}, folder)


def ask_mlserver(model: BenchModel, records: int) -> tuple[str, Any]:
    data = model.row * records
    tensor = {"name": "predict", "shape": [records, len(model.row)], "datatype": "FP32", "data": data}
    return "/v2/models/heart/infer", {"inputs": [tensor], "outputs": [{"name": "predict_proba"}]}


def start_kserve(place: Environment, model: BenchModel, folder: Path, port: int) -> Start:
    variables = {"BENCH_PIPELINE": str(model.pipeline), "BENCH_PORT": str(port)}
    return Start([place.python, str(PEERS / "kserve_server.py")], variables, folder)


def ask_kserve(model: BenchModel, records: int) -> tuple[str, Any]:
    return "/v1/models/heart:predict", {"instances": [model.row] * records}


def start_bentoml(place: Environment, model: BenchModel, folder: Path, port: int) -> Start:
    variables = {"BENCH_PIPELINE": str(model.pipeline), "BENTOML_HOME": str(folder), "BENTOML_DO_NOT_TRACK": "True"}
    command = [place.python, "-m", "bentoml", "serve", "bentoml_service:Heart", "--host", "127.0.0.1", "-p", str(port)]
    return Start(command, variables, PEERS)


def ask_bentoml(model: BenchModel, records: int) -> tuple[str, Any]:
    return "/predict", {"rows": [model.row] * records}


def start_mlflow(place: Environment, model: BenchModel, folder: Path, port: int) -> Start:
    saved = folder / "saved"
    if not saved.exists():
        command = [place.python, str(PEERS / "save_mlflow.py"), str(model.pipeline), str(saved)]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
    serve = ["models", "serve", "-m", str(saved), "-h", "127.0.0.1", "-p", str(port), "--env-manager", "local"]
    path = f"{place.folder}/bin:/usr/bin:/bin"
    return Start([place.tool("mlflow"), *serve], {"PATH": path, "MLFLOW_TRACKING_URI": f"file:{folder}"}, folder)


def ask_mlflow(model: BenchModel, records: int) -> tuple[str, Any]:
    return "/invocations", {"inputs": [model.row] * records}


STARTS = {
    "mlserver": (start_mlserver, ask_mlserver),
    "kserve": (start_kserve, ask_kserve),
    "bentoml": (start_bentoml, ask_bentoml),
    "mlflow": (start_mlflow, ask_mlflow),
}
