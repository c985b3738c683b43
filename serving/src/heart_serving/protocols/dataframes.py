"""The shapes in which MLflow's and KServe's first protocol carry rows, each read into records.

https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/#json-input
"""

from collections.abc import Sequence
from typing import Any

from heart_api.contract import Feature
from heart_serving.errors import Problem
from heart_serving.protocols.tables import Records, from_columns, from_rows

Features = Sequence[Feature]


def read_split(value: Any, features: Features) -> Records:
    """`{"columns": […], "data": [[…], …], "index": […]}`; without columns the contract's order holds."""
    where = "dataframe_split"
    if type(value) is not dict or "data" not in value or value.keys() - {"columns", "data", "index"}:
        raise Problem(400, f"{where}: must be an object with data, and optionally columns and index")
    if value.get("index") is not None and type(value["index"]) is not list:
        raise Problem(400, f"{where}.index: must be a list")
    names = value.get("columns")
    if names is None:
        names = [feature.name for feature in features]
    if type(names) is not list or not all(type(name) is str for name in names) or len(set(names)) != len(names):
        raise Problem(400, f"{where}.columns: must be a list of different names")
    return from_rows(value["data"], names, f"{where}.data")


def read_records(value: Any, features: Features) -> Records:
    """Records of MLflow's `dataframe_records`: a list of objects by feature name. Raises Problem."""
    return _objects(value, "dataframe_records")


def read_instances(value: Any, features: Features) -> Records:
    """A list of objects by feature name, or of lists in the contract's order."""
    return _rows(value, features, "instances")


def read_inputs(value: Any, features: Features) -> Records:
    """Columns by feature name (lists, or scalars for one row), or what `instances` may be."""
    if type(value) is not dict:
        return _rows(value, features, "inputs")
    columns = {name: _column(column) for name, column in value.items()}
    if len({len(column) for column in columns.values()}) > 1:
        raise Problem(400, "inputs: every column must have as many values as the others")
    return from_columns(columns)


def _rows(value: Any, features: Features, where: str) -> Records:
    if type(value) is list and value and type(value[0]) is dict:
        return _objects(value, where)
    return from_rows(value, [feature.name for feature in features], where)


def _objects(value: Any, where: str) -> Records:
    if type(value) is not list or not all(type(record) is dict for record in value):
        raise Problem(400, f"{where}: must be a list of objects with one entry per feature")
    return value


def _column(value: Any) -> list[Any]:
    """Values of [rows] or [rows, 1], or one value alone."""
    if type(value) is not list:
        return [value]
    if value and all(type(item) is list and len(item) == 1 for item in value):
        return [item[0] for item in value]
    return value
