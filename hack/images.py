"""The product's images: built once per content, by Docker where it runs, else by the cluster tool.

`python3 -m hack.images build` prints one JSON object, image name → reference, as its last line;
`python3 -m hack.images example lightgbm-trainer` builds an image of the examples in the same way;
`python3 -m hack.images sizes` also prints what a registry stores of each, and fails where that is too much;
`--into NAME` also loads them into the cluster tool's cluster NAME, `--kind NAME` into a kind cluster.
Standard library only: it runs before any environment exists.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLUSTER = (sys.executable, "-m", "hack.cluster")


@dataclass(frozen=True)
class Image:
    """One image: its Dockerfile and the cluster tool's base that it stands on."""

    name: str
    dockerfile: str
    base: str = "python-base"
    demo: bool = True
    """Whether `make demo` needs it."""
    most_megabytes: int = 0
    """Of its compressed layers; 0: no bound."""


@dataclass(frozen=True)
class Built:
    """What a build left: a reference, and an archive where no engine keeps the image."""

    reference: str
    archive: str | None = None


IMAGES = (
    Image("operator", "operator/Dockerfile"),
    Image("trainer", "trainer/Dockerfile"),
    Image("federation", "trainer/federation.Dockerfile", demo=False),
    Image("dvc", "trainer/dvc.Dockerfile", demo=False),
    Image("serving", "serving/Dockerfile", most_megabytes=250),
    Image("mlflow", "charts/images/mlflow/Dockerfile"),
    Image("postgres", "charts/images/postgres/Dockerfile", base="debian-base"),
)
EXAMPLES = (
    Image("lightgbm-trainer", "examples/trainers/lightgbm/Dockerfile"),
    Image("pytorch-trainer", "examples/trainers/pytorch/Dockerfile", base="debian-base"),
)
"""Trainers of one's own (docs/own-trainer.md)."""


def docker_answers() -> bool:
    """Whether a Docker engine runs (the client alone is not enough)."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def run(command: list[str], **settings: str) -> list[str]:
    """Run, its progress (stderr) visible; returns its results, the lines of stdout."""
    environment = {**os.environ, **settings}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"`{' '.join(command)}` failed: see the lines above")
    return done.stdout.splitlines()


def build_with_docker(image: Image) -> Built:
    """Build with the engine; the tag is the image's own id, so that equal content keeps its name.

    An attestation records the time of the build, which would change the id each time.
    """
    latest = f"heartops/{image.name}:dev"
    build = ["docker", "build", "-q", "-t", latest, "-f", image.dockerfile, "."]
    run(build, BUILDX_NO_DEFAULT_ATTESTATIONS="1")
    identity = run(["docker", "image", "inspect", "--format", "{{.Id}}", latest])[-1].removeprefix("sha256:")
    reference = f"{latest}-{identity[:12]}"
    run(["docker", "tag", latest, reference])
    return Built(reference)


def build_with_cluster_tool(image: Image) -> Built:
    """Build without an engine; the tool caches by content and prints archive and reference last."""
    options = ["--dockerfile", image.dockerfile, "--base-image", image.base]
    *_, archive, reference = run([*CLUSTER, "image", image.name, *options])
    return Built(reference, archive)


def build_all(cluster: str | None = None, wanted: Iterable[Image] = IMAGES) -> dict[str, Built]:
    """Build every image; load each into the cluster tool's `cluster` as soon as it is built.

    Another process may build them at the same time (the demo's does): what it has finished is loaded meanwhile.
    """
    build = build_with_docker if docker_answers() else build_with_cluster_tool
    found = {}
    for image in wanted:
        found[image.name] = built = build(image)
        if cluster and built.archive:
            run([*CLUSTER, "load", "--name", cluster, built.archive])
    return found


def megabytes(archive: Path) -> tuple[float, float]:
    """(compressed as registries store layers, unpacked) of an archive as `docker save` writes it."""
    compressed = unpacked = 0
    with tarfile.open(archive) as image:
        manifest = image.extractfile("manifest.json")
        assert manifest
        for layer in json.load(manifest)[0]["Layers"]:
            stream = image.extractfile(layer)
            assert stream
            packer = zlib.compressobj(6, wbits=31)
            while chunk := stream.read(1 << 20):
                unpacked += len(chunk)
                compressed += len(packer.compress(chunk))
            compressed += len(packer.flush())
    return compressed / 1e6, unpacked / 1e6


def print_sizes(images: dict[str, Built]) -> None:
    """Raises SystemExit where an image is larger than it may be."""
    too_large = []
    for image in IMAGES:
        if image.name not in images:
            continue
        built = images[image.name]
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(built.archive or Path(folder) / "image.tar")
            if not built.archive:
                run(["docker", "save", "-o", str(archive), built.reference])
            compressed, unpacked = megabytes(archive)
        print(f"{image.name}: {compressed:.0f} MB compressed, {unpacked:.0f} MB unpacked", file=sys.stderr)
        if image.most_megabytes and compressed > image.most_megabytes:
            too_large.append(f"{image.name} has more than {image.most_megabytes} MB")
    if too_large:
        raise SystemExit("; ".join(too_large))


def load_into_kind(images: dict[str, Built], cluster: str) -> None:
    """Those that a node lacks. kind compares ids, which engine and node reckon differently: it would load all again."""
    nodes = run(["kind", "get", "nodes", "--name", cluster])
    listed = [run(["docker", "exec", node, "ctr", "-n", "k8s.io", "images", "ls", "-q"]) for node in nodes]
    references = [image.reference for image in images.values()]
    missing = [each for each in references if not nodes or any(f"docker.io/{each}" not in names for names in listed)]
    if missing:
        run(["kind", "load", "docker-image", "--name", cluster, *missing])


def examples_of(names: list[str]) -> list[Image]:
    """Raises SystemExit for a name that no example has."""
    known = {image.name: image for image in EXAMPLES}
    if wrong := [name for name in names if name not in known]:
        raise SystemExit(f"there is no example {', '.join(wrong)}; there are {', '.join(known)}")
    return [known[name] for name in names]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python3 -m hack.images", description="Build the product's images.")
    parser.add_argument("command", choices=["build", "sizes", "example"])
    parser.add_argument("names", nargs="*", help=f"of examples: {', '.join(image.name for image in EXAMPLES)}")
    parser.add_argument("--into", metavar="NAME", help="load into this cluster of the cluster tool")
    parser.add_argument("--kind", metavar="NAME", help="load into this kind cluster")
    parser.add_argument("--demo", action="store_true", help="only what `make demo` needs")
    options = parser.parse_args(arguments)
    ours = [image for image in IMAGES if image.demo or not options.demo]
    images = build_all(options.into, examples_of(options.names) if options.command == "example" else ours)
    if options.command == "sizes":
        print_sizes(images)
    if options.kind:
        load_into_kind(images, options.kind)
    print(json.dumps({name: image.reference for name, image in images.items()}))


if __name__ == "__main__":
    main(sys.argv[1:])
