"""Write the images' bills of materials: `python -m hack.sbom` builds the images, or takes them from the cache.

`python -m hack.sbom --archive FILE NAME` reads an archive of `docker save` as the image NAME instead.
"""

import argparse
import subprocess
import tempfile
import tomllib
from pathlib import Path

from hack.images import ROOT, Built, build_all
from hack.sbom.document import write_document
from hack.sbom.imagefiles import ImageFiles, read_image


def read_built(built: Built) -> ImageFiles:
    """The content of an image that a build left in an archive or in the Docker engine."""
    if built.archive:
        return read_image(Path(built.archive))
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "image.tar"
        subprocess.run(["docker", "save", "--output", archive, built.reference], check=True)
        return read_image(archive)


def product_version() -> str:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hack.sbom", description="Write CycloneDX documents of the images.")
    parser.add_argument("--into", type=Path, default=ROOT / "dist" / "sbom", help="folder (default: dist/sbom)")
    parser.add_argument("--archive", metavar="FILE", help="read this archive as the image NAME; builds nothing")
    parser.add_argument("name", nargs="?", metavar="NAME", help="with --archive: operator, trainer, serving …")
    options = parser.parse_args()
    if (options.archive is None) != (options.name is None):
        parser.error("--archive FILE and NAME belong together")
    images = {options.name: Built("", options.archive)} if options.archive else build_all()
    options.into.mkdir(parents=True, exist_ok=True)
    for name, built in images.items():
        target = options.into / f"{name}.cdx.json"
        target.write_text(write_document(f"heartops/{name}", product_version(), read_built(built)))
        print(target)


if __name__ == "__main__":
    main()
