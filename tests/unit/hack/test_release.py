"""A release is made of one version, and of images that nobody can exchange."""

import shutil
from pathlib import Path

import pytest
import yaml

from hack.release import ROOT, NotReleasable, check, described, image_references, notes, pin, read_pins, stated_versions

VALUES = (ROOT / "charts/heartops/values.yaml").read_text()
IMAGES = tuple(yaml.safe_load(VALUES)["images"])
PINS = {name: f"ghcr.io/someone/heartops/{name}:1.2.3@sha256:{'0' * 64}" for name in IMAGES}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what states the version, at 1.2.3."""
    for name in ("pyproject.toml", "charts/heartops/Chart.yaml", "charts/heartops/values.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / name).read_text()
        (tmp_path / name).write_text(text.replace(stated_versions(ROOT)["pyproject.toml"], "1.2.3"))
    shutil.copy(ROOT / "CHANGELOG.md", tmp_path)
    text = (tmp_path / "CHANGELOG.md").read_text()
    later = "## [Unreleased]\n\n## [1.2.3] - 2026-12-01\n\nWhat is new.\n\n## [1.2.2] - 2026-11-01\n\n"
    (tmp_path / "CHANGELOG.md").write_text(text.replace("## [Unreleased]\n", later, 1))
    return tmp_path


def test_the_tree_states_one_version() -> None:
    assert len(set(stated_versions(ROOT).values())) == 1


def test_a_tag_of_that_version_is_releasable(tree: Path) -> None:
    check("v1.2.3", tree)


@pytest.mark.parametrize(
    ("file", "before", "after", "named"),
    [
        ("pyproject.toml", 'version = "1.2.3"', 'version = "1.2.2"', "pyproject.toml states 1.2.2"),
        ("charts/heartops/Chart.yaml", "appVersion: 1.2.3", "appVersion: 1.2.2", "appVersion states 1.2.2"),
        ("charts/heartops/values.yaml", "trainer:1.2.3", "trainer:1.2.2", "images.trainer states 1.2.2"),
        ("CHANGELOG.md", "## [1.2.3]", "## [1.2.4]", "no section [1.2.3]"),
    ],
)
def test_a_place_that_was_forgotten_is_named(tree: Path, file: str, before: str, after: str, named: str) -> None:
    (tree / file).write_text((tree / file).read_text().replace(before, after))
    with pytest.raises(NotReleasable) as raised:
        check("v1.2.3", tree)
    assert named in str(raised.value)


def test_the_chart_gets_every_image_by_digest_and_nothing_else_changes() -> None:
    pinned = pin(VALUES, PINS)
    before, after = yaml.safe_load(VALUES), yaml.safe_load(pinned)
    assert after["images"] == PINS
    assert {**after, "images": before["images"]} == before
    assert len(pinned.splitlines()) == len(VALUES.splitlines())


def test_artifact_hub_shows_the_released_images_and_where_they_come_from() -> None:
    source = "https://git.example.org/someone/heartops"
    chart = yaml.safe_load(described((ROOT / "charts/heartops/Chart.yaml").read_text(), PINS, source))
    images = yaml.safe_load(chart["annotations"]["artifacthub.io/images"])
    assert {image["name"]: image["image"] for image in images} == PINS
    assert (chart["home"], chart["sources"]) == (source, [source])
    links = yaml.safe_load(chart["annotations"]["artifacthub.io/links"])
    assert all((ROOT / link["url"].removeprefix(f"{source}/blob/main/")).is_file() for link in links)


def test_an_image_that_was_not_pushed_stops_the_release() -> None:
    with pytest.raises(NotReleasable, match="serving"):
        pin(VALUES, {name: each for name, each in PINS.items() if name != "serving"})


@pytest.mark.parametrize("reference", ["ghcr.io/x/operator:1", "ghcr.io/x/operator@sha256:1", ""])
def test_a_reference_without_a_digest_stops_the_release(reference: str, tmp_path: Path) -> None:
    (tmp_path / "operator").write_text(reference)
    with pytest.raises(NotReleasable, match="operator"):
        read_pins(tmp_path)


def test_the_notes_are_the_changelogs_section_and_the_digests(tree: Path) -> None:
    text = notes("1.2.3", PINS, tree)
    assert text.startswith("What is new.")
    assert "2026-11-01" not in text
    assert all(each in text for each in PINS.values())


def test_only_the_images_of_the_chart_are_read() -> None:
    assert tuple(image_references(VALUES)) == IMAGES
