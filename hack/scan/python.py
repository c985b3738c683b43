"""Known advisories about the images' Python packages, from PyPI itself (the data of pip-audit's service `pypi`).

PyPI's page of a version lists them. A mirror may hold the page of the newest version only: other versions are reported
as unknown then.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pip._internal.models.index import PyPI  # the address that pip asks by default

from hack.sbom.imagefiles import ImageFiles
from hack.sbom.inventory import read_packages
from hack.scan.findings import Finding, ScanFailed

DEBIANS = "usr/lib/python3/dist-packages/"
"""Python packages that Debian packaged, with Debian's own fixes: the Debian scan has them."""
AT_ONCE, SECONDS = 8, 30
Pin = tuple[str, str]
"""Name and version."""
Pages = Mapping[Pin, Mapping[str, Any] | None]
"""What PyPI says about each; None where it has no page."""


@dataclass(frozen=True)
class PythonScan:
    findings: tuple[Finding, ...]
    unknown: tuple[Pin, ...]
    """Packages that PyPI was asked about in vain."""


def pins_of(image: ImageFiles) -> set[Pin]:
    """Python packages that came from PyPI, and are not a vendored copy inside another."""
    return {
        (package.name.lower().replace("_", "-").replace(".", "-"), package.version)
        for package in read_packages(image)
        if package.purl.startswith("pkg:pypi/")
        and not package.location.startswith(DEBIANS)
        and "/_vendor/" not in package.location
    }


def scan_python(images: Mapping[str, ImageFiles]) -> PythonScan:
    """Ask once about each version that any of the images holds. Raises ScanFailed."""
    held = {name: pins_of(image) for name, image in images.items()}
    wanted = sorted(set().union(*held.values()))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        pages = dict(zip(wanted, pool.map(ask, wanted), strict=True))
    return read_pages(pages, held)


def ask(pin: Pin) -> Mapping[str, Any] | None:
    """PyPI's page of the version, or of the project if that is about this very version; None if there is neither."""
    name, version = pin
    page = _fetch(f"{PyPI.pypi_url}/{name}/{version}/json") or _fetch(f"{PyPI.pypi_url}/{name}/json")
    return page if page and page["info"]["version"] == version else None


def _fetch(address: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:  # pip's own https address
            page: dict[str, Any] = json.load(answer)
            return page
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise ScanFailed(f"PyPI answered {error.code}") from None
    except (OSError, ValueError) as error:
        raise ScanFailed(f"PyPI cannot be asked: {error}") from None


def read_pages(pages: Pages, held: Mapping[str, Iterable[Pin]]) -> PythonScan:
    """One finding for each advisory that was not withdrawn, and each image that holds the version."""
    found = [
        Finding(image, *pin, advisory["id"], ", ".join(advisory.get("fixed_in") or ()))
        for image, pins in held.items()
        for pin in pins
        for advisory in _standing(pages[pin])
    ]
    return PythonScan(tuple(sorted(found)), tuple(sorted(pin for pin, page in pages.items() if page is None)))


def _standing(page: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """One entry for each vulnerability: the same one may be known under several names."""
    seen: set[str] = set()
    for advisory in (page or {}).get("vulnerabilities", ()):
        names = {advisory["id"], *advisory.get("aliases", ())}
        if not advisory.get("withdrawn") and not seen & names:
            yield advisory
        seen |= names
