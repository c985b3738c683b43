"""Files as people have them: every layout gives the same rows, and what is no table is named for what it is."""

import gzip
import io
import zipfile
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from heart_api.contract import Csv, Dataset, Feature, Target
from heart_trainer.data.columns import Column
from heart_trainer.data.contract import CheckedRows, Contract, check_rows
from heart_trainer.data.findings import file_findings
from heart_trainer.data.read import RawRows, read_columns
from heart_trainer.errors import DataInvalid
from tests.support.trainer.requests import category, number

FEATURES = (number("age"), number("weight"), category("sex", "f", "m"))
TARGET = Target(name="ill")
ROWS = [[40.5, 60.25, "f", 0], [41.5, 61.25, "m", 1], [42.5, 62.25, "f", 1], [43.5, 63.25, "m", 0]]
NAMES = ["age", "weight", "sex", "ill"]


def contract(
    features: tuple[Feature, ...] = FEATURES, target: Target = TARGET, csv: Csv | None = None, **dataset: object
) -> Contract:
    return Contract(
        features, target, Dataset.model_validate({"uri": "https://data.example.org/x", "csv": csv, **dataset})
    )


def read(data: bytes | str, wanted: Contract | None = None) -> tuple[RawRows, CheckedRows]:
    wanted = wanted or contract()
    raw = read_columns(data if isinstance(data, bytes) else data.encode(), wanted)
    return raw, check_rows(raw.columns, wanted)


def rejection(data: bytes | str, wanted: Contract | None = None) -> str:
    with pytest.raises(DataInvalid) as caught:
        read(data, wanted)
    return caught.value.message


def text(separator: str = ",", decimal: str = ".", header: bool = True, end: str = "\n") -> str:
    cells = [NAMES] * header + [[str(cell).replace(".", decimal) for cell in row] for row in ROWS]
    return "".join(separator.join(map(str, row)) + end for row in cells)


def same(rows: CheckedRows) -> None:
    np.testing.assert_array_equal(rows.encoded["age"], [40.5, 41.5, 42.5, 43.5])
    np.testing.assert_array_equal(rows.encoded["weight"], [60.25, 61.25, 62.25, 63.25])
    np.testing.assert_array_equal(rows.encoded["sex"], [0, 1, 0, 1])
    assert rows.target.tolist() == ["0", "1", "1", "0"]


def zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


