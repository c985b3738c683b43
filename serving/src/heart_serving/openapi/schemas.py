"""JSON Schema from the data contract: records, predictions, and examples that are made up and never taken from data."""

from collections.abc import Sequence
from typing import Any

from heart_api.contract import Feature
from heart_api.package import ServingPackage
from heart_serving.protocols.answers import Answers
from heart_serving.protocols.violations import FLOAT32_MAX

Json = dict[str, Any]


def record_schema(features: Sequence[Feature]) -> Json:
    return {
        "type": "object",
        "properties": {feature.name: feature_schema(feature) for feature in features},
        "required": [feature.name for feature in features if feature.required],
        "additionalProperties": False,
        "example": example_record(features),
    }


def feature_schema(feature: Feature) -> Json:
    """JSON Schema of one value; units are in the description and in `x-unit`, names of values in `x-codes`."""
    if feature.type == "category":
        schema: Json = {"enum": [*(feature.values or ()), *(feature.codes or ())]}
        if feature.codes:
            schema["x-codes"] = dict(feature.codes)
    elif feature.type == "boolean":
        schema = {"enum": [True, False, 1, 0]}
    else:
        schema = {"type": feature.type}
        schema["minimum"] = -FLOAT32_MAX if feature.minimum is None else feature.minimum
        schema["maximum"] = FLOAT32_MAX if feature.maximum is None else feature.maximum
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


def json_content(schema: Json, examples: Json | None = None) -> Json:
    content: Json = {"schema": schema}
    return {"content": {"application/json": content | {"examples": examples} if examples else content}}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
