"""Seals: what a Job with the namespace's key vouches for. Rights in MLflow alone do not allow to make or move one.

A seal is an HMAC over the registered model's name, the version, its run, the trigger, and the digests of the model
file, the evaluation and the contract. `training:` is the seal of a version that a training made, `evaluation:` of one
that somebody registered and a Job of ours measured.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from heart_api.evaluation import EVALUATION_PATH
from heart_api.handover import Tag, TrainingResult
from heart_api.package import ServingPackage
from heart_trainer.mlflow.client import RegistryUnavailable, Store

Maker = Literal["training", "evaluation"]

MISSING = "it carries no seal of a training in this namespace"
OTHER_FILE = "its file is not the one that was sealed (digests differ)"
OTHER_CONTRACT = "its seal is for another contract than the one in its file"
OTHER_EVALUATION = "its evaluation is not the one that was sealed"
INVALID = "its seal was not made with this namespace's key for this name, version and trigger"


@dataclass(frozen=True)
class Sealed:
    """What a seal covers."""

    registry_name: str
    version: str
    run_id: str
    trigger: str
    artifact: str
    evaluation: str
    contract: str


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def contract_sha256(package: ServingPackage) -> str:
    """Digest of the question that a version answers: task, target and features, less fields at their default."""
    contract = package.model_dump(mode="json", include={"task", "target", "features"}, exclude_defaults=True)
    return sha256(json.dumps(contract, sort_keys=True).encode())


def seal(row_key: str, maker: Maker, about: Sealed) -> str:
    """`<maker>:<hex>`. JSON keeps the fields apart: no two contents have one form."""
    message = json.dumps(["heartops-seal-2", maker, *vars(about).values()])
    return f"{maker}:{hmac.new(row_key.encode(), message.encode(), hashlib.sha256).hexdigest()}"


def of_tags(version: Any) -> Sealed:
    """What the tags of MLflow's version claim."""
    tags: Mapping[str, str] = version.tags
    return Sealed(
        registry_name=str(version.name),
        version=str(version.version),
        run_id=tags.get(Tag.EVALUATION_RUN) or version.run_id or "",
        trigger=tags.get(Tag.TRIGGER, ""),
        artifact=tags.get(Tag.ARTIFACT_SHA256, ""),
        evaluation=tags.get(Tag.EVALUATION_SHA256, ""),
        contract=tags.get(Tag.CONTRACT_SHA256, ""),
    )


def read_seal(version: Any, row_key: str) -> TrainingResult | None:
    """What the tags of MLflow's version say, if a Job with the key has sealed them; its files are not read."""
    claimed, found = of_tags(version), version.tags.get(Tag.SEAL, "")
    if not any(fits(found, row_key, maker, claimed) for maker in ("training", "evaluation")):
        return None
    return TrainingResult(
        version=claimed.version,
        run_id=claimed.run_id,
        artifact_sha256=claimed.artifact,
        evaluation_sha256=claimed.evaluation,
    )


def seal_problem(store: Store, version: Any, data: bytes, package: ServingPackage, row_key: str) -> str:
    """Why the version, whose file is `data`, is not one that a training of this namespace made; empty: it is.

    Raises RegistryUnavailable only if MLflow does not answer for the evaluation that the tags name.
    """
    claimed, found = of_tags(version), version.tags.get(Tag.SEAL, "")
    if not found.startswith("training:"):
        return MISSING
    if claimed.artifact != sha256(data):
        return OTHER_FILE
    if claimed.contract != contract_sha256(package):
        return OTHER_CONTRACT
    if not fits(found, row_key, "training", claimed):
        return INVALID
    return "" if _has_evaluation(store, claimed) else OTHER_EVALUATION


def fits(found: str, row_key: str, maker: Maker, about: Sealed) -> bool:
    return hmac.compare_digest(seal(row_key, maker, about).encode(), found.encode())


def _has_evaluation(store: Store, claimed: Sealed) -> bool:
    try:
        return sha256(store.read_run(claimed.run_id, EVALUATION_PATH)) == claimed.evaluation
    except RegistryUnavailable:
        return False  # it was deleted, or its run was: the training did not leave the version so
