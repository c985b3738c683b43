"""Files of the forms in docs/data.md, with made-up rows: what each needs there suffices."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heart_api.contract import Dataset, Feature, Target
from heart_trainer.data.load import load
from heart_trainer.errors import DataInvalid
from heart_trainer.values import Table
from tests.support.trainer.requests import category, number, request

ROWS = 60
DRAW = random.Random(11)


def lines(make: Any, header: str = "") -> bytes:
    """`make(n)` for each row."""
    return "\n".join([*([header] if header else []), *(make(n) for n in range(ROWS)), ""]).encode()


def read(folder: Path, data: bytes, features: tuple[Feature, ...], target: Target, **more: Any) -> Table:
    file = folder / "file"
    file.write_bytes(data)
    training = more.pop("training", {})
    dataset = Dataset.model_validate({"uri": "https://data.example.org/file", **more})
    return load(request(features, target, dataset, **training), {"HEARTOPS_ROW_KEY": "k"}, file)


def test_hungarian(tmp_path: Path) -> None:
    def row(n: int) -> str:
        chol, ca = 0 if n % 9 == 0 else 200 + n, "?" if n % 7 else "-9.0"
        return f"{30 + n},{n % 2},{1 + n % 4},130,{chol},{ca},{n % 2}"

    columns = ["age", "sex", "cp", "trestbps", "chol", "ca", "num"]
    features = (number("age"), number("chol", required=False, missing_values=("0",)), number("ca", required=False))
    table = read(tmp_path, lines(row), features, Target(name="num"), columns=columns, missingValues=["?", -9])
    assert np.isnan(table.x[:, 2]).all()
    assert np.isnan(table.x[:, 1]).sum() == 7
    assert table.findings == ()


@pytest.mark.parametrize("gap", [" ", "  ", "\t", " \t "])
def test_statlog_and_boston(tmp_path: Path, gap: str) -> None:
    data = lines(lambda n: " " + gap.join(["70.0", f"{n / 10}", f"{n % 3}.0", str(1 + n % 2)]) + " ")
    features = (number("oldpeak"), category("thal", 0, 1, 2))
    table = read(tmp_path, data, features, Target(name="num", positive=2), columns=["age", "oldpeak", "thal", "num"])
    assert table.reading[0] in ("CSV separated by blanks, utf-8", "CSV separated by tabs, utf-8")
    assert table.classes == (1, 2)


def test_names_with_blanks_and_a_text_target(tmp_path: Path) -> None:
    make = lambda n: f"{n},{40 + n},{1 + n % 4},{'Presence' if n % 3 == 0 else 'Absence'}"  # noqa: E731
    data = lines(make, "index,Age,Chest pain type,Heart Disease")
    features = (number("age", column="Age"), category("cp", 1, 2, 3, 4, column="Chest pain type"))
    target = Target(name="disease", column="Heart Disease", positive="Presence")
    assert read(tmp_path, data, features, target).classes == ("Absence", "Presence")


def test_cardio_and_wine(tmp_path: Path) -> None:
    make = lambda n: f'{n};{18000 + n};{7.4 + n / 100:.2f};"{n % 2}"'  # noqa: E731
    data = lines(make, 'id;age;"fixed acidity";cardio')
    features = (number("age"), number("acidity", column="fixed acidity"))
    table = read(tmp_path, data, features, Target(name="cardio"))
    assert table.x[1, 1] == np.float32(7.41)


def test_adult(tmp_path: Path) -> None:
    data = lines(lambda n: f"{20 + n}, {'?' if n % 5 == 0 else 'Private'}, {'<=50K' if n % 2 else '>50K'}")
    features = (number("age"), category("work", "Private", "State-gov", required=False))
    more: dict[str, Any] = {"columns": ["age", "work", "income"], "missingValues": ["?"]}
    table = read(tmp_path, data, features, Target(name="income", positive=">50K"), **more)
    assert np.isnan(table.x[0, 1])
    test_file = b"|1x3 Cross validator\n" + data
    again = read(tmp_path, test_file, features, Target(name="income", positive=">50K"), csv={"skipRows": 1}, **more)
    assert again.keys == table.keys


def test_auto_mpg(tmp_path: Path) -> None:
    def row(n: int) -> str:
        power = "?" if n == 3 else f"{100 + n}."
        return f'{10 + n}.0   {4 + n % 3}   {power}      3504.\t"chevrolet malibu {n}"'

    features = (number("cylinders"), number("horsepower", required=False))
    columns = ["mpg", "cylinders", "horsepower", "weight", "name"]
    more: dict[str, Any] = {"columns": columns, "missingValues": ["?"], "training": {"task": "regression"}}
    table = read(tmp_path, lines(row), features, Target(name="mpg"), **more)
    assert np.isnan(table.x[:, 1]).sum() == 1


def test_pima_zeros_are_a_finding(tmp_path: Path) -> None:
    make = lambda n: f"{n % 12},{0 if n % 10 == 0 else 18.2 + n / 10:.1f},{n % 2}"  # noqa: E731
    data = lines(make, "Pregnancies,BMI,Outcome")
    (finding,) = read(tmp_path, data, (number("Pregnancies"), number("BMI")), Target(name="Outcome")).findings
    assert finding.name == "undeclared-missing-values"
    assert finding.message.startswith("BMI is 0 in 6 of 60 rows, away from every other value")


def test_titanic_and_telco(tmp_path: Path) -> None:
    def row(n: int) -> str:
        age, charges = "" if n % 6 == 0 else 22 + n, " " if n == 4 else n + 0.5
        return f'{n},"Braund, Mr. ({n})",{age},{charges},{"Yes" if n % 2 else "No"}'

    data = lines(row, "PassengerId,Name,Age,TotalCharges,Churn")
    features = (number("Age", required=False), number("TotalCharges", required=False))
    table = read(tmp_path, data, features, Target(name="Churn", positive="Yes"))
    assert np.isnan(table.x).sum(axis=0).tolist() == [10, 1]


def test_ames_and_life_expectancy(tmp_path: Path) -> None:
    make = lambda n: f"{800 + n},{'NA' if n % 2 else 'Gd'},{50 + n / 2}"  # noqa: E731
    data = lines(make, "1st Flr SF,Pool QC,Life expectancy ")
    features = (number("first_floor", column="1st Flr SF"), category("pool", "Gd", "NA", column="Pool QC"))
    target = Target(name="expectancy", column="Life expectancy")
    assert len(read(tmp_path, data, features, target, training={"task": "regression"})) == ROWS


def test_saheart(tmp_path: Path) -> None:
    make = lambda n: f"{n + 1},{120 + n},{'Present' if n % 2 else 'Absent'},{n % 3 // 2}"  # noqa: E731
    data = lines(make, "row.names,sbp,famhist,chd")
    features = (number("sbp"), category("famhist", "Present", "Absent"))
    assert len(read(tmp_path, data, features, Target(name="chd"))) == ROWS


def test_framingham_needs_its_missing_values(tmp_path: Path) -> None:
    data = lines(lambda n: f"{40 + n},{'NA' if n % 8 == 0 else 200 + n},{n % 2}", "age,glucose,TenYearCHD")
    features = (number("age"), number("glucose", required=False))
    with pytest.raises(DataInvalid, match="8 cells in 8 rows break the data contract"):
        read(tmp_path, data, features, Target(name="TenYearCHD"))
    assert len(read(tmp_path, data, features, Target(name="TenYearCHD"), missingValues=["NA"])) == ROWS
