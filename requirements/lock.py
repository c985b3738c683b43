"""Compile the locks from pyproject.toml: one for development, one per image under its constraints, one for uv itself,
and one for what builds the wheel. The image for federated training has Flower, which caps some packages below dev.txt.
The trainer for DVC has that library beside the trainer's packages.
Examples with an image have their requirements and their lock beside them.

The tests run in the development environment, so an image must not hold another version of anything that they ran with.
Pins are kept while they satisfy pyproject.toml; delete a package's lines from dev.txt to upgrade it everywhere.
"""

import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import NamedTemporaryFile

HERE = Path(__file__).parent
PROJECT = HERE.parent / "pyproject.toml"
DEV = HERE / "dev.txt"
IMAGES = ("operator", "serving", "trainer", "mlflow")
EXAMPLES = HERE.parent / "examples"
FLOWER_PINS = "certifi fastapi packaging protobuf rich starlette typer uv uvicorn".split()
"""Of which flwr wants other versions than dev.txt has; only the federation's image holds these."""
DVC_EXPERIMENTS = "antlr4-python3-runtime hydra-core omegaconf".split()
"""What DVC configures experiments with, and nothing else. The first has no wheel, and images compile nothing."""
UV = Path(sys.executable).with_name("uv")
FLAGS = (
    "pip compile -q --universal --python-version 3.11 --generate-hashes "
    "--no-emit-index-url --no-emit-find-links --no-header --no-annotate"
).split()


def compile_lock(target: Path, *options: str | Path) -> None:
    print(f"==> requirements/{target.name}", flush=True)
    subprocess.run([UV, *FLAGS, *options, PROJECT, "-o", target], check=True)


def lock_examples() -> None:
    """With the versions of dev.txt, by which the tests run them."""
    for wanted in sorted(EXAMPLES.rglob("requirements.in")):
        lock = wanted.with_suffix(".txt")
        print(f"==> {lock.relative_to(HERE.parent)}", flush=True)
        subprocess.run([UV, *FLAGS, "-c", DEV, wanted, "-o", lock], check=True)


def lock_given(target: Path, requirements: str) -> None:
    print(f"==> requirements/{target.name}", flush=True)
    subprocess.run([UV, *FLAGS, "-", "-o", target], check=True, input=requirements, text=True)


def lock_federation() -> None:
    """The trainer's packages and Flower. Everything else is of the versions that the tests ran with."""
    kept, skipped = [], False
    for line in DEV.read_text().splitlines(keepends=True):
        if not line.startswith((" ", "#")):
            skipped = line.partition("==")[0] in FLOWER_PINS
        kept += [] if skipped else [line]
    with NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.writelines(kept)
        constraints.flush()
        compile_lock(HERE / "federation.txt", "--extra", "trainer", "--group", "federation", "-c", constraints.name)


def lock_dvc() -> None:
    """The trainer's packages and DVC's, of the versions that the tests ran with."""
    left_out = [word for name in DVC_EXPERIMENTS for word in ("--no-emit-package", name)]
    compile_lock(HERE / "dvc.txt", "--extra", "trainer", "--group", "dvc", "-c", DEV, *left_out)


def pin_uv() -> None:
    """uv installs everything else, so its own lock must be readable by plain pip."""
    version = subprocess.run([UV, "--version"], check=True, capture_output=True, text=True).stdout.split()[1]
    lock_given(HERE / "uv.txt", f"uv=={version}\n")


def pin_build_backend() -> None:
    """What the release builds the wheel with."""
    lock_given(HERE / "build.txt", "\n".join(tomllib.loads(PROJECT.read_text())["build-system"]["requires"]))


if __name__ == "__main__":
    compile_lock(DEV, "--all-extras", "--group", "dev")
    for image in IMAGES:
        compile_lock(HERE / f"{image}.txt", "--extra", image, "-c", DEV)
    lock_examples()
    lock_federation()
    lock_dvc()
    pin_uv()
    pin_build_backend()
