"""Outcomes of predictions that nobody made, of other models and of other callers: none is stored."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heart_api.handover import Env
from heart_api.predictionlog import PredictionLog
from heart_log.database import open_database
from heart_log.tables import corrections, feedback
from heart_serving.auth.settings import AuthSettings
from heart_serving.predictionlog.proofs import Proofs, read_keys
from heart_serving.predictionlog.settings import LogSettings, read_log_settings
from tests.support.serving.app import NAME, PROOF_KEY, VERSION, in_process, outcome_of
from tests.support.serving.callers import Mounted, token, with_tokens
from tests.support.serving.tiny_model import RECORD, tiny_model
from tests.unit.heart_serving.conftest import LABELS
from tests.unit.heart_serving.routes.test_feedback import Logged, counts

KEYS = read_keys(PROOF_KEY)
ID = "0123456789abcdef01234567"
FORGED = {
    "another request's": Proofs(KEYS, "clinic", NAME, VERSION).prove("another", 1),
    "another key's": Proofs(read_keys("x" * 48), "clinic", NAME, VERSION).prove(ID, 1),
    "another namespace's": Proofs(KEYS, "practice", NAME, VERSION).prove(ID, 1),
    "another model's": Proofs(KEYS, "clinic", "lung", VERSION).prove(ID, 1),
    "another version's name": Proofs(KEYS, "clinic", NAME, VERSION).prove(ID, 1).rpartition(".")[0] + ".8",
    "more records than there were": "9" + Proofs(KEYS, "clinic", NAME, VERSION).prove(ID, 1),
    "the mark of a copy": f"1.{Proofs(KEYS, 'clinic', NAME, VERSION).mark_copy(ID)}.{VERSION}",
    "no MAC": f"1..{VERSION}",
    "zeros": f"1.{'0' * 32}.{VERSION}",
    "Unicode digits": f"１.{'０' * 32}.{VERSION}",
    "nothing": "",
}


@pytest.fixture
async def logged(tmp_path: Path) -> AsyncIterator[Logged]:
    logged = Logged(tmp_path)
    async with logged.served.client:
        yield logged
    logged.log.close()


@pytest.mark.parametrize("forged", FORGED)
async def test_an_outcome_needs_the_proof_of_its_own_prediction(logged: Logged, forged: str) -> None:
    reply = await logged.report(outcome_of(ID, 1) | {"proof": FORGED[forged]})
    assert (reply.status_code, "request_id, proof and row do not match" in reply.text) == (403, True)
    assert await logged.metric("feedback_total", result="rejected") == 1


async def test_ten_thousand_invented_outcomes(logged: Logged) -> None:
    invented = [outcome_of(f"visit-{number}", 1) | {"proof": FORGED["zeros"]} for number in range(10_000)]
    assert (await logged.report(*invented)).status_code == 403
    for one in invented[:100]:
        assert (await logged.report(one)).status_code == 403
    assert await logged.metric("feedback_total", result="new") == 0


async def test_one_invented_outcome_spoils_its_list(logged: Logged) -> None:
    reply = await logged.report(outcome_of("a", 1), outcome_of("b", 1) | {"proof": FORGED["zeros"]})
    assert (reply.status_code, "outcome 1 of the list" in reply.text) == (403, True)
    assert await logged.metric("feedback_total", result="new") == 0


async def test_one_prediction_has_no_more_rows_than_records(logged: Logged) -> None:
    answer = (await logged.post("/predict", [RECORD] * 2)).json()
    named = {"request_id": answer["request_id"], "proof": answer["proof"], "outcome": 1}
    assert (await logged.report(named | {"row": 2})).status_code == 403
    assert (await logged.report(named | {"row": 1})).status_code == 202


async def test_a_caller_cannot_name_the_id_of_a_prediction(logged: Logged) -> None:
    """As the id of its own request, or as a copy's: with the answer's proof it would own the other's outcome."""
    victim = (await logged.post("/predict", RECORD)).json()["request_id"]
    for headers in ({}, {"x_heartops_shadow": "1"}, {"x_heartops_shadow": "0" * 32}, {"x_correlation_id": victim}):
        answer = (await logged.post("/predict", RECORD, x_request_id=victim, **headers)).json()
        assert victim not in (answer["request_id"], answer["proof"])
    assert len(logged.written(5)) == 5, "nor be left out of the statistics"


async def test_a_client_of_the_open_inference_protocol_gets_its_own_id_back_and_a_proof(logged: Logged) -> None:
    body = {
        "id": "visit-17",
        "inputs": [
            {"name": name, "datatype": datatype, "shape": [1], "data": [RECORD[name]]}
            for name, datatype in {
                "age": "FP32",
                "sex": "INT64",
                "cp": "BYTES",
                "vessels": "INT64",
                "exang": "BOOL",
            }.items()
        ],
    }
    reply = await logged.post(f"/v2/models/{NAME}/infer", body)
    assert reply.json()["id"] == "visit-17"
    named = reply.json()["parameters"]
    assert list(named.values()) == [reply.headers["x-request-id"], reply.headers["x-feedback-proof"]]
    assert (await logged.report(named | {"outcome": 1})).status_code == 202


