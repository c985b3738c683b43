"""`kubectl heart new`: what it writes of a file is accepted, reads the file, and asks where a person must decide."""

import gzip
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from heart_cli.cli import cli
from heart_cli.new.infer import contract_name
from heart_table.sentinels import find_sentinels
from heart_trainer.by_hand import Rows, read_rows

ROWS = 120
DRAW = random.Random(7)


def write(folder: Path, text: str, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def new(file: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["new", "heart", "--from", str(file), *options])


def written(file: Path, *options: str) -> str:
    result = new(file, *options)
    assert result.exit_code == 0, result.output
    return result.output


def spec(text: str) -> dict:
    return yaml.safe_load(text)["spec"]


def features(text: str) -> dict[str, dict]:
    return {feature["name"]: feature for feature in spec(text)["features"]}


def rows_of(text: str, file: Path) -> Rows:
    """What the trainer reads by the resource that was written, unchanged."""
    manifest = file.with_suffix(".yaml")
    manifest.write_text(text, encoding="utf-8")
    return read_rows(manifest, file)


def cleveland() -> str:
    """Without a header, codes, `?` for missing, 0 to 4 as target."""
    lines = []
    for n in range(ROWS):
        thal = "?" if n % 30 == 0 else DRAW.choice(["3.0", "6.0", "7.0"])
        lines.append(f"{40 + n % 37}.0,{n % 2}.0,{1 + n % 4}.0,{n / 10},{thal},{n % 5}")
    return "\n".join(lines) + "\n"


def test_a_file_without_header(tmp_path: Path) -> None:
    file = write(tmp_path, cleveland())
    text = written(file, "--target", "6", "--positive", ">0")
    assert spec(text)["target"] == {"name": "column_6", "positiveAbove": 0, "labels": ["negative", "positive"]}
    assert spec(text)["dataset"]["missingValues"] == ["?"]
    found = features(text)
    assert found["column_3"]["values"] == [1, 2, 3, 4]
    assert (found["column_5"]["values"], found["column_5"]["required"]) == ([3, 6, 7], False)
    assert found["column_1"]["type"] == "integer"
    assert found["column_2"]["type"] == "boolean"
    table = rows_of(text, file).table
    assert len(table) == ROWS
    assert table.findings == ()


def test_columns_can_be_named(tmp_path: Path) -> None:
    file = write(tmp_path, cleveland())
    text = written(file, "--columns", "age,sex,cp,oldpeak,thal,num", "--target", "num", "--positive", "> 0")
    found = features(text)
    assert found["age"]["sensitive"]
    assert found["sex"]["sensitive"]
    assert "sensitive" not in found["cp"]
    rows_of(text, file)


def kaggle() -> str:
    lines = ["id,age,sex,cp,chol,thal,note,,target"]
    lines += [
        f"{n},{30 + n % 40},{n % 2},{n % 4},{200 + n},{n % 3},free text {n},,{int(n % 3 == 0)}" for n in range(ROWS)
    ]
    return "\n".join(lines) + "\n"


def test_the_positive_class_is_asked_for(tmp_path: Path) -> None:
    result = new(write(tmp_path, kaggle()), "--target", "target")
    assert result.exit_code == 1
    assert "target has two classes: 0 (80 rows), 1 (40 rows). Which one is the positive class" in result.output
    assert "Add --positive 1 or --positive 0" in result.output


def test_identifiers_free_text_and_blank_columns_are_left_out(tmp_path: Path) -> None:
    text = written(write(tmp_path, kaggle()), "--target", "target", "--positive", "1")
    assert list(features(text)) == ["age", "sex", "cp", "chol", "thal"]
    assert "# left out: id, because nearly every row has a value of its own" in text
    assert "# left out: note, because it is text with more than 50 different values" in text
    assert spec(text)["target"]["positive"] == 1
    assert "free text" not in text


def german() -> str:
    lines = ["Größe (cm);2. Gewicht;Raucher;Blutdruck;krank"]
    for n in range(ROWS):
        pressure = -9 if n % 10 == 0 else 100 + n % 41
        line = f"{150 + n % 50}.5;{60 + n % 30};{DRAW.choice(['ja', 'nein'])};{pressure};{n / 7:.2f}"
        lines.append(line.replace(".", ","))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (lambda n: f'"{n + 1},{n:03}"', "numbers with thousands separators: write them without (12345) to use it"),
        (lambda n: f"{n + 1} {n:03}", "numbers with thousands separators"),
        (lambda n: f"${n}.50", "numbers with $: write the numbers alone to use it"),
        (lambda n: f"{n}.5 €", "numbers with €"),
        (lambda n: f"{n / 10:.1f}%", "numbers with %"),
        (lambda n: f"{n} kg" if n % 3 else f"{n} lb", "numbers with kg or lb"),
        (lambda n: f"2024-{1 + n % 12:02}-{1 + n % 28:02}", "dates: write what matters about them as numbers"),
        (lambda n: f"{1 + n % 28}.{1 + n % 12}.2024 12:30", "dates"),
        (lambda n: f"{1 + n % 28} March {1900 + n}", "dates"),
        (lambda n: f"{n % 24}:{n % 60:02}", "times of day"),
        (lambda n: f"{n}{'ABCDEFG'[n % 7]}", "text with more than 50 different values"),
        (lambda n: f"$1{n}" if n else "none at all", "text with more than 50 different values"),
    ],
)
def test_numbers_in_disguise_are_named_for_what_they_are(tmp_path: Path, cell: Callable[[int], str], said: str) -> None:
    """A column that a model could use is not dropped without a word of how."""
    rows = "".join(f"{40 + n % 37},{cell(n)},{n % 2}\n" for n in range(ROWS))
    text = written(write(tmp_path, f"age,amount,ill\n{rows}"), "--target", "ill", "--positive", "1")
    assert list(features(text)) == ["age"]
    assert f"# left out: amount, because it {'is' if said.startswith('text') else 'holds'} {said}" in text


