"""Scan the images for known vulnerabilities: `python -m hack.scan` builds the images, or takes them from the cache.

Fails on pending security updates of Debian packages and on advisories about Python packages, except for those that
hack/scan/accepted.toml names with a reason and a last day. `--archive FILE NAME` reads an archive of `docker save`.
"""

import argparse
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from hack.sbom.chosen import parse_options, read_images
from hack.sbom.imagefiles import ImageFiles
from hack.scan.debian import DebianScan
from hack.scan.findings import Accepted, Finding, ScanFailed, Verdict, judge, parse_accepted
from hack.scan.python import Pin, scan_python

ACCEPTED = Path(__file__).with_name("accepted.toml")
FAILED, NOT_MADE = 1, 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hack.scan", description="Scan the images for vulnerabilities.")
    parser.add_argument("--strict", action="store_true", help="fail also if a package could not be asked about")
    options = parse_options(parser)
    images = read_images(options)
    try:
        python = scan_python(images)
        verdict = judge([*python.findings, *scan_debian(images)], read_accepted(), datetime.now(UTC).date())
    except ScanFailed as error:
        print(f"The scan could not be made: {error}", file=sys.stderr)
        return NOT_MADE
    report(verdict, python.unknown)
    return FAILED if verdict.open or (options.strict and python.unknown) else 0


def scan_debian(images: Mapping[str, ImageFiles]) -> list[Finding]:
    """Raises ScanFailed."""
    with tempfile.TemporaryDirectory() as scratch:
        scan = DebianScan(Path(scratch))
        return [finding for name, image in images.items() for finding in scan.scan(name, image)]


def read_accepted() -> tuple[Accepted, ...]:
    """Raises ScanFailed for a list that cannot be read."""
    try:
        return parse_accepted(tomllib.loads(ACCEPTED.read_text()))
    except ValueError as error:
        raise ScanFailed(str(error)) from None


def report(verdict: Verdict, unknown: tuple[Pin, ...]) -> None:
    """One line for each finding, and what to do at the end."""
    for finding, entry in verdict.accepted:
        print(f"accepted until {entry.until}  {finding}: {entry.reason}")
    for entry in verdict.stale:
        print(f"not needed any more: {entry.package} {entry.id} in {ACCEPTED.name}")
    if unknown:
        names = ", ".join(f"{name} {version}" for name, version in unknown)
        print(f"NOT CHECKED, as PyPI has no page of the version here: {names}")
    for finding in verdict.open:
        print(f"FOUND  {finding}")
    if verdict.open:
        print(f"findings: {len(verdict.open)}. Raise the version (lock, base image), or accept each in {ACCEPTED.name}")
    else:
        print("no finding that is not accepted")


if __name__ == "__main__":
    sys.exit(main())
