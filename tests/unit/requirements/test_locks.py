"""An image holds the versions that the tests ran with: its lock is a part of the development lock."""

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).resolve().parents[3] / "requirements"
IMAGES = ("operator", "serving", "trainer", "mlflow")


def pins(lock: str) -> set[tuple[str, str]]:
    """Names and versions that a lock pins, whatever the platform they are pinned for."""
    return set(re.findall(r"^([\w.-]+)==([^ ;\\]+)", (REQUIREMENTS / f"{lock}.txt").read_text(), re.MULTILINE))


def test_every_lock_is_known_here() -> None:
    assert {path.stem for path in REQUIREMENTS.glob("*.txt")} == {*IMAGES, "dev", "uv"}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_the_versions_that_are_tested(image: str) -> None:
    pinned = pins(image)
    assert pinned
    assert pinned - pins("dev") == set()
