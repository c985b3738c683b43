"""MLflow's and KServe's first protocol: every form of the same rows is the same parsed."""

import json
from pathlib import Path
from typing import Any

import pytest

import heart_serving
from tests.support.serving.app import InProcess, in_process
from tests.support.serving.tiny_model import RECORD, tiny_model

SECOND = {"age": 70, "sex": 0, "cp": "none", "vessels": None, "exang": True}
RECORDS = [RECORD, SECOND]
NAMES = list(RECORD)
ROWS = [[record[name] for name in NAMES] for record in RECORDS]
COLUMNS = {name: [record[name] for record in RECORDS] for name in NAMES}
NUMERIC = [[54, 1, "typical", 2.0, 0], [70.0, 0, "none", None, 1.0]]
"""The same rows out of an array of numbers: booleans are 0 and 1."""
INVOCATIONS, V1 = "/invocations", "/v1/models/heart:predict"

FORMS: list[dict[str, Any]] = [
    {"dataframe_split": {"columns": NAMES, "data": ROWS, "index": [0, 1]}},
    {"dataframe_split": {"columns": NAMES[::-1], "data": [row[::-1] for row in ROWS]}},
    {"dataframe_split": {"data": ROWS}},
    {"dataframe_records": RECORDS},
    {"dataframe_records": RECORDS, "params": {"temperature": 1}},
    {"dataframe_records": RECORDS, "params": None},
]
BOTH: list[dict[str, Any]] = [
    {"instances": RECORDS},
    {"instances": ROWS},
    {"instances": NUMERIC},
    {"inputs": COLUMNS},
    {"inputs": {name: [[value] for value in column] for name, column in COLUMNS.items()}},
    {"inputs": RECORDS},
    {"inputs": NUMERIC},
]
CASES = [(INVOCATIONS, form) for form in FORMS + BOTH] + [(V1, form) for form in BOTH]


async def plain(served: InProcess, records: list[dict[str, Any]]) -> Any:
    return (await served.client.post("/predict", json=records)).json()["predictions"]


@pytest.mark.parametrize(("path", "form"), CASES)
async def test_every_form_is_answered_as_predict_is(served: InProcess, path: str, form: dict[str, Any]) -> None:
    reply = await served.client.post(path, json=form)
    assert (reply.status_code, len(reply.headers["x-request-id"])) == (200, 24)
    assert reply.json() == {"predictions": await plain(served, RECORDS)}


CSV = """id,age,sex,cp,vessels,exang,note
p-1,54,1,typical,2,0,"said: ""fine"", twice"
p-2,70.0,0.0,none,,True,
"""


@pytest.mark.parametrize("text", [CSV, CSV.replace("\n", "\r\n"), "\ufeff" + CSV, CSV + "\n"])
@pytest.mark.parametrize("kind", ["text/csv", "text/csv; charset=utf-8", "TEXT/CSV"])
async def test_csv_is_read_as_mlflow_reads_it(served: InProcess, text: str, kind: str) -> None:
    """Surplus columns and all."""
    reply = await served.client.post(INVOCATIONS, content=text.encode(), headers={"Content-Type": kind})
    assert reply.json() == {"predictions": await plain(served, RECORDS)}


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        ("", 400, "must begin with a line of different column names"),
        ("age,age\n1,2\n", 400, "different column names"),
        (CSV + "p-3,54\n", 400, "line 4 of the CSV must have 7 values"),
        (CSV + 'p-3,"54', 400, "not CSV"),
        (CSV.encode("utf-16"), 400, "UTF-8"),
        (CSV.replace("54,1", "5_4,1"), 422, "0.age: must be a number"),
        (CSV.replace("54,1", "inf,1"), 422, "0.age: must be at most 120"),
        (CSV.replace("54,1", ",1"), 422, "0.age: is missing"),
        (CSV.replace("typical", "Typical"), 422, "0.cp: must be one of"),
        (CSV.replace("True", "2"), 422, "1.exang: must be true or false"),
        (CSV.splitlines()[0], 422, "at least one record"),
    ],
)
async def test_what_is_not_csv_of_the_contract_is_rejected(
    served: InProcess, text: str | bytes, status: int, says: str
) -> None:
    reply = await served.client.post(INVOCATIONS, content=text, headers={"Content-Type": "text/csv"})
    assert (reply.status_code, says in reply.json()["message"]) == (status, True), reply.text


@pytest.mark.parametrize(
    "form",
    [
        {"dataframe_split": {"columns": [*NAMES, "id"], "data": [[*row, "p"] for row in ROWS]}},
        {"dataframe_records": [record | {"id": "p"} for record in RECORDS]},
        {"instances": [record | {"id": "p"} for record in RECORDS]},
        {"inputs": COLUMNS | {"id": ["p", "q"]}},
    ],
)
async def test_surplus_columns_are_dropped_as_mlflow_drops_them(served: InProcess, form: dict[str, Any]) -> None:
    assert (await served.client.post(INVOCATIONS, json=form)).json() == {"predictions": await plain(served, RECORDS)}


