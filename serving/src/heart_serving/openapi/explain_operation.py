"""`POST /explain` as an OpenAPI operation."""

from heart_api.explanation import Explanation
from heart_api.package import ServingPackage
from heart_serving.explain.answering import MAX_RECORDS
from heart_serving.model.examples import example_record
from heart_serving.openapi.operations import RECORDS, body, operation
from heart_serving.openapi.schemas import Json, json_content, ref

UNITS = {
    "log-odds": "log-odds of class 1 (its probability is 1 / (1 + exp(-output)))",
    "logit": "one logit per class (their softmax is the probabilities)",
    "probability": "probability",
    "target": "the target's own unit",
}
FLOATS: Json = {"type": "object", "additionalProperties": {"type": "number"}}


def explain(package: ServingPackage, explanation: Explanation) -> Json:
    example = example_record(package)
    answer = {"anyOf": [one(), many()]}
    return operation(
        "predictions",
        "explain",
        "Explain the predictions for one record or a list of records",
        f"How much each feature moved the output away from its mean over background rows: Shapley values in"
        f" {UNITS[explanation.unit]}, by the method `{explanation.method}`. `base_value` and the contributions add up"
        " to `output`. They describe the model, not what would happen if a value were changed."
        f" At most {MAX_RECORDS[explanation.method]} records at once.",
        body(
            {"anyOf": [ref("Record"), RECORDS]},
            {"one": ("One record", example), "many": ("A list", [example])},
        ),
        {"description": "The explanation, or `explanations` for a list."} | json_content(answer),
        "Problem",
    )


def explanation_schema(package: ServingPackage) -> Json:
    """What is said of one record, besides its prediction."""
    reasons: Json = {
        "output": {"type": "number", "description": "The model's output for this record, in the unit of the answer."},
        "base_value": {"type": "number", "description": "Mean output over the background rows."},
        "contributions": FLOATS | {"required": [feature.name for feature in package.features]},
    }
    properties = dict(reasons)
    if package.task != "regression":
        properties["explained"] = {"type": "string", "description": "Name of the class that is argued for."}
    if package.task == "multiclass":
        each = {"type": "object", "properties": reasons, "required": list(reasons)}
        properties["classes"] = {"type": "object", "additionalProperties": each}
    own = {"type": "object", "properties": properties, "required": list(properties)}
    return {"allOf": [ref("Prediction"), own]}


def one() -> Json:
    return {"allOf": [ref("Explanation"), common()]}


def many() -> Json:
    listed: Json = {"explanations": {"type": "array", "items": ref("Explanation")}}
    return {"allOf": [{"type": "object", "properties": listed, "required": ["explanations"]}, common()]}


def common() -> Json:
    properties = {name: {"type": "string"} for name in ("method", "unit", "model_version", "request_id")}
    return {"type": "object", "properties": properties, "required": list(properties)}
