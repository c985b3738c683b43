"""A manifest on a laptop is judged as by the API server, which says the same in tests/api/test_crd.py."""

from pathlib import Path

import pytest
import yaml

from heart_api.quantities import amount
from heart_trainer.__main__ import main
from heart_trainer.manifest import BadManifest, read_manifest
from heart_trainer.validation.resource import complaints
from heart_trainer.validation.rules import holds
from tests.support.plan.changes import changed
from tests.support.specs import BAD, GOOD, SMALLEST

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD)
def test_accepts(changes: dict[str, object], tmp_path: Path) -> None:
    resource = changed(changes, SMALLEST)
    assert complaints(resource) == []
    path = tmp_path / "model.yaml"
    path.write_text(yaml.safe_dump(resource))
    assert read_manifest(path, "t").name == resource["metadata"]["name"]


@pytest.mark.parametrize("name", BAD)
def test_rejects_with_one_line_that_names_the_field(name: str, tmp_path: Path) -> None:
    changes, field = BAD[name]
    path = tmp_path / "model.yaml"
    path.write_text(yaml.safe_dump(changed(changes, SMALLEST)))
    with pytest.raises(BadManifest) as caught:
        read_manifest(path, "t")
    assert field in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


FEDERATED = ROOT / "examples/health-risk/heartmodel.yaml"
EXAMPLES = sorted(set(ROOT.glob("examples/*/heartmodel.yaml")) - {FEDERATED})


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_accepts_the_examples(path: Path) -> None:
    assert read_manifest(path, "t")


def test_a_model_whose_data_are_at_sites_is_for_a_cluster() -> None:
    with pytest.raises(BadManifest, match=r"spec\.federation: its data are at the sites"):
        read_manifest(FEDERATED, "t")


def write(tmp_path: Path, feature: str, target: str = "{name: ill}", dataset: str = "{uri: 'builtin://iris'}") -> Path:
    path = tmp_path / "model.yaml"
    path.write_text(f"""
apiVersion: heartops.dev/v1alpha1
kind: HeartModel
metadata: {{name: m}}
spec:
  dataset: {dataset}
  target: {target}
  features:
    - {feature}
""")
    return path


def said(path: Path) -> list[str]:
    with pytest.raises(BadManifest) as caught:
        read_manifest(path, "t")
    return str(caught.value).splitlines()[1:]


@pytest.mark.parametrize(
    "values",
    ["[no, yes]", "[on, off]", "[No, YES, x]", "[true, false]", "[1.5, 2.5]", "[~, a]", "[Y, N]", "[y, n]"],
)
def test_values_that_yaml_changed_are_one_line_that_says_quote_it(tmp_path: Path, values: str) -> None:
    (line,) = said(write(tmp_path, f"{{name: smoker, type: category, values: {values}}}"))
    assert line.startswith("  spec.features[0].values[")
    assert "quote it" in line


@pytest.mark.parametrize("target", ["labels: [no, yes]", "labels: [0, 1]", "labels: {0: no, 1: yes}", "positive: 1.5"])
def test_labels_that_yaml_changed_are_one_line_that_says_quote_it(tmp_path: Path, target: str) -> None:
    (line,) = said(write(tmp_path, "{name: a, type: number}", target=f"{{name: ill, {target}}}"))
    assert line.startswith(f"  spec.target.{target.split(':', maxsplit=1)[0]}")
    assert "quote it" in line


def test_names_of_codes_that_yaml_changed(tmp_path: Path) -> None:
    (line,) = said(write(tmp_path, "{name: a, type: category, values: [0, 1], codes: {no: 0, yes: 1}}"))
    assert 'quote "yes" and "no"' in line


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("{name: a, type: number, missingValues: [NA, ?, x]}", "quote it"),
        ("{name: a, type: category, values: [1, '1']}", "1 is there as a number and as text"),
        ("{name: a, type: number, minimum: -.inf}", "must be a finite number"),
        ("{name: a, type: number, maximum: 1e400}", "must be a finite number"),
    ],
)
def test_what_has_no_meaning_in_json_is_one_line(tmp_path: Path, feature: str, words: str) -> None:
    (line,) = said(write(tmp_path, feature))
    assert words in line


