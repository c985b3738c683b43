"""What somebody with rights in the registry, and without the namespace's key, can make of a seal: nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from heart_api.handover import Tag
from heart_trainer.mlflow import seals
from heart_trainer.mlflow.client import RegistryUnavailable
from heart_trainer.mlflow.seals import Sealed, contract_sha256, read_seal, seal, seal_problem, sha256
from tests.support.serving.tiny_model import HEART, TinyModel, tiny_model

KEY = "row key of the namespace"
MODEL, BACK_DOOR = tiny_model(), tiny_model(seed=1)
EVALUATION, FLATTERING = b'{"auc": 0.8}', b'{"auc": 0.9}'
ABOUT = Sealed(
    registry_name="heart",
    version="7",
    run_id="run-7",
    trigger="0a1b2c3d",
    artifact=sha256(MODEL.data),
    evaluation=sha256(EVALUATION),
    contract=contract_sha256(MODEL.package),
)


@dataclass(frozen=True)
class Registered:
    """A version in MLflow, with the file that it leads to and the evaluation of its run."""

    name: str = ABOUT.registry_name
    version: str = ABOUT.version
    run_id: str = ABOUT.run_id
    tags: dict[str, str] = field(
        default_factory=lambda: {
            Tag.TRIGGER: ABOUT.trigger,
            Tag.ARTIFACT_SHA256: ABOUT.artifact,
            Tag.EVALUATION_SHA256: ABOUT.evaluation,
            Tag.CONTRACT_SHA256: ABOUT.contract,
            Tag.SEAL: seal(KEY, "training", ABOUT),
        }
    )
    file: TinyModel = MODEL
    evaluation: bytes | None = EVALUATION

    def tagged(self, **changes: str) -> "Registered":
        return replace(self, tags=self.tags | {getattr(Tag, name): value for name, value in changes.items()})


def problem(version: Registered, key: str = KEY) -> str:
    class Runs:
        def read_run(self, run_id: str, path: str) -> bytes:
            if version.evaluation is None:
                raise RegistryUnavailable("http://mlflow", FileNotFoundError(path))
            return version.evaluation

    runs: Any = Runs()
    return seal_problem(runs, version, version.file.data, version.file.package, key)


ATTACKS: dict[str, tuple[Callable[[Registered], Registered], str]] = {
    "a model with a back door under the tags of another": (lambda one: replace(one, file=BACK_DOOR), seals.OTHER_FILE),
    "the same with its own digest": (
        lambda one: replace(one, file=BACK_DOOR).tagged(ARTIFACT_SHA256=sha256(BACK_DOOR.data)),
        seals.INVALID,
    ),
    "a later version with the seal of an earlier one": (lambda one: replace(one, version="8"), seals.INVALID),
    "another registered model with the seal": (lambda one: replace(one, name="triage"), seals.INVALID),
    "another run": (lambda one: replace(one, run_id="run-8"), seals.INVALID),
    "a run of its own for the evaluation": (lambda one: one.tagged(EVALUATION_RUN="run-8"), seals.INVALID),
    "the trigger of today's spec": (lambda one: one.tagged(TRIGGER="ffffffff"), seals.INVALID),
    "figures that flatter": (lambda one: replace(one, evaluation=FLATTERING), seals.OTHER_EVALUATION),
    "the same with their digest": (
        lambda one: replace(one, evaluation=FLATTERING).tagged(EVALUATION_SHA256=sha256(FLATTERING)),
        seals.INVALID,
    ),
    "a deleted evaluation": (lambda one: replace(one, evaluation=None), seals.OTHER_EVALUATION),
    "another contract": (lambda one: one.tagged(CONTRACT_SHA256="sha256:" + "0" * 64), seals.OTHER_CONTRACT),
    "no seal": (lambda one: one.tagged(SEAL=""), seals.MISSING),
    "a seal of another form": (lambda one: one.tagged(SEAL="training:é"), seals.INVALID),
    "a seal of the first release": (lambda one: one.tagged(SEAL="ab" * 32), seals.MISSING),
    "the seal of an evaluation": (
        lambda one: one.tagged(SEAL=seal(KEY, "evaluation", ABOUT)),
        seals.MISSING,
    ),
    "an evaluation's seal under the other name": (
        lambda one: one.tagged(SEAL=seal(KEY, "evaluation", ABOUT).replace("evaluation:", "training:")),
        seals.INVALID,
    ),
    "a key of one's own": (lambda one: one.tagged(SEAL=seal("guessed", "training", ABOUT)), seals.INVALID),
}


def test_what_a_training_left_is_ours() -> None:
    assert problem(Registered()) == ""
    assert problem(Registered(), key="another namespace's") == seals.INVALID


@pytest.mark.parametrize("name", ATTACKS)
def test_no_right_in_the_registry_makes_or_moves_a_seal(name: str) -> None:
    attack, expected = ATTACKS[name]
    assert problem(attack(Registered())) == expected


def test_the_contract_of_a_file_decides_and_no_remark_in_it() -> None:
    assert contract_sha256(tiny_model(HEART[:2]).package) != ABOUT.contract
    assert contract_sha256(MODEL.package.model_copy(update={"algorithm": "svm"})) == ABOUT.contract


def test_the_records_of_a_version_are_read_with_either_seal() -> None:
    for maker in ("training", "evaluation"):
        found = read_seal(Registered().tagged(SEAL=seal(KEY, maker, ABOUT)), KEY)
        assert found
        assert (found.version, found.run_id, found.artifact_sha256) == ("7", "run-7", ABOUT.artifact)
    assert read_seal(replace(Registered(), version="8"), KEY) is None
