"""The prediction routes of other servers' protocols as OpenAPI operations. Examples work as they stand."""

from heart_api.package import ServingPackage
from heart_serving.model.examples import example_record
from heart_serving.openapi.operations import RECORDS, REQUEST_ID, body, operation
from heart_serving.openapi.schemas import Json, json_content, ref
from heart_serving.protocols.answers import Answers
from heart_serving.protocols.oip_binary import HEADER
from heart_serving.protocols.oip_tensors import DATATYPES, datatype_of, describe_outputs

JSON_LENGTH: Json = {
    "name": HEADER,
    "in": "header",
    "description": "With binary tensor data: how many bytes of the body are JSON.",
    "schema": {"type": "integer", "minimum": 0},
}
SCALAR: Json = {"type": ["string", "number", "boolean", "null"]}
PARAMETERS: Json = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
ROWS: Json = {"type": "array", "items": {"type": "array", "items": SCALAR}, "minItems": 1}
INFERENCE: Json = {
    "type": "object",
    "required": ["model_name", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string", "description": "The request's own, or else the server's."},
        "parameters": {
            "type": "object",
            "properties": {"request_id": {"type": "string"}, "proof": {"type": "string"}},
            "description": "For `/feedback`.",
        },
        "outputs": {"type": "array", "items": {"$ref": "#/components/schemas/Tensor"}},
    },
}
DATA_FRAME: Json = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "columns": {"type": ["array", "null"], "items": {"type": "string"}, "uniqueItems": True},
        "data": ROWS,
        "index": {"type": ["array", "null"]},
    },
    "additionalProperties": False,
}


def open_inference(package: ServingPackage, operation_id: str) -> Json:
    binary: Json = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    found = operation(
        "open inference protocol",
        operation_id,
        "Predict by the Open Inference Protocol",
        "One tensor per feature, [rows] or [rows, 1], or a single one [rows, features]; every datatype. Binary"
        f" tensor data is understood: bytes behind the JSON, whose length is in the header {HEADER}.",
        body(infer_schema(package), {"one": ("One row", {"inputs": example_tensors(package)})}),
        {"description": "Outputs."} | json_content(INFERENCE),
        "ProtocolError",
    )
    found["parameters"] = [REQUEST_ID, JSON_LENGTH]
    found["requestBody"]["content"] |= binary
    found["responses"]["200"]["content"] |= binary
    return found


def example_tensors(package: ServingPackage) -> list[Json]:
    example = example_record(package)
    return [
        {"name": feature.name, "datatype": datatype_of(feature), "shape": [1], "data": [example[feature.name]]}
        for feature in package.features
        if feature.name in example
    ]


def infer_schema(package: ServingPackage) -> Json:
    outputs = [item["name"] for item in describe_outputs(Answers.of(package))]
    wanted = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"enum": outputs}, "parameters": ref("Parameters")},
    }
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string", "maxLength": 256},
            "parameters": ref("Parameters"),
            "inputs": {"type": "array", "items": ref("Tensor"), "minItems": 1},
            "outputs": {"type": "array", "items": wanted, "description": "All of them when absent."},
        },
    }


def tensor_schema() -> Json:
    return {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 2},
            "datatype": {"enum": list(DATATYPES)},
            "parameters": ref("Parameters"),
            "data": {"type": "array", "items": {}, "description": "Row by row: flat, or nested as the shape says."},
        },
    }


def invocations(package: ServingPackage, operation_id: str) -> Json:
    example = example_record(package)
    names, values = list(example), list(example.values())
    split = {"columns": names, "data": [values]}
    columns = {name: [value] for name, value in example.items()}
    found = operation(
        "mlflow",
        operation_id,
        "Predict by MLflow's scoring protocol",
        "Exactly one of `dataframe_split`, `dataframe_records`, `instances` and `inputs`, or CSV with a header."
        " A missing value is null, or an empty cell. Columns that are no features are dropped.",
        body(
            scoring_schema(),
            {
                "split": ("A data frame, split", {"dataframe_split": split}),
                "records": ("A data frame's records", {"dataframe_records": [example]}),
                "instances": ("Rows", {"instances": [values]}),
                "inputs": ("Columns", {"inputs": columns}),
            },
        ),
        predictions(package),
        "ScoringError",
    )
    lines = [",".join(names), ",".join(map(str, values))]
    found["requestBody"]["content"]["text/csv"] = {"schema": {"type": "string"}, "example": "\n".join(lines)}
    return found


def scoring_schema() -> Json:
    forms: Json = {
        "dataframe_split": DATA_FRAME,
        "dataframe_records": RECORDS,
        "instances": {"anyOf": [RECORDS, ROWS]},
        "inputs": {"anyOf": [columns_schema(), RECORDS, ROWS]},
    }
    params: Json = {"params": {"description": "Ignored, whatever it is: these models declare none."}}
    return {"type": "object", "oneOf": [{"required": [form]} for form in forms], "properties": forms | params}


def v1_predict(package: ServingPackage) -> Json:
    example = example_record(package)
    return operation(
        "kserve v1",
        "v1Predict",
        "Predict by KServe's first protocol",
        "`instances`: objects by feature name, or lists in the contract's order; or `inputs`: columns.",
        body(
            {
                "type": "object",
                "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
                "properties": {
                    "instances": {"anyOf": [RECORDS, ROWS]},
                    "inputs": {"anyOf": [columns_schema(), RECORDS, ROWS]},
                },
            },
            {
                "records": ("Records", {"instances": [example]}),
                "rows": ("Rows", {"instances": [list(example.values())]}),
            },
        ),
        predictions(package),
        "ProtocolError",
    )


def columns_schema() -> Json:
    return {"type": "object", "additionalProperties": {"anyOf": [SCALAR, {"type": "array"}]}, "minProperties": 1}


def predictions(package: ServingPackage) -> Json:
    item = {"type": "number"} if package.task == "regression" else ref("Prediction")
    answer: Json = {
        "type": "object",
        "required": ["predictions"],
        "properties": {"predictions": {"type": "array", "items": item}},
    }
    return {"description": "One prediction per row, in order."} | json_content(answer)
