"""What is installed in an image: Debian packages, Python packages, and a Python that Debian does not know."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

from packageurl import PackageURL

from hack.sbom.imagefiles import ImageFiles

SOURCE = re.compile(r"(?P<name>\S+)(?: \((?P<version>[^)]+)\))?")


@dataclass(frozen=True, order=True)
class Package:
    """A package with its address (purl), the file that names it, and its licence as its author states it."""

    name: str
    version: str
    purl: str
    location: str
    license: str = ""


@dataclass(frozen=True)
class Release:
    """The Debian release, as os-release states it: `debian`, `13`."""

    id: str
    version: str


def read_release(files: dict[str, bytes]) -> Release | None:
    """The image's operating system, or None for an image without one."""
    text = files.get("usr/lib/os-release", files.get("etc/os-release", b"")).decode()
    values = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return Release(values["ID"], values.get("VERSION_ID", "")) if "ID" in values else None


def read_packages(image: ImageFiles) -> list[Package]:
    """Every installed package once for each place where it is installed, sorted by name."""
    release = read_release(image.files)
    found = {*_python_runtime(image)}
    for path, content in image.files.items():
        text = content.decode(errors="replace")
        if path.startswith("var/lib/dpkg/"):
            found.update(_debian_packages(path, text, release))
        elif path.endswith(("METADATA", "PKG-INFO", ".egg-info")):
            found.update(_python_packages(path, text))
    return sorted(found)


def _debian_packages(path: str, text: str, release: Release | None) -> Iterator[Package]:
    """The installed ones of a dpkg status file; security trackers know a package by its source."""
    for paragraph in re.split(r"\n\s*\n", text):
        fields = _fields(paragraph)
        name, version = fields.get("Package"), fields.get("Version")
        if name and version and "installed" in fields.get("Status", "installed").split():
            source = SOURCE.fullmatch(fields.get("Source", name))
            upstream = f"{source['name']}@{source['version']}" if source and source["version"] else ""
            qualifiers = {
                "arch": fields.get("Architecture", ""),
                "upstream": upstream or (source["name"] if source and source["name"] != name else ""),
                "distro": f"{release.id}-{release.version}" if release else "",
            }
            address = PackageURL("deb", release.id if release else "debian", name, version, qualifiers)
            yield Package(name, version, address.to_string(), path)


def _python_packages(path: str, text: str) -> Iterator[Package]:
    fields = _fields(text)
    name, version = fields.get("Name"), fields.get("Version")
    if name and version:
        stated = fields.get("License-Expression") or fields.get("License", "")
        license_ = "" if "\n" in stated or stated == "UNKNOWN" else stated
        yield Package(name, version, PackageURL("pypi", None, name, version).to_string(), path, license_)


def _python_runtime(image: ImageFiles) -> Iterator[Package]:
    """The official Python images compile Python and name its version in the environment."""
    for setting in (image.config.get("config") or {}).get("Env") or []:
        name, _, version = setting.partition("=")
        if name == "PYTHON_VERSION":
            address = PackageURL("generic", None, "python", version).to_string()
            yield Package("python", version, address, "usr/local/bin/python3", "PSF-2.0")


def _fields(text: str) -> Message:
    return HeaderParser().parsestr(text.lstrip("\n"))