LAYOUTS: dict[str, tuple[bytes | str, str]] = {
    "commas": (text(), "commas"),
    "German Excel": (text(";", ","), "semicolons, decimal comma"),
    "semicolons": (text(";"), "semicolons"),
    "tabs": (text("\t"), "tabs"),
    "tabs, decimal comma": (text("\t", ","), "tabs, decimal comma"),
    "bars": (text("|"), "vertical bars"),
    "blanks": (text(" "), "blanks"),
    "columns of equal width": (text("    ").replace("\n", "  \n  "), "blanks"),
    "a sep= line": ("sep=;\n" + text(";", ","), "semicolons, decimal comma, 1 line skipped"),
    "Windows": (text(";", ",", end="\r\n"), "semicolons"),
    "a byte order mark": (text().encode("utf-8-sig"), "commas, utf-8"),
    "UTF-16": (text("\t").encode("utf-16"), "tabs, utf-16"),
    "UTF-16 without mark": (text("\t").encode("utf-16-le"), "tabs, utf-16-le"),
    "UTF-16 of Unix without mark": (text().encode("utf-16-be"), "commas, utf-16-be"),
    "UTF-32 without mark": (text().encode("utf-32-le"), "commas, utf-32-le"),
    "an end as DOS wrote it": (text() + "\x1a", "commas, utf-8"),
    "old Macintosh": (text(end="\r"), "commas, utf-8"),
    "gzip": (gzip.compress(text().encode()), "unpacked from gzip"),
    "zstd": (zstd(text().encode()), "unpacked from zstd"),
    "a comment head": ("# made on Monday\n# by hand\n" + text(), "comment lines begin with #"),
    "a title": ("Ward 3, spring\n\n" + text(";", ","), "2 lines skipped"),
    "single quotes": (text().replace("f", "'f'").replace(",m", ",'m'"), "quoted by '"),
    "double quotes": (text(";").replace(";", '";"').replace("\n", '"\n"')[:-1].join(['"', ""]), "semicolons"),
    "blank lines": (text().replace("\n", "\n\n"), "commas"),
    "blank rows at the end": (text() + ",,,\n,,,\n", "2 blank rows at the end left out"),
    "blank columns": (text(end=",,\n"), "commas"),
    "blank columns in the rows alone": (text(end=",,\n").replace("ill,,", "ill"), "commas"),
    "repeated columns that nobody asked for": (text(end=",x,y\n").replace("ill,x,y", "ill,note,note"), "commas"),
    "a header with blanks around names": (text().replace("age", " age "), "commas"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_rows_are_the_same_and_the_layout_is_said(name: str) -> None:
    data, said = LAYOUTS[name]
    raw, rows = read(data)
    assert said in "; ".join(raw.notes)
    same(rows)


def test_what_is_given_is_not_detected() -> None:
    wanted = contract(csv=Csv(separator="^", decimal=",", quote="'", encoding="latin-1", skip_rows=2))
    data = "title\nsubtitle^\n" + text("^", ",").replace("f", "'f'")
    same(read(data.encode("latin-1"), wanted)[1])


@pytest.mark.parametrize("header", [None, False])
@pytest.mark.parametrize("separator", [",", ";", " ", "\t"])
def test_a_file_without_header_has_the_columns_that_are_named(separator: str, header: bool | None) -> None:
    same(read(text(separator, header=False), contract(columns=NAMES, header=header))[1])


@pytest.mark.parametrize("header", [None, True])
def test_columns_replace_a_header(header: bool | None) -> None:
    data = text().replace("age,weight,sex,ill", "Age at visit,2nd weight (kg),Größe,[ill]")
    raw, rows = read(data, contract(columns=NAMES, header=header))
    same(rows)
    assert "dataset.columns in place of the file's header" in raw.notes


def test_columns_in_another_order_than_the_header_are_rejected() -> None:
    message = rejection(text(), contract(columns=["weight", "age", "sex", "ill"]))
    assert "dataset.columns has weight at place 1, the file's header has it at place 2" in message


def test_a_feature_names_its_column_whatever_it_is_made_of() -> None:
    columns = ["Age at visit", "2nd weight (kg)", "Ge\u0308schlecht", "[ill] %"]
    data = ",".join(columns) + "\n" + text(header=False)
    features = (
        FEATURES[0].model_copy(update={"column": "Age at visit"}),
        FEATURES[1].model_copy(update={"column": "2nd weight (kg)"}),
        FEATURES[2].model_copy(update={"column": "Gëschlecht"}),
    )
    same(read(data, contract(features, Target(name="ill", column="[ill] %")))[1])


def test_a_column_that_is_nearly_called_so_is_named() -> None:
    assert 'Is age the column AGE? Set column: "AGE".' in rejection(text().replace("age", "AGE"))


def test_a_row_in_place_of_a_header_is_not_shown() -> None:
    message = rejection(text(header=False).replace("f", "1").replace("m", "2"))
    assert "Its first line looks like a row, not like a header: name its columns in dataset.columns." in message
    assert "40" not in message


def test_a_column_that_is_used_may_not_be_there_twice() -> None:
    assert "more than one column called age" in rejection(
        text().replace("weight", "age,weight").replace("5,6", "5,1,6")
    )


def xlsx() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "")
        archive.writestr("xl/workbook.xml", "")
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("heart.csv", text())
    return buffer.getvalue()


def feather() -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(ROWS, columns=NAMES).astype({"sex": "str"}).to_feather(buffer, compression="uncompressed")
    return buffer.getvalue()


OTHERS: dict[str, tuple[bytes | str, str]] = {
    "xlsx": (xlsx(), "an Excel workbook (.xlsx)"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an Excel workbook of the old kind (.xls)"),
    "zip": (zipped(), "a zip archive: unpack it"),
    "a page": ("\n<!DOCTYPE html>\n<html lang='en'>", "an HTML page, not the file itself: use the address of the raw"),
    "a page after a remark": ("<!-- x --><HTML>", "an HTML page"),
    "XML": ("<?xml version='1.0'?><rows/>", "an XML document"),
    "a pointer": ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "a Git LFS pointer"),
    "ARFF": ("% title\n%\n@RELATION heart\n@ATTRIBUTE age NUMERIC\n@DATA\n1\n", "an ARFF file (Weka)"),
    "JSON": ('[{"age": 1}]', "JSON"),
    "JSON lines": ('{"age": 1}\n{"age": 2}\n', "JSON"),
    "Parquet": (b"PAR1....PAR1", "a Parquet file: set dataset.format to parquet"),
    "Feather": (feather(), "an Arrow (Feather) file"),
    "a pickle": (b"\x80\x04\x95\x00", "a Python pickle: pickles are never opened"),
    "a PDF": (b"%PDF-1.4\n", "a PDF document"),
    "bzip2": (b"BZh91AY&SY", "a bzip2 archive"),
    "a broken gzip": (gzip.compress(text().encode())[:-9], "packed with gzip and is damaged or incomplete"),
    "a broken zstd": (zstd(text().encode())[:-9], "packed with zstd and is damaged or incomplete"),
    "LZ4": (b"\x04\x22\x4d\x18" + bytes(20), "an LZ4 archive"),
    "compress": (b"\x1f\x9d\x90", "an archive of compress (.Z)"),
    "gzip in gzip": (gzip.compress(gzip.compress(text().encode())), "packed twice with gzip"),
    "SAS": (bytes(12) + bytes.fromhex("c2ea8160b31411cfbd92080009c7318c") + bytes(300), "a SAS file (.sas7bdat)"),
    "SPSS portable": ("ASCII SPSS PORT FILE" + "0" * 200, "an SPSS portable file"),
    "R": (gzip.compress(b"X\n\0\0\0\3" + bytes(99)), "an R data file (.rds)"),
    "MATLAB": (b"MATLAB 5.0 MAT-file, Platform: x" + bytes(99), "a MATLAB file"),
    "Access": (b"\0\1\0\0Standard ACE DB" + bytes(99), "an Access database"),
    "LIBSVM": ("+1 1:0.7 2:1 3:1\n-1 1:0.5 2:-1\n", "LIBSVM's format"),
    "Markdown": ("| age | ill |\n|---|---|\n| 1 | 0 |\n", "a table in Markdown"),
    "Excel in gzip": (gzip.compress(xlsx()), "an Excel workbook (.xlsx)"),
}


@pytest.mark.parametrize("separator", ["~", ":", "^", "&", "\x01", "\u00a0"])
def test_a_separator_that_is_not_detected_is_named(separator: str) -> None:
    message = rejection(text(separator))
    assert "set dataset.csv.separator: " in message
    assert len(message) < 200
    raw, rows = read(text(separator), contract(csv=Csv(separator=separator)))
    same(rows)
    assert raw.notes


def test_decimal_commas_in_quotes_name_the_way_out() -> None:
    data = 'age,weight,sex,ill\n"40,5","60,25",f,0\n"41,5","61,25",m,1\n"42,5","62,25",f,1\n"43,5","63,25",m,0\n'
    assert "set dataset.csv.decimal to ','" in rejection(data)
    same(read(data, contract(csv=Csv(decimal=",")))[1])


def test_a_missing_value_of_the_dataset_that_is_a_class_of_the_target_names_the_way_out() -> None:
    message = rejection(text(), contract(missing_values=("0.0",)))
    assert "ill is missing" in message
    assert "declare it in features[].missingValues" in message


@pytest.mark.parametrize("name", OTHERS)
def test_another_kind_of_file_is_named_with_the_way_out(name: str) -> None:
    data, said = OTHERS[name]
    assert said in rejection(data)


def test_another_kind_in_place_of_parquet_is_named() -> None:
    assert "The file is not Parquet" in rejection(text(), contract(format="parquet"))


def test_an_unpacked_file_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heart_trainer.data.read.MAX_BYTES", 1 << 20)
    assert "The unpacked file is larger than 1 MiB" in rejection(gzip.compress(bytes(3 << 20)))
    assert "The unpacked file is larger than 1 MiB" in rejection(zstd(bytes(3 << 20)))


DOUBTS: dict[str, tuple[str, Callable[[], Contract], str]] = {
    "row names of R": (
        "".join(f"{n},{line}\n" if n else f"{line}\n" for n, line in enumerate(text().splitlines())),
        contract,
        "The header has 4 names, rows have 5 cells",
    ),
    "thousands or decimals": (
        text(";", ",").replace("60,25", "60,250").replace("61,25", "61.250"),
        contract,
        "dataset.csv.decimal",
    ),
    "a header or a comment": ("#" + text(), contract, "begins with #"),
    "titles above rows without names": (
        "Ward 3\n" + text(header=False),
        lambda: contract(columns=NAMES),
        "dataset.csv.skipRows to 1",
    ),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_doubt_is_rejected(name: str) -> None:
    data, wanted, said = DOUBTS[name]
    assert said in rejection(data, wanted())


def test_a_point_beside_decimal_commas_is_no_number() -> None:
    wanted = contract(csv=Csv(decimal=","))
    assert "row 1: weight is not a number" in rejection(text(";", ",").replace("60,25", "1.234"), wanted)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_another_encoding_has_to_be_given(encoding: str) -> None:
    data = text().replace("sex", "größe").encode(encoding)
    features = (*FEATURES[:2], FEATURES[2].model_copy(update={"column": "größe"}))
    assert "set dataset.csv.encoding" in rejection(data, contract(features))
    same(read(data, contract(features, csv=Csv(encoding=encoding)))[1])


def test_an_encoding_that_there_is_not() -> None:
    assert "there is no klingon" in rejection(text(), contract(csv=Csv(encoding="klingon")))
    assert "there is no base64" in rejection(text(), contract(csv=Csv(encoding="base64")))


MISSING: dict[str, list[object]] = {
    "as integers": [-9, 1, 2],
    "as fractions": [-9.0, 1.5, 2],
    "padded": ["-09", "1", "2"],
    "with an exponent": ["-9e0", "1", "2"],
}


@pytest.mark.parametrize("cells", MISSING.values(), ids=MISSING)
@pytest.mark.parametrize("spelling", ["-9", "-9.0", "-09"])
def test_a_missing_number_is_compared_as_a_number(cells: list[object], spelling: str) -> None:
    wanted = contract((number("a", required=False),), missing_values=[spelling])
    _, rows = read("a,ill\n" + "".join(f"{cell},0\n" for cell in cells), wanted)
    assert rows.encoded["a"].isna().tolist() == [True, False, False]
    assert rows.unused == ()


@pytest.mark.parametrize("kind", ["int64", "int8", "float64", "float32", "float16", "Int64", "str"])
def test_a_missing_number_in_parquet(kind: str) -> None:
    buffer = io.BytesIO()
    pd.DataFrame({"a": pd.Series([-9, 1, 2]).astype(kind), "ill": [0, 1, 1]}).to_parquet(buffer)
    wanted = contract((number("a", required=False),), missing_values=["-9.0"], format="parquet")
    _, rows = read(buffer.getvalue(), wanted)
    assert rows.encoded["a"].isna().tolist() == [True, False, False]


def test_text_is_compared_as_text() -> None:
    wanted = contract((category("a", "1", "01", "x", required=False, missing_values=("1.0",)),))
    _, rows = read("a,ill\n1,0\n01,1\nx,1\n1.0,0\n", wanted)
    np.testing.assert_array_equal(rows.encoded["a"], [0, 1, 2, np.nan])


def test_missing_values_that_do_not_occur_are_named() -> None:
    features = (number("a", required=False, missing_values=("-9", "99")), number("b", required=False))
    _, rows = read("a,b,ill\n-9,?,0\n1,2,1\n", contract(features, missing_values=["?", "NA"]))
    assert rows.unused == ('"NA"', '"99" (a)')


@pytest.mark.parametrize("kind", ["float32", "float16", "float64"])
@pytest.mark.parametrize(("low", "high"), [(30.3, 130.1), (0.1, 0.3), (-0.7, 0.7)])
def test_a_bound_is_compared_at_the_precision_of_the_file(kind: str, low: float, high: float) -> None:
    buffer = io.BytesIO()
    pd.DataFrame({"a": np.array([low, high], kind), "ill": [0, 1]}).to_parquet(buffer)
    features = (number("a", minimum=low, maximum=high),)
    assert len(read(buffer.getvalue(), contract(features, format="parquet"))[1].encoded) == 2
    beyond = np.array([np.nextafter(np.array(high, kind), np.array(1000, kind)), low], kind)
    buffer = io.BytesIO()
    pd.DataFrame({"a": beyond, "ill": [0, 1]}).to_parquet(buffer)
    assert "row 1: a is above the maximum" in rejection(buffer.getvalue(), contract(features, format="parquet"))


def test_a_bound_beyond_the_precision_is_none() -> None:
    buffer = io.BytesIO()
    pd.DataFrame({"a": np.array([1, 2], "float16"), "ill": [0, 1]}).to_parquet(buffer)
    read(buffer.getvalue(), contract((number("a", minimum=-1e30, maximum=1e30),), format="parquet"))


def test_single_precision_is_read_as_the_same_cell_of_a_csv() -> None:
    values = np.array([130.1, 0.3, np.nan, 1e-7], "float32")
    assert Column(pd.Series(values)).numbers.tolist()[:2] == [130.1, 0.3]


@pytest.mark.parametrize("words", [("yes", "no"), ("Y", "N"), ("t", "f")])
def test_a_boolean_of_two_words_names_the_way_out(words: tuple[str, str]) -> None:
    features = (Feature(name="smoker", type="boolean"),)
    message = rejection("smoker,ill\n" + "".join(f"{words[i % 2]},{i % 2}\n" for i in range(4)), contract(features))
    assert f'make it a category with values: ["{words[1]}", "{words[0]}"]' in message


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1.7e9 + 7 * n for n in range(60)], True),
        ([2460310.5 + n / 24 for n in range(60)], True),
        ([16777217 + 2 * n for n in range(60)], True),
        ([2000 + n for n in range(60)], False),
        ([300 + n / 10 for n in range(60)], False),
        ([20_000_000.0] * 60, False),
        ([float(2**25 * n) for n in range(60)], False),
    ],
)
def test_a_column_that_float32_is_too_coarse_for_is_a_finding(values: list[float], found: bool) -> None:
    wanted = contract((number("time"),))
    data = "time,ill\n" + "".join(f"{value!r},{n % 2}\n" for n, value in enumerate(values))
    findings = file_findings(read(data, wanted)[1], wanted.features)
    assert [finding.name for finding in findings] == ["precision"] * found
