"""Copies the file of a version that has served, and what was measured of it, as a version from outside.

Which version has been proven, and which bytes it has, is read from the HeartModel's status and not from MLflow: the
operator wrote it, and only the operator can. The copy has no seal and no signature, which hold for one HeartModel. So
the other namespace measures it on its own data, judges it by its own gates, and asks for its own approval.
"""

import hashlib
from dataclasses import dataclass

from heart_api.evaluation import EVALUATION_PATH
from heart_api.handover import Tag
from heart_api.heartmodel import HeartModel
from heart_api.package import MODEL_FILE
from heart_cli.copying.workspace import EXISTS, RegistryFailure, Workspace
from heart_cli.errors import Failure

FOLDER = "model"
"""Of a version's files in the run that holds them."""
COPIED_EVALUATION = "copied/evaluation.json"
"""For people: what was measured where the version comes from."""
KEPT = (Tag.DATASET_SHA256, Tag.CONTRACT_SHA256)
"""Tags that are about the bytes, whoever has them."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A version that serves or has served."""

    version: str
    digest: str
    """sha256:<hex>."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whose version the copy becomes."""

    model: str
    registry_name: str


def find_proven(model: HeartModel, version: str) -> Proven:
    """The version of this number; of none the one that serves. Raises Failure for one that never served, or was
    rejected since."""
    serving = model.status.serving
    if serving is None:
        raise Failure(f"{model.name} in namespace {model.namespace} serves no version yet: nothing has been proven")
    wanted = version or serving.version
    digests = {entry.version: entry.digest for entry in model.status.history} | {serving.version: serving.digest}
    if wanted not in digests:
        raise Failure(
            f"version {wanted} has not served in namespace {model.namespace}, as far as its history goes; version"
            f" {serving.version} does"
        )
    rejected = next((entry for entry in model.status.rejected if entry.version == wanted), None)
    if rejected:
        raise Failure(f"version {wanted} was rejected: {rejected.reason}: {rejected.message}")
    return Proven(wanted, digests[wanted])


def copy_version(
    source: Workspace, registry_name: str, proven: Proven, target: Workspace, to: Target, *, dry: bool = False
) -> str:
    """The number of the copy; of bytes that were copied before, the number that they have. Raises Failure.

    `dry`: all of it is checked, and nothing is written; empty where there is no copy yet.
    """
    origin = f"{source.namespace}/{registry_name}/{proven.version}"
    known = source.read("model-versions/get", name=registry_name, version=proven.version)["model_version"]
    address = source.read("model-versions/get-download-uri", name=registry_name, version=proven.version)
    data = source.download(address["artifact_uri"], MODEL_FILE)
    if (digest := f"sha256:{hashlib.sha256(data).hexdigest()}") != proven.digest:
        raise Failure(f"MLflow has other bytes for {origin} ({digest}) than those that served ({proven.digest})")
    found = find_copy(target, to.registry_name, proven.digest)
    if found or dry:
        return found
    tags = {tag["key"]: tag["value"] for tag in known.get("tags") or ()}
    about = {Tag.MODEL: f"{target.namespace}/{to.model}", Tag.COPIED_FROM: origin, Tag.ARTIFACT_SHA256: proven.digest}
    about |= {key: tags[key] for key in KEPT if key in tags}
    run_id = tags.get(Tag.EVALUATION_RUN) or str(known.get("run_id") or "")
    return register(target, to, data, read_evaluation(source, run_id), about)


def find_copy(target: Workspace, registry_name: str, digest: str) -> str:
    """The oldest version with these bytes; empty: there is none.

    A training there may make the same bytes later: the number of a copy stays the same.
    """
    found = target.read("model-versions/search", filter=f"name = '{registry_name}'", max_results="1000")
    wanted = {"key": Tag.ARTIFACT_SHA256, "value": digest}
    numbers = [int(each["version"]) for each in found.get("model_versions") or () if wanted in (each.get("tags") or ())]
    return str(min(numbers)) if numbers else ""


def read_evaluation(source: Workspace, run_id: str) -> bytes | None:
    """None where it cannot be read: the copy is measured anew in any case."""
    if not run_id:
        return None
    try:
        uri = source.read("runs/get", run_id=run_id)["run"]["info"]["artifact_uri"]
        return source.download(uri, EVALUATION_PATH)
    except Failure:
        return None


def register(target: Workspace, to: Target, data: bytes, evaluation: bytes | None, about: dict[str, str]) -> str:
    """A run with the files, then the version: half a copy is no version."""
    tags = [{"key": key, "value": value} for key, value in about.items()]
    owner = [tag for tag in tags if tag["key"] == Tag.MODEL]
    run = target.write("runs/create", experiment_id=find_experiment(target, to.registry_name), tags=owner)["run"][
        "info"
    ]
    target.upload(run["artifact_uri"], f"{FOLDER}/{MODEL_FILE}", data)
    if evaluation is not None:
        target.upload(run["artifact_uri"], COPIED_EVALUATION, evaluation)
    target.write("runs/update", run_id=run["run_id"], status="FINISHED")
    try:
        target.write("registered-models/create", name=to.registry_name, tags=owner)
    except RegistryFailure as error:
        if error.code != EXISTS:
            raise
    made = target.write(
        "model-versions/create",
        name=to.registry_name,
        source=f"{run['artifact_uri']}/{FOLDER}",
        run_id=run["run_id"],
        tags=tags,
    )
    return str(made["model_version"]["version"])


def find_experiment(target: Workspace, name: str) -> str:
    """The id of the registered model's experiment, which is made when needed."""
    try:
        return str(target.write("experiments/create", name=name)["experiment_id"])
    except RegistryFailure as error:
        if error.code != EXISTS:
            raise
    return str(target.read("experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"])
