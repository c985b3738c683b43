"""Which images a command reads: those that a build left, or one archive."""

import argparse
import subprocess
import tempfile
from pathlib import Path

from hack.images import Built, build_all
from hack.sbom.imagefiles import ImageFiles, read_image


def parse_options(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line with `--archive FILE NAME` added; both or neither must be given."""
    parser.add_argument("--archive", metavar="FILE", help="read this archive as the image NAME; builds nothing")
    parser.add_argument("name", nargs="?", metavar="NAME", help="with --archive: operator, trainer, serving …")
    options = parser.parse_args()
    if (options.archive is None) != (options.name is None):
        parser.error("--archive FILE and NAME belong together")
    return options


def read_images(options: argparse.Namespace) -> dict[str, ImageFiles]:
    """By name: the image of the archive, or all of the product, built or taken from the cache."""
    images = {options.name: Built("", options.archive)} if options.archive else build_all()
    return {name: read_built(built) for name, built in images.items()}


def read_built(built: Built) -> ImageFiles:
    """The content of an image that a build left in an archive or in the Docker engine."""
    if built.archive:
        return read_image(Path(built.archive))
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "image.tar"
        subprocess.run(["docker", "save", "--output", archive, built.reference], check=True)
        return read_image(archive)
