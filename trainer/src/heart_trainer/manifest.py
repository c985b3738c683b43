"""A HeartModel file → TrainingRequest, for a training on a laptop. It says what the API server would say."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from heart_api.handover import Env, TrainingRequest
from heart_api.heartmodel import HeartModelSpec
from heart_api.names import API_VERSION, GROUP
from heart_trainer.validation.resource import complaints
from heart_trainer.validation.yaml_text import read_documents, with_hints


class BadManifest(Exception):
    """What is wrong in the file, one line for each mistake."""


def read_manifest(path: Path, trigger: str) -> TrainingRequest:
    """The only HeartModel of the file as a request. Raises BadManifest."""
    found = _heart_model(path)
    metadata = found.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise BadManifest(f"{path}: metadata: must be a mapping with a name")
    name, namespace = metadata.get("name"), metadata.get("namespace", "default")
    if not isinstance(name, str) or not isinstance(namespace, str):
        raise BadManifest(f"{path}: metadata.name: a name is needed")
    spec = _spec(path, found)
    if spec.dataset is None:
        raise BadManifest(f"{path}: spec.federation: its data are at the sites, and only a cluster trains there")
    return TrainingRequest(
        namespace=namespace,
        name=name,
        registry_name=spec.registry_name or default_registry_name(namespace, name, os.environ),
        trigger=trigger,
        dataset=spec.dataset,
        target=spec.target,
        features=spec.features,
        training=spec.training,
    )


def default_registry_name(namespace: str, name: str, environ: Mapping[str, str]) -> str:
    """As the operator calls it: in a workspace of MLflow, which is one namespace's, without the namespace."""
    return name if environ.get(Env.WORKSPACE) else f"{namespace}.{name}"


def _heart_model(path: Path) -> dict[str, Any]:
    try:
        documents = [entry for entry in read_documents(path.read_text()) if isinstance(entry, dict)]
    except OSError as error:
        raise BadManifest(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadManifest(f"{path}: is not YAML: {error}") from error
    models = [entry for entry in documents if entry.get("kind") == "HeartModel"]
    if len(models) != 1:
        raise BadManifest(f"{path}: holds {len(models)} HeartModels; exactly one is needed")
    wanted = f"{GROUP}/{API_VERSION}"
    if models[0].get("apiVersion") != wanted:
        raise BadManifest(f"{path}: apiVersion: must be {wanted}")
    return models[0]


def _spec(path: Path, resource: dict[str, Any]) -> HeartModelSpec:
    found = complaints(resource)
    if not found:
        try:
            return HeartModelSpec.model_validate(resource["spec"])
        except ValidationError as error:
            found = [
                f"{_field(entry['loc'])}: {entry['msg'].removeprefix('Value error, ')}"
                for entry in error.errors(include_input=False)
            ]
    raise BadManifest(f"{path} is not a valid HeartModel:\n" + "\n".join(f"  {line}" for line in with_hints(found)))


def _field(place: tuple[int | str, ...]) -> str:
    """A path below `spec` as people write it, such as `spec.features[3].minimum`."""
    return "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
