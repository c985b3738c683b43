"""schemathesis against the real process: every route, every check, no answer that the documents do not promise."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from schemathesis.checks import CHECKS, CheckFunction, load_all_checks

from tests.support.serving.app import Running, in_process, running
from tests.support.serving.tiny_model import tiny_model

SOAK = bool(os.environ.get("HEARTOPS_SOAK"))
EXAMPLES = 1000 if SOAK else 20
LEAST = 10_000 if SOAK else 400
"""Cases that must have been sent, so that a document that lost its routes is noticed."""
SEED = 20261121
TABLES = ("/infer", "/invocations", ":predict")
"""JSON Schema cannot say that the parts of a table or tensor fit each other: what keeps it may still be refused."""

MODEL = tiny_model(labels=("no disease", "disease"))

load_all_checks()


def read_document() -> Any:
    """What the server's /openapi.json says."""
    with TemporaryDirectory() as folder:
        edge = in_process(MODEL, Path(folder)).application.app
        return schemathesis.openapi.from_asgi("/openapi.json", edge).raw_schema


document = schemathesis.openapi.from_dict(read_document())


@pytest.fixture(scope="module")
def sent() -> dict[int, int]:
    """Cases by status code."""
    return {}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("fuzzed")
    with running(MODEL, folder, HEARTOPS_DATABASE_URL=f"sqlite:///{folder}/log.db") as server:
        yield server


@document.parametrize()
@seeded(SEED)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_the_document_promises(case: Any, server: Running, sent: dict[int, int]) -> None:
    response = case.call(base_url=server.url)
    sent[response.status_code] = sent.get(response.status_code, 0) + 1
    case.validate_response(response, excluded_checks=inexact(case.path))


def inexact(path: str) -> list[CheckFunction]:
    names = ["positive_data_acceptance"] if path.endswith(TABLES) else []
    return CHECKS.get_by_names(names)


def test_enough_was_sent_and_nothing_failed(sent: dict[int, int]) -> None:
    """After the test above; alone it says nothing."""
    if not sent:
        pytest.skip("nothing was sent in this run")
    print(f"{sum(sent.values())} cases: {dict(sorted(sent.items()))}")
    assert sum(sent.values()) >= LEAST
    assert not [code for code in sent if code >= 500]
