"""JSON Schema from the data contract: records and predictions."""

from typing import Any

from heart_api.contract import Feature
from heart_api.package import ServingPackage
from heart_serving.model.examples import example_record
from heart_serving.protocols.answers import Answers
from heart_serving.protocols.violations import FLOAT32_MAX

Json = dict[str, Any]


def record_schema(package: ServingPackage) -> Json:
    features, example = package.features, example_record(package)
    return {
        "type": "object",
        "properties": {feature.name: feature_schema(feature, example.get(feature.name)) for feature in features},
        "required": [feature.name for feature in features if feature.required],
        "additionalProperties": False,
        "example": example,
    }


def feature_schema(feature: Feature, example: Any) -> Json:
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
    schema["examples"] = [] if example is None else [example]
    return schema if feature.required else {"anyOf": [schema, {"type": "null"}], "description": "May be missing."}


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
    required = list(properties)
    properties["proof"] = {"type": "string", "description": "For `/feedback`; absent where outcomes are not taken."}
    if prediction:
        return {"allOf": [prediction, {"type": "object", "properties": properties, "required": required}]}
    properties = {"predictions": {"type": "array", "items": ref("Prediction")}} | properties
    return {"type": "object", "properties": properties, "required": ["predictions", *required]}


def json_content(schema: Json, examples: Json | None = None) -> Json:
    content: Json = {"schema": schema}
    return {"content": {"application/json": content | {"examples": examples} if examples else content}}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
