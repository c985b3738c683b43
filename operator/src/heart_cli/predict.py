"""Predict with the serving version."""

import json
from typing import Any

from heart_cli.errors import Failure
from heart_cli.modelservice import ModelService


def predict(service: ModelService, text: str) -> Any:
    """Send `text`, one record or a list of records as JSON by feature name, and return the server's response.

    Raises:
        Failure: not JSON, or the server rejected the record (the message names field and bound).
    """
    return service.call("POST", "predict", parse_records(text))


def parse_records(text: str) -> Any:
    """Says where the text is no JSON, and repeats none of it: it may be a patient's."""
    try:
        found = json.loads(text)
    except ValueError as error:
        where = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "somewhere"
        raise Failure(f"The input is not JSON ({where})") from None
    if not isinstance(found, dict | list) or not found:
        raise Failure('The input must be a record like {"age": 63, …}, or a list of records')
    return found
