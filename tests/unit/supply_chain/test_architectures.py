"""Images are built for amd64 and arm64: no Dockerfile assumes one of them, and the release builds both."""

import re

import pytest
import yaml

from tests.unit.supply_chain.test_pins import DOCKERFILES, ROOT

ONE_ARCHITECTURE = re.compile(r"amd64|x86[_-]64|arm64|aarch64|--platform|linux-gnu")
BUILT = {"linux/amd64", "linux/arm64"}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_dockerfile_assumes_an_architecture(dockerfile) -> None:
    assert ONE_ARCHITECTURE.findall(dockerfile.read_text()) == []


def test_a_release_builds_every_image_for_both() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yaml").read_text())["jobs"]
    steps = jobs["images"]["steps"]
    (build,) = [step["with"] for step in steps if step.get("uses", "").startswith("docker/build-push-action@")]
    assert set(build["platforms"].split(",")) == BUILT
    (emulation,) = [step["with"] for step in steps if step.get("uses", "").startswith("docker/setup-qemu-action@")]
    assert emulation["platforms"] == "arm64"


@pytest.mark.parametrize("name", ["operator", "serving", "trainer", "mlflow"])
def test_compiled_packages_have_more_than_one_wheel(name: str) -> None:
    """A lock with the hashes of one wheel and the source alone would be of one architecture."""
    lock = (ROOT / "requirements" / f"{name}.txt").read_text()
    hashes = {
        found["name"]: found[0].count("--hash=")
        for found in re.finditer(r"^(?P<name>[\w.-]+)==\S+ .*\\\n(?:    --hash=.*\n)+", lock, re.MULTILINE)
    }
    compiled = {"numpy", "pydantic-core", "grpcio", "onnxruntime", "pandas", "cryptography"} & hashes.keys()
    assert compiled
    assert all(hashes[package] > 2 for package in compiled), hashes
