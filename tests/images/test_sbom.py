"""The built images: their bills of materials list what the locks pin, and what Debian brought."""

import json
import re
from functools import cache

import pytest

from hack.images import IMAGES, Built, build_all
from hack.sbom.chosen import read_built
from hack.sbom.document import write_document
from tests.support.locks import REQUIREMENTS, pins

OURS = re.compile(r"/opt/(dependencies|mlflow)/.+")


@cache
def built() -> dict[str, Built]:
    """From the cache, as the stage has built them."""
    return build_all()


def installed(name: str) -> tuple[dict[str, str], dict[str, str]]:
    """(Python packages of the product's own folder, Debian packages): version by name."""
    components = json.loads(write_document(f"heartops/{name}", "0", read_built(built()[name])))["components"]
    python, debian = {}, {}
    for each in components:
        if each["type"] == "operating-system":
            continue
        places = [place["location"] for place in each["evidence"]["occurrences"]]
        if each["purl"].startswith("pkg:deb/"):
            debian[each["name"]] = each["version"]
        elif any(OURS.fullmatch(place) and "/_vendor/" not in place for place in places):
            python[each["name"].lower().replace("_", "-").replace(".", "-")] = each["version"]
    return python, debian


def everywhere(lock: str) -> set[tuple[str, str]]:
    """What a lock pins on every platform."""
    return set(re.findall(r"^([\w.-]+)==([^ ;\\]+) \\$", (REQUIREMENTS / f"{lock}.txt").read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", [image.name for image in IMAGES])
def test_an_image_holds_what_its_lock_pins(name: str) -> None:
    python, debian = installed(name)
    assert "libc6" in debian
    if name == "postgres":
        assert any(package.startswith("postgresql-") for package in debian)
        return
    assert python.items() <= pins(name), "nothing but what the lock pins"
    assert everywhere(name) <= set(python.items()), "all that it pins"
