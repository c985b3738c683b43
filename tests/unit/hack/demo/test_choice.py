"""Which cluster, which data, and what is said while one waits."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hack.cluster.report import Problem
from hack.demo.choice import Kind, Machine, choose
from hack.demo.clusters import start
from hack.demo.data import CONFIG_MAP, KEY, SYNTHETIC, check_file, choose_source, expected_digest, public_uri
from hack.demo.install import last_line
from hack.demo.summary import answers, describe, figures, reading

ROOT = Path(__file__).resolve().parents[4]
BARE = Machine(
    kubeconfig=None,
    kubeconfig_exists=False,
    docker=False,
    kind=False,
    linux=True,
    root=True,
    go=True,
    built=False,
    free_gib=100,
)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, Kind.OWN),
        ({"docker": True, "kind": True}, Kind.KIND),
        ({"docker": True, "kind": True, "root": False, "go": False}, Kind.KIND),
        ({"kubeconfig": Path("k"), "kubeconfig_exists": True, "docker": True, "kind": True}, Kind.USER),
        ({"built": True, "go": False, "free_gib": 9}, Kind.OWN),
    ],
)
def test_the_users_cluster_comes_first_then_kind_then_our_own(changes: dict[str, Any], kind: Kind) -> None:
    assert choose(replace(BARE, **changes)) is kind


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kubeconfig": Path("/no/file")}, "KUBECONFIG names /no/file"),
        ({"docker": True}, "kind is missing"),
        ({"linux": False}, "needs Linux"),
        ({"root": False}, "needs root"),
        ({"go": False}, "Go is missing"),
        ({"free_gib": 5}, "GiB free"),
        ({"built": True, "free_gib": 1}, "GiB free"),
    ],
)
def test_a_missing_precondition_is_one_sentence_with_the_way_out(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Problem, match=words) as found:
        choose(replace(BARE, **changes))
    assert "\n" not in str(found.value)
    assert re.search(r"install|correct|run|free some|name a cluster", str(found.value))


def test_removing_needs_neither_go_nor_space() -> None:
    assert choose(replace(BARE, go=False, free_gib=0), to_remove=True) is Kind.OWN


def test_the_users_file_wins_and_goes_into_a_config_map() -> None:
    source = choose_source(Path("mine.data"), True, Kind.OWN, Path("fetched"))
    assert (source.uri, source.file) == (f"configmap://{CONFIG_MAP}/{KEY}", Path("mine.data"))
    assert not source.synthetic


def test_pods_of_another_cluster_fetch_the_public_file_themselves() -> None:
    source = choose_source(None, True, Kind.KIND, Path("fetched"))
    assert (source.uri, source.file) == (public_uri(), None)


def test_our_own_cluster_cannot_reach_the_web_and_is_handed_a_copy() -> None:
    source = choose_source(None, True, Kind.OWN, Path("fetched"))
    assert (source.uri, source.file) == (f"configmap://{CONFIG_MAP}/{KEY}", Path("fetched"))


@pytest.mark.parametrize("kind", Kind)
def test_without_file_and_web_the_data_are_synthetic_and_called_so(kind: Kind) -> None:
    source = choose_source(None, False, kind, Path("fetched"))
    assert source.uri == SYNTHETIC
    assert "SYNTHETIC" in source.description
    declared = source.dataset()
    assert declared["sha256"] is None
    assert declared["missingValues"] is None, "declared in vain it would be a finding"


def test_address_and_digest_are_those_of_the_example() -> None:
    text = (ROOT / "examples/heart-disease/heartmodel.yaml").read_text()
    assert f"uri: {public_uri()}\n" in text
    assert f"sha256: {expected_digest()}\n" in text
    assert public_uri().endswith(KEY)


def test_another_file_than_the_examples_is_rejected_at_once(tmp_path: Path) -> None:
    path = tmp_path / "other.data"
    path.write_text("63,1,1\n")
    with pytest.raises(Problem, match="SHA-256"):
        check_file(path)
    with pytest.raises(Problem, match="not a file"):
        check_file(tmp_path / "nothing")


def gate(message: str) -> dict[str, Any]:
    """A model whose gate says this."""
    return {"status": {"conditions": [{"type": "GatePassed", "message": message}]}}


def test_predictions_are_read_in_the_order_of_the_patients() -> None:
    body = {
        "predictions": [{"label": "disease", "probability": 0.912}, {"label": "no disease", "probability": 0.1}],
        "model_version": "1",
    }
    read = [reading(each) for each in answers(body)]
    assert read == [
        "disease; probability of disease 0.91 (version 1)",
        "no disease; probability of disease 0.10 (version 1)",
    ]
    patient = {"age": 57, "sex": 1, "trestbps": 138, "chol": 251, "thal": None}
    assert describe(patient).rstrip() == "man of 57, pressure 138, cholesterol 251, no scan"


def test_figures_are_one_line_for_each_check() -> None:
    found = gate("Version 1: roc_auc 0.91 ≥ 0.80 (n=303); brier 0.12 ≤ 0.16")
    assert figures(found) == ["roc_auc 0.91 ≥ 0.80 (n=303)", "brier 0.12 ≤ 0.16"]


def test_no_cluster_is_made_without_the_tools_to_use_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kind` would be called, and here it is not there: that would be another error."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(Problem, match="`kubectl` was not found: install it"):
        start(Kind.KIND)


def test_of_a_crash_the_last_line_that_says_something_is_told() -> None:
    log = "Traceback\nOperationalError: could not translate host name\n\n(Background on this error at: https://x/y)\n"
    assert last_line(log) == "OperationalError: could not translate host name"
    assert last_line("\n") == ""


def test_the_demo_runs_before_any_package_is_installed() -> None:
    code = "import sys; sys.argv = ['demo', '--help']; import runpy; runpy.run_module('hack.demo', run_name='__main__')"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "up" in done.stdout
