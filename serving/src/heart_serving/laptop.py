"""`python -m heart_serving DIR`: a trained model's folder, as `python -m heart_trainer … --out DIR` writes it.

It becomes the environment that the operator gives to a pod. Nobody has approved a digest here: it is the file's own.
"""

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from heart_api.handover import Env
from heart_api.package import MODEL_FILE
from heart_model.errors import ModelRejected
from heart_model.limits import MAX_MODEL_BYTES
from heart_model.model import read_package
from heart_model.onnxfile import inspect_onnx
from heart_serving.errors import SettingsError
from heart_serving.settings import DRAIN_SECONDS, GRPC_PORT, HOST, MANAGEMENT_PORT

VERSION = "0"
"""Of a version that no registry has numbered."""
DEFAULTS = {HOST: "127.0.0.1", Env.PORT: "8080", MANAGEMENT_PORT: "8081", GRPC_PORT: "0", DRAIN_SECONDS: "0"}


def build_environment(arguments: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment, with what a pod gets from the operator. Options win over variables, and both over defaults.

    Raises SettingsError or ModelRejected; ends the process (exit code 2) at wrong usage.
    """
    options = parser().parse_args(arguments)
    file = model_file(options.folder)
    namespace, name = names_in(file)
    given = {
        HOST: options.host,
        Env.PORT: options.port,
        MANAGEMENT_PORT: options.management_port,
        Env.DATABASE_URL: options.log and f"sqlite:///{options.log}",
    }
    return {
        **DEFAULTS,
        **environ,
        **{variable: value for variable, value in given.items() if value},
        Env.MODEL_NAME: name,
        Env.MODEL_NAMESPACE: namespace,
        Env.MODEL_VERSION: VERSION,
        Env.MODEL_SHA256: hashlib.sha256(file.read_bytes()).hexdigest(),
        Env.MODEL_FILE: str(file),
    }


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m heart_serving",
        description="Serve a trained model on this machine. Without DIR, the environment names the model, as in a pod.",
    )
    found.add_argument("folder", metavar="DIR", type=Path, help=f"folder with {MODEL_FILE}, as the trainer's --out")
    found.add_argument("--host", help="address to listen on (default: 127.0.0.1, this machine alone)")
    found.add_argument("--port", help="port (default: 8080)")
    found.add_argument("--management-port", metavar="PORT", help="port of /metrics (default: 8081; 0: none)")
    found.add_argument("--log", type=Path, metavar="FILE", help="keep predictions and outcomes in an SQLite file")
    return found


def model_file(folder: Path) -> Path:
    """The ONNX file of a folder; the file itself is accepted as well."""
    file = folder if folder.is_file() else folder / MODEL_FILE
    if not file.is_file():
        raise SettingsError(
            f"{folder} has no {MODEL_FILE}: train one with python -m heart_trainer HEARTMODEL.yaml --out {folder}"
        )
    return file


def names_in(file: Path) -> tuple[str, str]:
    """Namespace and name of the HeartModel: its registered model is called `<namespace>.<name>` unless it says else."""
    if file.stat().st_size > MAX_MODEL_BYTES:
        raise ModelRejected(f"{file} is larger than the {MAX_MODEL_BYTES} bytes that are served")
    registered = read_package(inspect_onnx(file.read_bytes())).registry_name
    namespace, _, name = registered.partition(".")
    return (namespace, name) if name else ("default", registered)
