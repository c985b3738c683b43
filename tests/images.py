"""The product's images: built once per content, by Docker where it runs, else by the cluster tool.

`python3 -m tests.images build` prints one JSON object, image name → reference, as its last line.
Standard library only: it runs before any environment exists.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Image:
    """One image: its Dockerfile, what of the tree goes into it, and which base it stands on."""

    name: str
    dockerfile: str
    context: tuple[str, ...]
    base: str = "python"


_TYPES = ("operator/src/heart_operator/__init__.py", "operator/src/heart_operator/api")
IMAGES = (
    Image("operator", "operator/Dockerfile", ("requirements/operator.txt", "operator/src")),
    Image("trainer", "trainer/Dockerfile", ("requirements/trainer.txt", "trainer/src", *_TYPES)),
    Image("serving", "serving/Dockerfile", ("requirements/serving.txt", "serving/src", *_TYPES)),
    Image("mlflow", "charts/images/mlflow/Dockerfile", ("requirements/mlflow.txt", "charts/images/mlflow")),
    Image("postgres", "charts/images/postgres/Dockerfile", ("charts/images/postgres",), base="debian"),
)


def docker_answers() -> bool:
    """Whether a Docker engine runs (the client alone is not enough)."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def build_with_docker(image: Image) -> str:
    """Build with the engine and return the reference, tagged by the image's own content."""
    command = ["docker", "build", "-q", "-f", image.dockerfile, "."]
    digest = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    reference = f"heartops/{image.name}:{hashlib.sha256(digest.encode()).hexdigest()[:12]}"
    subprocess.run(["docker", "tag", digest, reference], check=True)
    return reference


def build_with_cluster_tool(image: Image) -> str:
    """Build without an engine; the tool caches by content and prints the reference last."""
    command = [sys.executable, "-m", "tests.cluster", "image", image.name, "--dockerfile", image.dockerfile]
    command += ["--base", image.base, *(part for path in image.context for part in ("--path", path))]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    last = ""
    for line in process.stdout:
        last = line.strip() or last
        print(line, end="", file=sys.stderr, flush=True)
    if process.wait() != 0:
        raise SystemExit(f"the image {image.name} could not be built: see the lines above")
    return last


def build_all() -> dict[str, str]:
    """Build every image; references by name."""
    build = build_with_docker if docker_answers() else build_with_cluster_tool
    return {image.name: build(image) for image in IMAGES}


if __name__ == "__main__":
    print(json.dumps(build_all()))
