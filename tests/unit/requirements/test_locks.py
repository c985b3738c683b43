"""An image holds the versions that the tests ran with: its lock is a part of the development lock."""

import pytest

from requirements.lock import FLOWER_PINS
from tests.support.locks import REQUIREMENTS, pins

IMAGES = ("operator", "serving", "trainer", "mlflow")


def test_every_lock_is_known_here() -> None:
    assert {path.stem for path in REQUIREMENTS.glob("*.txt")} == {*IMAGES, "federation", "dvc", "dev", "uv", "build"}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_the_versions_that_are_tested(image: str) -> None:
    pinned = pins(image)
    assert pinned
    assert pinned - pins("dev") == set()


def test_the_image_with_flower_differs_where_flower_asks_for_it_alone() -> None:
    found, tested = pins("federation"), {name for name, _ in pins("dev")}
    assert {name for name, _ in found - pins("dev") if name in tested} <= set(FLOWER_PINS)
    assert {name for name, _ in pins("trainer")} <= {name for name, _ in found}


def test_the_trainer_for_dvc_holds_the_trainers_versions() -> None:
    """Its tests run in an environment of this lock; everything else has been tested in the trainer's."""
    assert pins("trainer") < pins("dvc")
