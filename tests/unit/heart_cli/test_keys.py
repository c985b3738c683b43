"""`kubectl heart key`, and commands that send a key."""

import base64
import json

import pytest

from heart_api.authentication import read_keys
from heart_cli.errors import ApiFailure
from heart_serving.auth.keys import read_key_ring
from tests.support.apiserver.heart_objects import heart_model, serving

RECORD = {"age": 63, "sex": 1}
NAME = "heart-api-keys"


@pytest.fixture
def model(cluster):
    cluster.model = heart_model({"serving": serving("6")})
    cluster.model["spec"]["serving"] = {"auth": "APIKey"}
    cluster.answer = {"prediction": 1, "example": RECORD}
    return cluster


def ring(cluster, tmp_path):
    """What the pods make of the Secret."""
    for old in tmp_path.iterdir():
        old.unlink()
    for caller, value in cluster.secrets[NAME]["data"].items():
        (tmp_path / caller).write_bytes(base64.b64decode(value))
    return read_key_ring(tmp_path)


def created(heart, *words: str) -> str:
    done = heart("key", "create", "heart", *words)
    assert done.exit_code == 0, done.stderr
    return done.stdout.strip()


def test_a_key_is_printed_once_and_only_its_hash_is_stored(heart, model, tmp_path):
    done = heart("key", "create", "heart", "clinic", "--scope", "predict", "--scope", "feedback")
    key = done.stdout.strip()
    assert key.startswith("heart_")
    assert key not in done.stderr + json.dumps(model.secrets)
    found = ring(model, tmp_path).find(key.encode())
    assert (found.name, found.scopes) == ("clinic", {"predict", "feedback"})
    assert key not in heart("key", "list", "heart").stdout


def test_the_secret_is_collected_with_its_model(heart, model):
    created(heart, "clinic")
    (owner,) = model.secrets[NAME]["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("HeartModel", "heart", model.model["metadata"]["uid"])


def test_a_key_is_rotated(heart, model, tmp_path):
    first, second = created(heart, "clinic"), created(heart, "clinic")
    both = ring(model, tmp_path)
    assert both.find(first.encode())
    assert both.find(second.encode())
    third = heart("key", "create", "heart", "clinic")
    assert (third.exit_code, "--old" in third.stderr, third.stdout) == (1, True, "")
    assert heart("key", "revoke", "heart", "clinic", "--old").exit_code == 0
    left = ring(model, tmp_path)
    assert left.find(first.encode()) is None
    assert left.find(second.encode()) is not None
    assert heart("key", "revoke", "heart", "clinic", "--old").exit_code == 1


def test_revoking_leaves_other_callers_theirs(heart, model, tmp_path):
    clinic, other = created(heart, "clinic"), created(heart, "other")
    assert heart("key", "revoke", "heart", "clinic").stdout.startswith("Revoked 1 key of clinic.")
    left = ring(model, tmp_path)
    assert (left.find(clinic.encode()), left.find(other.encode()) is not None) == (None, True)
    failed = heart("key", "revoke", "heart", "clinic")
    assert (failed.exit_code, "(callers: other)" in failed.stderr) == (1, True)


def test_the_list_tells_keys_apart(heart, model):
    created(heart, "clinic")
    created(heart, "clinic", "--scope", "explain")
    head, *rows = [line.split() for line in heart("key", "list", "heart").stdout.splitlines()]
    assert head == ["CALLER", "SCOPES", "SHA-256"]
    assert [row[:-1] for row in rows] == [["clinic", "predict", "explain"], ["clinic", "explain"]]
    stored = read_keys(base64.b64decode(model.secrets[NAME]["data"]["clinic"]).decode())
    assert [key.sha256[:12] for key in stored] == [row[-1] for row in rows]


def test_what_somebody_else_wrote_meanwhile_is_kept(heart, model, monkeypatch):
    created(heart, "clinic")
    read = model.get

    def then_changed(kind, name):
        found = read(kind, name)
        if name == NAME:
            model.secrets[NAME]["metadata"]["resourceVersion"] = "later"
        return found

    monkeypatch.setattr(model, "get", then_changed)
    done = heart("key", "create", "heart", "other")
    assert (done.exit_code, done.stdout, "try again" in done.stderr) == (1, "", True)


def test_a_model_that_asks_for_no_key_says_so(heart, model):
    model.model["spec"]["serving"] = {}
    assert "set spec.serving.auth: APIKey" in heart("key", "create", "heart", "clinic").stderr


@pytest.mark.parametrize("caller", ["", "../x", "a b", "-a", "a" * 64, "..data"])
def test_a_caller_has_a_name_that_is_a_files(heart, model, caller):
    assert heart("key", "create", "heart", "--", caller).exit_code == 2
    assert model.secrets == {}


# --- commands that send one ------------------------------------------------------------------


def test_predict_sends_the_key_of_the_environment_or_a_file(heart, model, tmp_path):
    file = tmp_path / "key"
    file.write_text("heart_from-a-file\n")
    record = json.dumps(RECORD)
    assert heart("predict", "heart", record, env={"HEARTOPS_API_KEY": "heart_mine"}).exit_code == 0
    assert model.headers == {"X-API-Key": "heart_mine"}
    done = heart("predict", "heart", "--example", "--key-file", str(file), env={"HEARTOPS_API_KEY": "heart_mine"})
    assert (done.exit_code, model.headers) == (0, {"X-API-Key": "heart_from-a-file"})
    assert heart("predict", "heart", record, env={"HEARTOPS_API_KEY": ""}).exit_code == 0
    assert model.headers == {}


@pytest.mark.parametrize("text", ["", "two\nlines", "with space", "schlüssel", "a" * 9000])
def test_a_file_that_holds_no_key_is_not_sent(heart, model, tmp_path, text):
    file = tmp_path / "key"
    file.write_text(text)
    done = heart("predict", "heart", "--example", "--key-file", str(file))
    assert (done.exit_code, model.posted) == (1, [])
    assert not text or text not in done.stderr
    assert heart("predict", "heart", "--example", "--key-file", str(tmp_path / "none")).exit_code == 1


@pytest.mark.parametrize("command", [("predict", "heart", "--example"), ("load", "heart", "--requests", "1")])
def test_tls_is_spoken_where_the_version_does(heart, model, command):
    model.model["status"]["serving"]["url"] = "https://heart.clinic.svc"
    model.answer = ApiFailure("stop here", 500)
    heart(*command)
    assert model.posted == [("/api/v1/namespaces/clinic/services/https:heart:https/proxy/model", None)]


@pytest.mark.parametrize(
    ("status", "detail", "words"),
    [
        (401, "the key or token is not valid for this model", "--key-file"),
        (403, "the key or token lacks the scope predict", "403: the key or token lacks the scope predict"),
    ],
)
def test_a_denied_prediction_says_why(heart, model, status, detail, words):
    model.answer = ApiFailure("", status, json.dumps({"detail": detail}).encode())
    done = heart("predict", "heart", json.dumps(RECORD))
    assert (done.exit_code, words in done.stderr, "services/proxy" in done.stderr) == (1, True, False)
