"""The demo's data: the user's file, the public file, else a synthetic cohort."""

import hashlib
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hack.cluster.paths import cache_dir
from hack.cluster.report import Problem, say
from hack.demo.choice import Kind
from hack.demo.place import EXAMPLE

CONFIG_MAP, KEY = "heart-data", "processed.cleveland.data"
SYNTHETIC = "builtin://heart-synthetic"
LARGEST = 900_000
"""Bytes; a ConfigMap holds at most 1 MiB."""


@dataclass(frozen=True)
class Source:
    """What the example's dataset becomes."""

    uri: str
    file: Path | None
    """Its bytes go into the ConfigMap."""
    synthetic: bool
    description: str

    def dataset(self) -> dict[str, Any]:
        """Changes to the example's `spec.dataset`; None removes a field.

        Synthetic data has no digest and no missing values: one that is declared in vain would be a finding.
        """
        return {"uri": self.uri} | ({"sha256": None, "missingValues": None} if self.synthetic else {})


def public_uri() -> str:
    """The address that the example names."""
    return _in_manifest(r"^    uri: (\S+)$")


def expected_digest() -> str:
    """The SHA-256 (hex) that the example names."""
    return _in_manifest(r"^    sha256: ([0-9a-f]{64})$")


def check_file(path: Path) -> None:
    """Problem unless it is the very file that the example is written for."""
    if not path.is_file():
        raise Problem(f"DATA names {path}, which is not a file: give the path of a copy of {KEY}.")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != expected_digest():
        raise Problem(
            f"{path} has SHA-256 {found}, but the example's contract is for {expected_digest()}: "
            f"give an unchanged copy of {KEY}."
        )
    if len(content) > LARGEST:
        raise Problem(f"{path} is too large for a ConfigMap.")


def choose_source(given: Path | None, reachable: bool, kind: Kind, fetched: Path) -> Source:
    """The user's file; else the public one (our own cluster cannot reach it and gets a copy); else synthetic."""
    copied = f"configmap://{CONFIG_MAP}/{KEY}"
    if given:
        return Source(copied, given, False, f"the UCI Cleveland file, from {given}")
    if reachable and kind is Kind.OWN:
        return Source(copied, fetched, False, f"the UCI Cleveland file, fetched from {public_uri()}")
    if reachable:
        return Source(public_uri(), None, False, f"the UCI Cleveland file, from {public_uri()}")
    return Source(SYNTHETIC, None, True, "a SYNTHETIC cohort: no real patients, and no statement about real hearts")


def find_source(given: Path | None, kind: Kind) -> Source:
    """The given file; else the public one where it can be reached."""
    fetched = cache_dir() / "data" / KEY
    reachable = given is None and _fetch(fetched)
    source = choose_source(given, reachable, kind, fetched)
    if source.synthetic:
        say(f"{public_uri()} cannot be reached from here, and no file was given (make demo DATA=FILE)")
    say(f"training on {source.description}")
    return source


def _fetch(target: Path) -> bool:
    """Whether a copy with the right digest is there, or could be fetched."""
    if target.exists() and hashlib.sha256(target.read_bytes()).hexdigest() == expected_digest():
        return True
    try:
        with urllib.request.urlopen(public_uri(), timeout=8) as answer:  # the https address of our own example
            content = answer.read(LARGEST)
    except (urllib.error.URLError, TimeoutError, OSError):
        return False
    if hashlib.sha256(content).hexdigest() != expected_digest():
        say("the file at the public address has changed: it is not used")
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return True


def _in_manifest(pattern: str) -> str:
    """The example is ours: a line of it is found without a YAML reader, which a bare Python does not have."""
    found = re.search(pattern, (EXAMPLE / "heartmodel.yaml").read_text(), re.M)
    assert found, f"examples/heart-disease/heartmodel.yaml has no line like {pattern}"
    return found[1]
