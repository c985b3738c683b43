"""Write the images' bills of materials: `python -m hack.sbom` builds the images, or takes them from the cache.

`python -m hack.sbom --archive FILE NAME` reads an archive of `docker save` as the image NAME instead.
"""

import argparse
import tomllib
from pathlib import Path

from hack.images import ROOT
from hack.sbom.chosen import parse_options, read_images
from hack.sbom.document import write_document


def product_version() -> str:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hack.sbom", description="Write CycloneDX documents of the images.")
    parser.add_argument("--into", type=Path, default=ROOT / "dist" / "sbom", help="folder (default: dist/sbom)")
    options = parse_options(parser)
    options.into.mkdir(parents=True, exist_ok=True)
    for name, image in read_images(options).items():
        target = options.into / f"{name}.cdx.json"
        target.write_text(write_document(f"heartops/{name}", product_version(), image))
        print(target)


if __name__ == "__main__":
    main()
