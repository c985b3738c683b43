"""A prediction route as an OpenAPI operation, and that of `/predict`. Examples work as they stand."""

from typing import Any

from heart_api.package import ServingPackage
from heart_serving.model.examples import example_record
from heart_serving.openapi.schemas import Json, json_content, ref, with_request

ERRORS = {
    "400": "Malformed JSON, a name twice in one object, or not in the protocol's form.",
    "413": "Too many bytes (after they are unpacked) or records.",
    "415": "A media type or a compression that is not read here; JSON must be in UTF-8.",
    "422": "A record breaks the contract: the field and the bound, never the value.",
    "503": "Busy; try again after `Retry-After` seconds.",
}
REQUEST_ID: Json = {
    "name": "X-Request-Id",
    "in": "header",
    "description": "Your own id of the request (letters, digits, `.`, `_`, `-`; at most 64), for the server's log. The"
    " response has the server's.",
    "schema": {"type": "string"},
}
SUBJECT: Json = {
    "name": "X-Heartops-Subject",
    "in": "header",
    "description": "Your pseudonym of whom the request is about, in the form of X-Request-Id; kept, to erase by it.",
    "schema": {"type": "string"},
}
RECORDS: Json = {"type": "array", "items": {"$ref": "#/components/schemas/Record"}, "minItems": 1}


def predict(package: ServingPackage) -> Json:
    example = example_record(package)
    answer = {"anyOf": [with_request(ref("Prediction")), with_request(None)]}
    return operation(
        "predictions",
        "predict",
        "Predict for one record or a list of records",
        "A list's answers come in its order. The outcome of record i (from 0) is reported later, to `/feedback`, with"
        " the answer's `request_id` and `proof`, and `row` i.",
        body(
            {"anyOf": [ref("Record"), RECORDS]},
            {"one": ("One record", example), "many": ("A list", [example])},
        ),
        {"description": "The prediction, or `predictions` for a list."} | json_content(answer),
        "Problem",
    )


def operation(tag: str, name: str, summary: str, text: str, request: Json, answer: Json, error: str) -> Json:
    errors = {code: {"description": reason} | json_content(ref(error)) for code, reason in ERRORS.items()}
    return {
        "tags": [tag],
        "operationId": name,
        "summary": summary,
        "description": text,
        "parameters": [REQUEST_ID],
        "requestBody": request,
        "responses": {"200": answer, **errors},
    }


def body(schema: Json, examples: dict[str, tuple[str, Any]]) -> Json:
    shown = {name: {"summary": summary, "value": value} for name, (summary, value) in examples.items()}
    return json_content(schema, shown) | {"required": True}