async def test_a_late_outcome_of_an_earlier_version_is_taken(logged: Logged) -> None:
    earlier = Proofs(KEYS, "clinic", NAME, "6").prove(ID, 1)
    assert (await logged.report(outcome_of(ID, 1) | {"proof": earlier})).status_code == 202


async def test_a_replay_says_nothing_new(logged: Logged) -> None:
    answers = [(await logged.report(outcome_of(ID, 1))).json() for _ in range(3)]
    assert answers == [counts(new=1), counts(unchanged=1), counts(unchanged=1)]


SCOPES = ("predict", "feedback")
CALLERS = {"clinic": "heart_" + "c" * 43, "mallory": "heart_" + "m" * 43}


def with_keys(folder: Path) -> AuthSettings:
    mounted = Mounted(folder)
    for caller, key in CALLERS.items():
        mounted.allow(caller, key, scopes=SCOPES)
    mounted.require("APIKey")
    return mounted.settings


def credentials(auth: str, caller: str) -> str:
    """A bearer's, who has both scopes."""
    return CALLERS[caller] if auth == "APIKey" else token({"sub": caller, "scope": " ".join(SCOPES)})


@pytest.mark.parametrize(("auth", "author"), [("APIKey", "clinic"), ("JWT", "jwt:clinic")])
async def test_an_outcome_belongs_to_the_caller_who_reported_it_first(tmp_path: Path, auth: str, author: str) -> None:
    settings = with_keys(tmp_path) if auth == "APIKey" else with_tokens(tmp_path)
    logged = Logged(tmp_path, auth=settings)

    async def post(caller: str, path: str, body: Any) -> Any:
        bearer = f"Bearer {credentials(auth, caller)}"
        reply = await logged.post(path, body, authorization=bearer, x_heartops_subject="clinic")
        assert reply.status_code in (200, 202), reply.text
        return reply.json()

    answer = await post("mallory", "/predict", RECORD)
    logged.written(1)
    one = {"request_id": answer["request_id"], "proof": answer["proof"], "outcome": 1}
    assert await post("clinic", "/feedback", one) == counts(new=1)
    assert await post("mallory", "/feedback", one | {"outcome": 0}) == counts(conflicts=1)
    assert [prediction.outcome for prediction in logged.labelled()] == ["disease"]
    assert await post("clinic", "/feedback", one | {"outcome": 0}) == counts(corrected=1)
    assert [prediction.outcome for prediction in logged.labelled()] == ["no disease"]
    with open_database(logged.url).begin() as connection:
        history = connection.execute(corrections.select()).all()
    assert [(row.correction, row.outcome, row.author) for row in history] == [(0, "disease", author)]
    logged.log.close()


async def test_where_nobody_has_to_say_who_they_are_the_author_is_anonymous(logged: Logged) -> None:
    """Whatever the request says."""
    headers = {"authorization": "Bearer clinic", "x_api_key": "clinic", "x_heartops_subject": "clinic"}
    assert (await logged.post("/feedback", outcome_of(ID, 1), **headers)).status_code == 202
    with open_database(logged.url).begin() as connection:
        assert connection.scalars(feedback.select().with_only_columns(feedback.c.author)).all() == ["anonymous"]


@pytest.mark.parametrize("key", ["", "too short", f"{PROOF_KEY} short"])
async def test_without_a_usable_key_feedback_is_closed_and_says_why(tmp_path: Path, key: str) -> None:
    settings = LogSettings(PredictionLog(), f"sqlite:///{tmp_path}/log.db", read_keys(key))
    served = in_process(tiny_model(labels=LABELS), tmp_path, log=settings)
    answer = (await served.client.post("/predict", json=RECORD)).json()
    assert "proof" not in answer
    reply = await served.client.post("/feedback", json=outcome_of(answer["request_id"], 1))
    assert reply.status_code == 404
    assert Env.PROOF_KEY in reply.text
    assert "kubectl heart init-namespace" in reply.text


def test_a_key_is_replaced_without_a_gap() -> None:
    """The second key's proofs are out there for as long as outcomes take."""
    before, after = "a" * 48, "b" * 48
    old = Proofs(read_keys(before), "clinic", NAME, VERSION)
    both = Proofs(read_keys(f"{after} {before}"), "clinic", NAME, VERSION)
    new = Proofs(read_keys(after), "clinic", NAME, VERSION)
    assert both.is_proven(ID, 0, old.prove(ID, 1))
    assert both.is_copy(ID, old.mark_copy(ID))
    assert new.is_proven(ID, 0, both.prove(ID, 1))
    assert not new.is_proven(ID, 0, old.prove(ID, 1))


def test_a_log_in_a_file_needs_no_key() -> None:
    """One process has it, which makes a key for as long as it runs."""
    settings = read_log_settings({Env.DATABASE_URL: "sqlite:///log.db"})
    assert len(settings.proof_keys) == 1
    assert settings.proof_keys[0].hex() not in repr(settings)
    assert read_log_settings({Env.DATABASE_URL: "postgresql://a:b@c/d"}) == replace(
        settings, proof_keys=(), url="postgresql://a:b@c/d"
    )