def test_an_error_of_the_file_names_the_option(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes("âge;né\n1;0\n2;1\n".encode("cp1252"))
    result = new(path, "--target", "né")
    assert result.exit_code == 1
    assert "set --encoding, cp1252 or latin-1 for example" in result.output


def test_semicolons_decimal_commas_and_names_of_any_kind(tmp_path: Path) -> None:
    file = write(tmp_path, german())
    text = written(file, "--target", "krank")
    assert spec(text)["training"]["task"] == "regression"
    assert spec(text)["dataset"]["csv"] == {"separator": ";", "decimal": ","}
    found = features(text)
    assert found["Grosse_cm"]["column"] == "Größe (cm)"
    assert found["_2._Gewicht"]["column"] == "2. Gewicht"
    assert found["Raucher"]["values"] == ["ja", "nein"]
    assert (found["Blutdruck"]["missingValues"], found["Blutdruck"]["required"]) == (["-9"], False)
    assert found["Blutdruck"]["minimum"] > 0
    assert "# Blutdruck: guess: -9 in 12 of 120 rows, away from all other values, taken for missing" in text
    table = rows_of(text, file).table
    assert table.findings == ()
    assert len(table) == ROWS


def test_words_that_yaml_would_change_stay_text(tmp_path: Path) -> None:
    lines = [
        "y,month,n,age",
        *(f"{'yes' if n % 2 else 'no'},{'on' if n % 3 else 'off'},{n % 2},{n}" for n in range(ROWS)),
    ]
    file = write(tmp_path, "\n".join(lines))
    text = written(file, "--target", "y", "--positive", "yes")
    assert spec(text)["target"]["positive"] == "yes"
    assert features(text)["month"]["values"] == ["off", "on"]
    assert rows_of(text, file).table.classes == ("no", "yes")


def test_zeros_away_from_the_rest_are_a_question(tmp_path: Path) -> None:
    lines = ["bmi,visits,ill", *(f"{0 if n % 9 == 0 else 18 + n / 10},{n % 12},{n % 2}" for n in range(ROWS))]
    file = write(tmp_path, "\n".join(lines))
    text = written(file, "--target", "ill", "--positive", "1")
    assert "# bmi: 0 in 14 of 120 rows, away from all other values: if it means missing, add missingValues: [0]" in text
    assert "# visits" not in text
    (finding,) = rows_of(text, file).table.findings
    assert "bmi is 0 in 14 of 120 rows" in finding.message


def test_a_packed_file_is_streamed(tmp_path: Path) -> None:
    file = tmp_path / "file.csv.gz"
    file.write_bytes(gzip.compress(kaggle().encode()))
    assert written(file, "--target", "target", "--positive", "1").startswith("# From file.csv.gz: 120 rows")


def test_names_of_people_do_not_become_categories(tmp_path: Path) -> None:
    lines = ["patient,age,ill", *(f"Person {n // 2},{n % 50},{n % 2}" for n in range(60))]
    text = written(write(tmp_path, "\n".join(lines)), "--target", "ill", "--positive", "1")
    assert "Person" not in text


def test_it_writes_a_file(tmp_path: Path) -> None:
    out = tmp_path / "model.yaml"
    result = new(write(tmp_path, kaggle()), "--target", "target", "--positive", "1", "-o", str(out))
    assert result.exit_code == 0
    assert yaml.safe_load(out.read_text())["metadata"]["name"] == "heart"


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (kaggle(), ("--target", "ill"), "no column called ill. It has: id, age"),
        (cleveland(), ("--target", "num"), "has no header: name the target by its place, --target 1 to --target 6"),
        (kaggle(), ("--target", "target", "--positive", "yes"), "target has two classes: 0 (80 rows), 1 (40 rows)"),
        (kaggle().replace(",,1", ",,"), ("--target", "target"), "target is missing in 40 rows"),
        (kaggle(), ("--target", "chol", "--positive", "1"), "chol is a measured number"),
        ("a,b\n1,2\n", ("--target", "b"), "the same value in every row"),
        ("<html>", ("--target", "b"), "an HTML page"),
        ("", ("--target", "b"), "The file is empty"),
        ("a;b\n1,234;2\n", ("--target", "b"), "a decimal comma, or one between thousands"),
        (kaggle(), ("--target", "target", "--columns", "a,b"), "--columns has 2 names, the file has 9 columns"),
    ],
)
def test_what_cannot_be_told_is_said(tmp_path: Path, text: str, options: tuple[str, ...], said: str) -> None:
    result = new(write(tmp_path, text), *options)
    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = new(tmp_path / "none.csv", "--target", "a")
    assert (result.exit_code, "cannot be read" in result.output) == (1, True)


