"""The scan of the images: what is a finding, and what a person may accept. Answers of apt and PyPI are written down."""

from datetime import date
from typing import Any

import pytest

from hack.sbom.imagefiles import ImageFiles
from hack.scan import python
from hack.scan.debian import keyring_of, read_upgrades, source_lines
from hack.scan.findings import Finding, ScanFailed, judge, parse_accepted
from hack.scan.python import ask, pins_of, read_pages

TODAY = date(2026, 11, 30)
FINDING = Finding("serving", "jinja2", "3.1.2", "PYSEC-1", "3.1.3")
UPGRADABLE = """\
Listing...
libc6/stable-security 2.41-13 amd64 [upgradable from: 2.41-12]
openssl/stable,stable-security 3.5.9-1 amd64 [upgradable from: 3.5.1-1]
tzdata/stable 2026b-0 all [upgradable from: 2026a-0]
"""


def entry(**changes: Any) -> dict[str, Any]:
    return {"package": "jinja2", "id": "PYSEC-1", "reason": "no template of others", "until": TODAY} | changes


def image(**files: str) -> ImageFiles:
    return ImageFiles({}, {name: text.encode() for name, text in files.items()})


def test_a_finding_fails_the_scan_unless_it_was_accepted() -> None:
    assert judge([FINDING], (), TODAY).open == (FINDING,)
    verdict = judge([FINDING], parse_accepted({"accepted": [entry()]}), TODAY)
    assert verdict.open == ()
    assert [(str(found), accepted.reason) for found, accepted in verdict.accepted] == [
        ("serving: jinja2 3.1.2: PYSEC-1 (fixed in 3.1.3)", "no template of others")
    ]


@pytest.mark.parametrize("changes", [{"until": date(2026, 11, 29)}, {"id": "PYSEC-2"}, {"package": "markupsafe"}])
def test_an_entry_covers_its_own_finding_until_its_day(changes: dict[str, Any]) -> None:
    verdict = judge([FINDING], parse_accepted({"accepted": [entry(**changes)]}), TODAY)
    assert verdict.open == (FINDING,)
    assert len(verdict.stale) == 1, "it can go"


@pytest.mark.parametrize("changes", [{"reason": " "}, {"until": "2026-12-01"}, {"severity": "low"}])
def test_an_entry_needs_a_reason_and_a_day(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"accepted\.toml"):
        parse_accepted({"accepted": [entry(**changes)]})


def test_updates_of_debians_release_and_of_its_security_archive_are_findings() -> None:
    found = {each.package: (each.id, each.installed, each.fixed) for each in read_upgrades("postgres", UPGRADABLE)}
    assert found == {
        "libc6": ("stable-security", "2.41-12", "2.41-13"),
        "openssl": ("stable-security", "3.5.1-1", "3.5.9-1"),
        "tzdata": ("stable", "2026a-0", "2026b-0"),
    }


def test_package_lists_are_verified_with_the_images_own_keyring() -> None:
    official = "Types: deb\n# a comment\nURIs: http://deb.example/debian\nSuites: trixie\nSigned-By: /usr/share/x.pgp\n"
    text = source_lines(image(**{"etc/apt/sources.list.d/debian.sources": official}), "/scratch/keyring.gpg")
    assert "Signed-By: /scratch/keyring.gpg" in text
    assert "#" not in text
    assert keyring_of(image(**{"usr/share/keyrings/debian-archive-keyring.pgp": "key"})) == b"key"
    with pytest.raises(ScanFailed, match="keyring"):
        keyring_of(image())


def test_pypi_is_asked_about_what_came_from_it() -> None:
    text = "Metadata-Version: 2.4\nName: {}\nVersion: {}\n"
    found = pins_of(
        image(
            **{
                "opt/dependencies/Jinja2-3.1.2.dist-info/METADATA": text.format("Jinja2", "3.1.2"),
                "usr/lib/python3/dist-packages/pip-25.dist-info/METADATA": text.format("pip", "25"),
                "opt/x/_vendor/wheel-1.dist-info/METADATA": text.format("wheel", "1"),
            }
        )
    )
    assert found == {("jinja2", "3.1.2")}


def test_a_vulnerability_counts_once_whatever_its_names_and_not_when_it_was_withdrawn() -> None:
    known = [
        {"id": "GHSA-1", "aliases": ["CVE-1"], "fixed_in": ["3.1.3"]},
        {"id": "PYSEC-1", "aliases": ["CVE-1", "GHSA-1"], "fixed_in": ["3.1.3"]},
        {"id": "PYSEC-2", "aliases": [], "fixed_in": [], "withdrawn": "2026-01-01T00:00:00Z"},
    ]
    pin, other = ("jinja2", "3.1.2"), ("numpy", "2.3")
    scan = read_pages({pin: {"vulnerabilities": known}, other: None}, {"serving": {pin, other}, "trainer": {pin}})
    assert [(each.image, each.id, each.fixed) for each in scan.findings] == [
        ("serving", "GHSA-1", "3.1.3"),
        ("trainer", "GHSA-1", "3.1.3"),
    ]
    assert scan.unknown == (other,), "no answer is no clean bill"


@pytest.mark.parametrize(("newest", "known"), [("3.1.2", True), ("3.1.6", False)])
def test_the_projects_page_speaks_for_its_newest_version_alone(
    newest: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(address: str) -> dict[str, Any] | None:
        return None if "3.1.2" in address else {"info": {"version": newest}, "vulnerabilities": []}

    monkeypatch.setattr(python, "_fetch", fetch)
    assert (ask(("jinja2", "3.1.2")) is not None) == known
