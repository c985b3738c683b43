"""OpenAPI built from the data contract: FastAPI describes the plain routes, this module the predictions."""

from collections.abc import Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from heart_operator.api.contract import Feature
from heart_operator.api.handover import ServingPackage
from heart_serving.answers import Answers
from heart_serving.settings import Settings
from heart_serving.tensors import datatype_of

Json = dict[str, Any]
ERRORS = {
    "400": "Malformed JSON, or a name twice in one object.",
    "413": "Too many bytes or records.",
    "415": "Not plain JSON in UTF-8.",
    "422": "A record breaks the contract: the field and the bound, never the value.",
    "503": "Busy; try again after `Retry-After` seconds.",
}


def build_openapi(routes: Sequence[BaseRoute], package: ServingPackage, settings: Settings) -> Json:
    document = get_openapi(
        title=f"{settings.name} version {settings.version}",
        version=settings.version,
        description=package.target.description or f"Predicts {package.target.name}.",
        routes=routes,
    )
    infer = f"/v2/models/{settings.name}/infer"
    document["paths"] = {
        "/predict": {"post": predict_operation(package)},
        infer: {"post": infer_operation(package)},
        **document["paths"],
    }
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas |= {
        "Record": record_schema(package.features),
        "Prediction": prediction_schema(package),
        "Problem": {"type": "object", "properties": {"detail": {}}, "required": ["detail"]},
        "ProtocolError": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]},
        "Tensor": TENSOR,
    }
    return document


def predict_operation(package: ServingPackage) -> Json:
    example = example_record(package.features)
    one, many = ref("Record"), {"type": "array", "items": ref("Record"), "minItems": 1}
    return {
        "tags": ["predictions"],
        "operationId": "predict",
        "summary": "Predict for one record or a list of records",
        "description": "A list's answers come in its order. Outcomes of record i (from 0) of a list are reported"
        " later under `<request_id>.<i>`.",
        "parameters": [REQUEST_ID],
        "requestBody": json_content(
            {"anyOf": [one, many]},
            {"one": {"summary": "One record", "value": example}, "many": {"summary": "A list", "value": [example]}},
        )
        | {"required": True},
        "responses": {
            "200": {"description": "The prediction, or `predictions` for a list."}
            | json_content({"anyOf": [with_request(ref("Prediction")), with_request(None)]}),
            **problems("Problem"),
        },
    }


def infer_operation(package: ServingPackage) -> Json:
    inputs = [
        {"name": feature.name, "datatype": datatype_of(feature), "shape": [1], "data": [example_value(feature)]}
        for feature in package.features
    ]
    tensors: Json = {"type": "array", "items": ref("Tensor"), "minItems": 1}
    request = {"type": "object", "required": ["inputs"], "properties": {"id": {"type": "string"}, "inputs": tensors}}
    names = {"model_name": {"type": "string"}, "model_version": {"type": "string"}, "id": {"type": "string"}}
    answer = {"type": "object", "required": ["outputs"], "properties": names | {"outputs": tensors}}
    return {
        "tags": ["open inference protocol"],
        "operationId": "infer",
        "summary": "Predict by the Open Inference Protocol",
        "description": "One tensor per feature, [rows] or [rows, 1], or one tensor `features` [rows, features].",
        "parameters": [REQUEST_ID],
        "requestBody": json_content(request, {"one": {"summary": "One row", "value": {"inputs": inputs}}})
        | {"required": True},
        "responses": {"200": {"description": "Outputs."} | json_content(answer), **problems("ProtocolError")},
    }


def record_schema(features: Sequence[Feature]) -> Json:
    return {
        "type": "object",
        "properties": {feature.name: feature_schema(feature) for feature in features},
        "required": [feature.name for feature in features if feature.required],
        "additionalProperties": False,
        "example": example_record(features),
    }


def feature_schema(feature: Feature) -> Json:
    """JSON Schema of one value; units are said in the description and as `x-unit`."""
    if feature.type == "category":
        schema: Json = {"enum": list(feature.values or ())}
    else:
        schema = {"type": feature.type}
        bounds = {"minimum": feature.minimum, "maximum": feature.maximum}
        schema |= {name: bound for name, bound in bounds.items() if bound is not None}
    if text := ". ".join(part for part in (feature.description, feature.unit and f"Unit: {feature.unit}") if part):
        schema["description"] = text
    if feature.unit:
        schema["x-unit"] = feature.unit
    schema["examples"] = [example_value(feature)]
    return schema if feature.required else {"anyOf": [schema, {"type": "null"}], "description": "May be missing."}


def example_record(features: Sequence[Feature]) -> Json:
    return {feature.name: example_value(feature) for feature in features}


def example_value(feature: Feature) -> Any:
    """A value in the middle of what is allowed: made up from the contract, never taken from data."""
    if feature.type == "category":
        return (feature.values or (0,))[0]
    if feature.type == "boolean":
        return False
    bounds = [bound for bound in (feature.minimum, feature.maximum) if bound is not None]
    middle = sum(bounds) / len(bounds) if bounds else 0.0
    whole = float(round(middle))
    inside = all(low <= whole for low in bounds[:1]) and all(whole <= high for high in bounds[1:])
    if feature.type == "integer":
        return int(whole) if inside else int(bounds[0])
    return whole if inside and len(bounds) != 1 else middle


def prediction_schema(package: ServingPackage) -> Json:
    answers = Answers.of(package)
    if package.task == "regression":
        text = f"{package.target.name}{f' in {package.target.unit}' if package.target.unit else ''}"
        return {"type": "object", "properties": {"prediction": {"type": "number", "description": text}}}
    of_class = f"Probability of {answers.labels[1]}." if package.task == "binary" else "Probability of the prediction."
    probability = {"type": "number", "minimum": 0, "maximum": 1}
    properties: Json = {
        "prediction": {"enum": list(answers.classes), "description": f"Class of {package.target.name}."},
        "label": {"enum": list(answers.labels), "description": "Name of the class."},
        "probability": probability | {"description": of_class},
    }
    if package.task == "multiclass":
        properties["probabilities"] = {"type": "object", "additionalProperties": probability}
    return {"type": "object", "properties": properties, "required": list(properties)}


def with_request(prediction: Json | None) -> Json:
    """What accompanies a prediction; None: a list of them."""
    properties: Json = {"model_version": {"type": "string"}, "request_id": {"type": "string"}}
    if prediction:
        return {"allOf": [prediction, {"type": "object", "properties": properties, "required": list(properties)}]}
    properties = {"predictions": {"type": "array", "items": ref("Prediction")}} | properties
    return {"type": "object", "properties": properties, "required": list(properties)}


def problems(schema: str) -> Json:
    return {code: {"description": text} | json_content(ref(schema)) for code, text in ERRORS.items()}


def json_content(schema: Json, examples: Json | None = None) -> Json:
    content: Json = {"schema": schema}
    return {"content": {"application/json": content | {"examples": examples} if examples else content}}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


REQUEST_ID: Json = {
    "name": "X-Request-Id",
    "in": "header",
    "description": "Your own id of the request (letters, digits, `.`, `_`, `-`; at most 64); made up when absent.",
    "schema": {"type": "string"},
}
TENSOR: Json = {
    "type": "object",
    "required": ["name", "shape", "datatype", "data"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 2},
        "datatype": {"type": "string"},
        "data": {"type": "array", "items": {}},
    },
}