@pytest.mark.parametrize("separator", ["tab", "'\\t'", "'||'"])
def test_a_separator_of_several_letters_says_how_a_tab_is_written(tmp_path: Path, separator: str) -> None:
    dataset = f"{{uri: 'builtin://iris', csv: {{separator: {separator}}}}}"
    (line,) = said(write(tmp_path, "{name: a, type: number}", dataset=dataset))
    assert r'a tab is "\t" in double quotes' in line


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("positive: ''", "at least 1 chars"),
        (f"positive: {'x' * 64}", "Too long"),
        (f"labels: [a, {'x' * 64}]", "Too long"),
        (f"labels: [{', '.join(f'c{n}' for n in range(65))}]", "Too many: 65"),
    ],
)
def test_untyped_fields_have_the_bounds_of_their_types(tmp_path: Path, target: str, words: str) -> None:
    (line,) = said(write(tmp_path, "{name: a, type: number}", target=f"{{name: ill, {target}}}"))
    assert words in line


def test_merge_keys_are_read_as_by_kubectl(tmp_path: Path) -> None:
    path = write(tmp_path, "&one {name: a, type: number, minimum: 0}\n    - {<<: *one, name: b}")
    first, second = read_manifest(path, "t").features
    assert (first.name, second.name, second.minimum) == ("a", "b", 0)


def test_labels_of_another_form(tmp_path: Path) -> None:
    for labels, complaint in (("ill", "write a list of names"), ("{0: well}", "at least 2 items")):
        (line,) = said(write(tmp_path, "{name: a, type: number}", target=f"{{name: ill, labels: {labels}}}"))
        assert complaint in line


def test_missing_values_that_yaml_changed(tmp_path: Path) -> None:
    (line,) = said(write(tmp_path, "{name: a, type: number, missingValues: [no, off]}"))
    assert "spec.features[0].missingValues[0]" in line
    assert "quote it" in line


def test_whole_numbers_are_numbers_however_they_are_written(tmp_path: Path) -> None:
    feature = "{name: a, type: category, values: [1.0, 2.0], missingValues: [-9, -99.0, '?']}"
    request = read_manifest(write(tmp_path, feature, dataset="{uri: 'builtin://iris', missingValues: [-1]}"), "t")
    assert request.features[0].values == (1, 2)
    assert request.features[0].missing_values == ("-9", "-99", "?")
    assert request.dataset.missing_values == ("-1",)


def test_dates_are_text_as_for_kubectl(tmp_path: Path) -> None:
    feature = "{name: a, type: category, values: [2020-01-01, 2021-01-01]}"
    assert read_manifest(write(tmp_path, feature), "t").features[0].values == ("2020-01-01", "2021-01-01")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("[1:30, 2:30]", ("1:30", "2:30")),
        ("[1e3, 2]", (1000, 2)),
        ("[010, 0o17]", (8, 15)),
        ("[0xF, 1_0]", (15, 10)),
    ],
)
def test_plain_words_are_read_as_by_kubectl(tmp_path: Path, written: str, read: tuple[int | str, ...]) -> None:
    path = write(tmp_path, f"{{name: a, type: category, values: {written}}}")
    assert read_manifest(path, "t").features[0].values == read


def test_a_key_that_is_given_twice_is_a_mistake(tmp_path: Path) -> None:
    path = write(tmp_path, "{name: a, type: number, minimum: 1, minimum: 2}")
    with pytest.raises(BadManifest, match="line 9: minimum is given twice"):
        read_manifest(path, "t")


def test_every_mistake_has_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "{name: a b, type: text, minimum: low}", target="{name: 5}")
    lines = said(path)
    assert [line.split(":")[0].strip() for line in lines] == [
        "spec.target.name",
        "spec.features[0].name",
        "spec.features[0].type",
        "spec.features[0].minimum",
    ]


def test_it_ends_with_the_exit_code_of_what_no_retry_mends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(yaml.safe_dump(changed(BAD["a feature twice"][0], SMALLEST)))
    assert main([str(path)]) == 2
    printed = capsys.readouterr().err
    assert 'spec.features[2]: Duplicate value: {"name":"age"}' in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(("left", "right"), [("1", "1000m"), ("2Gi", "2000Mi"), ("0.5", "400m"), ("1k", "1Ki")])
def test_quantities_in_rules_are_those_of_kubernetes(left: str, right: str) -> None:
    rule = "quantity(string(self.left)).compareTo(quantity(string(self.right))) <= 0"
    assert holds(rule, {"left": left, "right": right}) == (amount(left) <= amount(right))
