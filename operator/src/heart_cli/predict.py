"""Predict with the serving version, through the API server's proxy to the Service: no port-forward is needed."""

import json
from typing import Any
from urllib.parse import quote

from heart_cli.client import Client
from heart_cli.errors import ApiFailure, Failure
from heart_cli.reading import read_model

PORT = "http"
"""The port's name in the model's Service."""


def predict(client: Client, name: str, text: str) -> Any:
    """Send `text`, one record or a list of records as JSON by feature name, and return the server's response.

    Raises:
        Failure: not JSON, nothing serves, or the server rejected the record (the message names field and bound).
    """
    record = parse_records(text)
    if read_model(client, name).status.serving is None:
        raise Failure(f"No version of {name} is serving yet: see kubectl heart status {name}")
    path = f"/api/v1/namespaces/{client.namespace}/services/{quote(name, safe='')}:{PORT}/proxy/predict"
    try:
        return client.call("POST", path, body=record)
    except ApiFailure as error:
        raise Failure(rejection(name, error)) from None


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


def rejection(name: str, error: ApiFailure) -> str:
    if error.status == 503:
        return f"No pod of {name} is available ({error}): see kubectl heart status {name}"
    if error.status == 403:
        return f"{error} (predictions through the API server require the permission to create services/proxy)"
    return f"{name} responded with {error.status}: {detail(error)}" if error.status else str(error)


def detail(error: ApiFailure) -> str:
    """The server's message: `age: …; sex: …`, field by field if it rejected a record."""
    try:
        found = json.loads(error.body)["detail"]
    except (ValueError, KeyError, TypeError):
        return str(error)
    if isinstance(found, str):
        return found
    return "; ".join(f"{'.'.join(map(str, item['loc'][1:])) or 'body'}: {item['msg']}" for item in found)
