"""The bill of materials lists what an image contains, in CycloneDX's own schema."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from hack.cluster.archive import write_archive
from hack.sbom.document import write_document
from hack.sbom.imagefiles import read_image
from tests.support.locks import pins

OS_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nID=debian\n'
DPKG = """\
Package: zlib1g
Status: install ok installed
Architecture: amd64
Source: zlib (1:1.3.dfsg+really1.3.1-1)
Version: 1:1.3.dfsg+really1.3.1-1+b1
Description: compression library
 of several lines

Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.37-2

Package: libssl3t64
Status: install ok installed
Architecture: amd64
Source: openssl
Version: 3.5.1-1

Package: purged
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
BASE = {"usr/lib/os-release": OS_RELEASE, "var/lib/dpkg/status": DPKG}
CONFIG = {"Env": ["PATH=/bin"]}


def metadata(name: str, version: str, *more: str) -> str:
    return "\n".join(["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *more, "", "A text."])


def write_image(folder: Path, *layers: dict[str, str], config: dict[str, Any] = CONFIG) -> Path:
    """An archive whose layers hold these files by path."""
    paths = []
    for number, files in enumerate(layers):
        paths.append(folder / f"{number}.layer")
        with tarfile.open(paths[-1], "w") as tar:
            for name, text in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                tar.addfile(entry, io.BytesIO(text.encode()))
    write_archive(folder / "image.tar", "heartops/test:1", paths, config)
    return folder / "image.tar"


def document(archive: Path) -> dict[str, Any]:
    text = write_document("heartops/test", "0.1.0", read_image(archive))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    return json.loads(text)


def versions(bom: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["version"] for each in bom["components"]}


@pytest.mark.parametrize(("image", "expected"), [("serving", "onnxruntime"), ("trainer", "scikit-learn")])
def test_it_lists_every_python_package_of_the_lock(image: str, expected: str, tmp_path: Path) -> None:
    locked = dict(pins(image))
    layer = {
        f"opt/dependencies/{name}-{version}.dist-info/METADATA": metadata(name, version)
        for name, version in locked.items()
    }
    found = versions(document(write_image(tmp_path, BASE, layer)))
    assert found[expected] == locked[expected]
    assert locked.items() <= found.items()


def test_debian_packages_are_addressed_as_security_trackers_know_them(tmp_path: Path) -> None:
    bom = document(write_image(tmp_path, BASE))
    addresses = {each["name"]: each.get("purl") for each in bom["components"]}
    assert addresses == {
        "debian": None,
        "bash": "pkg:deb/debian/bash@5.2.37-2?arch=amd64&distro=debian-13",
        "libssl3t64": "pkg:deb/debian/libssl3t64@3.5.1-1?arch=amd64&distro=debian-13&upstream=openssl",
        "zlib1g": "pkg:deb/debian/zlib1g@1:1.3.dfsg%2Breally1.3.1-1%2Bb1?arch=amd64&distro=debian-13"
        "&upstream=zlib%401:1.3.dfsg%2Breally1.3.1-1",
    }


def test_what_a_later_layer_removes_or_replaces_is_not_listed(tmp_path: Path) -> None:
    first = {
        "usr/lib/python3/dist-packages/pip-25.dist-info/METADATA": metadata("pip", "25"),
        "opt/dependencies/idna-3.dist-info/METADATA": metadata("idna", "3"),
        "opt/other/six-1.dist-info/METADATA": metadata("six", "1"),
        "opt/dependencies/wheel.egg-info/PKG-INFO": metadata("wheel", "1"),
    }
    second = {
        "usr/lib/python3/dist-packages/.wh.pip-25.dist-info": "",
        "opt/other/.wh..wh..opq": "",
        "opt/other/attrs-2.dist-info/METADATA": metadata("attrs", "2"),
        "opt/dependencies/wheel.egg-info/PKG-INFO": metadata("wheel", "2"),
    }
    found = versions(document(write_image(tmp_path, first, second)))
    assert found == {"idna": "3", "attrs": "2", "wheel": "2"}


def test_a_package_in_two_places_is_listed_with_both(tmp_path: Path) -> None:
    places = ("opt/a", "opt/b")
    layer = {f"{place}/six-1.17.dist-info/METADATA": metadata("six", "1.17") for place in places}
    found = document(write_image(tmp_path, layer))["components"]
    assert [each["evidence"]["occurrences"][0]["location"] for each in found] == [
        f"/{place}/six-1.17.dist-info/METADATA" for place in places
    ]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("License-Expression: MIT OR Apache-2.0", [{"expression": "MIT OR Apache-2.0"}]),
        ("License: BSD-3-Clause", [{"license": {"id": "BSD-3-Clause"}}]),
        ("License: Apache Software License", [{"license": {"name": "Apache Software License"}}]),
        ("License: UNKNOWN", []),
        ("License: A licence's text\n        of many lines", []),
    ],
)
def test_a_licence_is_what_the_package_states(stated: str, expected: list[Any], tmp_path: Path) -> None:
    layer = {"opt/x-1.dist-info/METADATA": metadata("x", "1", stated)}
    (component,) = document(write_image(tmp_path, layer))["components"]
    assert component.get("licenses", []) == expected


def test_a_python_compiled_into_the_base_image_is_listed(tmp_path: Path) -> None:
    bom = document(write_image(tmp_path, BASE, config={"Env": ["PYTHON_VERSION=3.13.15"]}))
    assert versions(bom)["python"] == "3.13.15"


def test_the_same_image_gives_the_same_document(tmp_path: Path) -> None:
    archive = write_image(tmp_path, BASE)
    first, second = (write_document("heartops/test", "0.1.0", read_image(archive)) for _ in range(2))
    assert first == second
    assert json.loads(first)["metadata"]["component"]["name"] == "heartops/test"
