"""Runtime profiles: what an administrator writes, and what happens when it is wrong."""

from pathlib import Path

import pytest

from heart_operator.profiles import ProfilesError, ProfilesFile, parse_profiles

GOOD = "default: {images: {trainer: t:1, serving: s:1}, trackingUri: http://mlflow:5000}\n"


def test_profiles_are_read_by_name() -> None:
    assert parse_profiles(GOOD, "file")["default"].images.trainer == "t:1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not YAML"),
        ("", "must map names"),
        ("- a", "must map names"),
        ("default: {images: {trainer: t}, trackingUri: u}", "images.serving"),
        ("default: {images: {trainer: t, serving: s}, trackingUri: u, imagePulPolicy: Never}", "imagePulPolicy"),
        ("other: 7", "profile other"),
    ],
)
def test_a_bad_file_names_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ProfilesError, match=said):
        parse_profiles(text, "/etc/heartops/profiles.yaml")


def test_a_missing_file_says_which_variable_to_set(tmp_path: Path) -> None:
    with pytest.raises(ProfilesError, match="HEARTOPS_PROFILES"):
        ProfilesFile(tmp_path / "absent.yaml")


def test_a_changed_file_comes_into_force(tmp_path: Path) -> None:
    path = tmp_path / "profiles.yaml"
    path.write_text(GOOD)
    profiles = ProfilesFile(path)
    assert not profiles.refresh()
    path.write_text(GOOD.replace("t:1", "t:2"))
    assert profiles.refresh()
    assert profiles.current["default"].images.trainer == "t:2"


def test_a_file_that_turned_bad_leaves_the_former_profiles_in_force(tmp_path: Path) -> None:
    path = tmp_path / "profiles.yaml"
    path.write_text(GOOD)
    profiles = ProfilesFile(path)
    path.write_text("default: {}")
    assert not profiles.refresh()
    path.unlink()
    assert not profiles.refresh()
    assert profiles.current["default"].images.trainer == "t:1"
    path.write_text(GOOD.replace("t:1", "t:3"))
    assert profiles.refresh()


def with_trainers(entries: str) -> str:
    return GOOD.replace("}\n", f", trainers: {{{entries}}}}}\n")


def test_trainers_are_approved_by_name_with_their_bounds() -> None:
    entries = "lightgbm: {image: 'l:1', caps: {memory: 2Gi}}, r: {image: 'r:1', command: [Rscript, a.R]}"
    found = parse_profiles(with_trainers(entries), "profiles.yaml")["default"].trainers
    assert found["lightgbm"].command == ("/trainer",)
    assert (found["lightgbm"].caps.memory, found["r"].command) == ("2Gi", ("Rscript", "a.R"))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("Light_GBM: {image: 'l:1'}", "trainers.Light_GBM"),
        ("l: {}", "trainers.l.image"),
        ("l: {image: 'l:1', command: []}", "trainers.l.command"),
    ],
)
def test_a_trainer_without_an_image_or_a_name_is_rejected(entry: str, said: str) -> None:
    with pytest.raises(ProfilesError, match=said):
        parse_profiles(with_trainers(entry), "profiles.yaml")