@pytest.mark.parametrize("column", ["Age at visit", "2nd (kg)", "日本", "a" * 100, "_x", "--", "a\tb", "no", "1"])
def test_every_name_becomes_one_that_the_contract_allows(column: str) -> None:
    name = contract_name(column, ["no"])
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name)
    assert len(name) <= 63
    assert name != "no"


SENTINELS = {
    "missing body mass": ([0, 18.2, 18.4, *(19 + n / 10 for n in range(100))], {0: 11}, [0]),
    "insulin": ([0, 14, 15, 16, 18, 22, 23, 25, 29, 32, 36, *range(37, 200)], {0: 374}, [0]),
    "-9 beside measures": ([-9, *range(85, 300)], {-9: 20}, [-9]),
    "two codes": ([-99, -9, *range(40, 90)], {-99: 5, -9: 5}, [-99, -9]),
    "999 never contacted": ([*range(30), 999], {999: 900}, [999]),
    "a code among codes": ([0, 1, 2, 3, 9.5, 99], {99: 5}, [99]),
    "ST depression": ([n / 10 for n in range(40)], {0: 90}, []),
    "counts": (list(range(17)), {0: 111}, []),
    "0 and 1": ([0, 1], {0: 60, 1: 50}, []),
    "gains": ([0, 114, 401, 594, 914, 991, 1055, 1086, 1111, 1151, 1173, 1264], {0: 900}, []),
    "temperatures": ([n / 2 for n in range(-40, 60)], {-9: 5, 0: 5, -1: 5}, []),
    "ages up to 99": (list(range(20, 100)), {99: 6}, []),
    "one row": ([0, *range(90, 190)], {}, []),
    "steps of five": ([0, *range(5, 100, 5)], {0: 30}, []),
}


@pytest.mark.parametrize("name", SENTINELS)
def test_a_pile_is_apart_from_all_other_values(name: str) -> None:
    values, sentinels, expected = SENTINELS[name]
    counts = [sentinels.get(value, 1) for value in values]
    assert [value for value, _ in find_sentinels(values, counts)] == expected


@pytest.mark.parametrize("start", [1_700_000_000, 16_777_217, 1e-7, -0.000123456789])
def test_bounds_of_long_numbers_keep_all_digits(tmp_path: Path, start: float) -> None:
    step = 999 if start > 1 else start / 1000
    lines = "".join(f"{start + n * step!r},{n % 2}\n" for n in range(ROWS))
    file = write(tmp_path, f"value,ill\n{lines}")
    rows = rows_of(written(file, "--target", "ill", "--positive", "1"), file)
    assert len(rows.y) == ROWS


@pytest.mark.parametrize(
    ("encoding", "separator"), [("latin-1", ","), ("cp1252", ";"), ("utf-16", "\t"), ("shift_jis", "|")]
)
def test_what_was_given_on_the_command_line_is_written(tmp_path: Path, encoding: str, separator: str) -> None:
    name = "年齢" if encoding == "shift_jis" else "größe"
    lines = [separator.join([name, "ill"]), *(separator.join([str(n), str(n % 2)]) for n in range(ROWS))]
    file = tmp_path / "file.csv"
    file.write_bytes("\n".join(lines).encode(encoding))
    options = ("--target", "ill", "--positive", "1", "--encoding", encoding, "--separator", separator)
    text = written(file, *options)
    assert spec(text)["dataset"]["csv"]["encoding"] == encoding.replace("latin-1", "iso8859-1")
    assert len(rows_of(text, file).y) == ROWS