async def test_columns_of_one_row_need_no_lists(served: InProcess) -> None:
    reply = await served.client.post(INVOCATIONS, json={"inputs": RECORD})
    assert reply.json() == {"predictions": await plain(served, [RECORD])}


@pytest.mark.parametrize(("path", "form"), [(INVOCATIONS, "dataframe_records"), (V1, "instances")])
async def test_a_regression_answers_with_numbers(tmp_path: Path, path: str, form: str) -> None:
    served = in_process(tiny_model(task="regression"), tmp_path)
    wanted = [answer["prediction"] for answer in await plain(served, RECORDS)]
    assert (await served.client.post(path, json={form: RECORDS})).json() == {"predictions": wanted}


MALFORMED: list[tuple[Any, str]] = [
    ([RECORD], "exactly one of dataframe_split"),
    ({}, "exactly one of"),
    ({"instances": [RECORD], "inputs": [RECORD]}, "exactly one of"),
    ({"dataframe_split": ROWS}, "dataframe_split: must be an object with data"),
    ({"dataframe_split": {"columns": NAMES}}, "dataframe_split: must be an object with data"),
    ({"dataframe_split": {"data": ROWS, "rows": 1}}, "dataframe_split: must be an object with data"),
    ({"dataframe_split": {"data": ROWS, "index": {}}}, "dataframe_split.index: must be a list"),
    ({"dataframe_split": {"columns": "age", "data": ROWS}}, "columns: must be a list of different names"),
    ({"dataframe_split": {"columns": [*NAMES[1:], "sex"], "data": ROWS}}, "columns: must be a list of different"),
    ({"dataframe_split": {"columns": NAMES, "data": [[1]]}}, "rows with 5 values each"),
    ({"dataframe_records": RECORD}, "dataframe_records: must be a list of objects"),
    ({"dataframe_records": [RECORD, 1]}, "dataframe_records: must be a list of objects"),
    ({"instances": [1, 2]}, "instances: must be a list of rows with 5 values each"),
    ({"instances": [RECORD, [1]]}, "instances: must be a list of objects"),
    ({"inputs": {"age": [54], "sex": [1, 0]}}, "inputs: every column must have as many values"),
]


@pytest.mark.parametrize(("parsed", "says"), MALFORMED)
async def test_what_is_not_a_table_is_rejected_in_mlflows_form(served: InProcess, parsed: Any, says: str) -> None:
    reply = await served.client.post(INVOCATIONS, json=parsed)
    assert (reply.status_code, reply.json()["error_code"]) == (400, "BAD_REQUEST")
    assert says in reply.json()["message"]


BROKEN = RECORD | {"age": 121}


@pytest.mark.parametrize(
    ("path", "form", "key"),
    [(INVOCATIONS, {"dataframe_records": [BROKEN]}, "message"), (V1, {"instances": [BROKEN]}, "error")],
)
async def test_a_broken_contract_names_the_field_and_the_bound(
    served: InProcess, path: str, form: dict[str, Any], key: str
) -> None:
    reply = await served.client.post(path, json=form)
    assert reply.status_code == 422
    assert reply.json()[key] == "0.age: must be at most 120 years"


@pytest.mark.parametrize("form", [{"instances": []}, {"inputs": {}}, {"inputs": []}, {"instances": [[]] * 3}])
async def test_no_rows_are_rejected(served: InProcess, form: dict[str, Any]) -> None:
    for path in (INVOCATIONS, V1):
        assert (await served.client.post(path, json=form)).status_code in (400, 422)


@pytest.mark.parametrize("path", [INVOCATIONS, V1])
async def test_no_other_kind_of_body_and_only_so_many(served: InProcess, path: str) -> None:
    csv = "age,sex\n54,1\n"
    for kind in ("text/plain", "application/vnd.apache.parquet", "application/octet-stream"):
        assert (await served.client.post(path, content=csv, headers={"Content-Type": kind})).status_code == 415
    many = json.dumps({"instances": [RECORD] * 10_001})
    headers = {"Content-Type": "application/json"}
    assert (await served.client.post(path, content=many, headers=headers)).status_code == 413
    twice = '{"instances": [{"age": 1, "age": 2}]}'
    assert (await served.client.post(path, content=twice, headers=headers)).status_code == 400


async def test_mlflows_own_routes(served: InProcess) -> None:
    assert (await served.client.get("/ping")).status_code == 200
    assert (await served.client.get("/version")).text == heart_serving.__version__
    served.application.readiness.draining = True
    assert (await served.client.get("/ping")).status_code == 503


async def test_kserve_v1s_own_routes(served: InProcess) -> None:
    assert (await served.client.get("/v1/models")).json() == {"models": ["heart"]}
    assert (await served.client.get("/v1/models/heart")).json() == {"name": "heart", "ready": True}
    for reply in (
        await served.client.get("/v1/models/other"),
        await served.client.post("/v1/models/other:predict", json={"instances": [RECORD]}),
    ):
        assert reply.status_code == 404
        assert "heart" in reply.json()["error"]
