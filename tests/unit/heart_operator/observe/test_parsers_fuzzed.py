"""Whatever people write, parsers answer with a value or with the error that they promise, and never hang or crash."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heart_api.commands import Command, read_command
from heart_api.drift import CheckOutcome
from heart_api.durations import seconds
from heart_api.handover import DataAccess, TrainingOutcome
from heart_api.kube.objects import InvalidSpec, parse_model, parse_status
from heart_api.names import Annotation, evaluated_version
from heart_api.quantities import amount
from heart_operator.observe.jobs import parse_outcome
from heart_operator.plan.schedule.cron import BadCron, next_scheduled_time
from heart_operator.plan.validate import dataset_problems

NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
ACCESS = DataAccess(schemes=("https", "s3", "pvc"), hosts=("*.example.org",))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ["dataset", "target", "features", "training", "gates", "serving", "rollout", "monitoring", "version"]
SPEC = {
    "dataset": {"uri": "https://example.org/a.csv"},
    "target": {"name": "num"},
    "features": [{"name": "age", "type": "number"}],
}


@given(
    st.text(max_size=80)
    | st.from_regex(r"(https?|s3|gs|pvc|configmap|builtin|file)://[^\s]{0,40}", fullmatch=True)
    | st.from_regex(r"https://[\[\]@:%.0-9a-z]{1,30}/[^\s]{0,10}", fullmatch=True)
)
def test_dataset_addresses(uri: str) -> None:
    for problem in dataset_problems(uri, ACCESS):
        assert problem.startswith("spec.dataset.uri")


@pytest.mark.parametrize("good", ["https://data.example.org/x.csv", "s3://bucket/key", "pvc://claim/x"])
def test_good_addresses_stay_good(good: str) -> None:
    found = list(dataset_problems(good, ACCESS))
    assert found == [] or "host bucket" in found[0]


NUMBER = st.integers(0, 99).map(str)
FIELD = st.one_of(
    st.just("*"),
    NUMBER,
    st.tuples(NUMBER, NUMBER).map("-".join),
    NUMBER.map("*/{}".format),
    st.lists(NUMBER, min_size=1, max_size=3).map(",".join),
    st.sampled_from(["L", "jan", "mon", "5L", "1#2", "?", "@daily", "-", "/"]),
)
ZONES = st.sampled_from(["Etc/UTC", "Europe/Berlin", "Pacific/Apia"]) | st.text(max_size=20)


@given(st.lists(FIELD, min_size=4, max_size=6).map(" ".join) | st.text(max_size=30), ZONES)
def test_cron(cron: str, zone: str) -> None:
    with suppress(BadCron):
        scheduled = next_scheduled_time(cron, zone, NOW)
        assert scheduled is None or scheduled > NOW


@given(st.text(max_size=120) | st.from_regex(r"[a-z-]{1,12} ([0-9]{1,9}|-) (sha256:[0-9a-f]{4}|-) .{1,9}"))
def test_commands(text: str) -> None:
    assert (
        read_command({Annotation.COMMAND: text, Annotation.COMMAND_BY: text, Annotation.COMMAND_REASON: text}) is None
    )


@given(
    st.sampled_from(["promote", "abort", "rollback", "retry"]),
    st.just("") | st.integers(1, 999_999_999).map(str),
    st.just("") | st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True),
    st.from_regex(r"[\w.:-]{1,63}", fullmatch=True),
    st.text(max_size=100),
)
def test_a_command_is_read_as_it_was_written(action: str, version: str, digest: str, id_: str, reason: str) -> None:
    command = Command.model_validate(
        {"action": action, "version": version, "digest": digest, "id": id_, "reason": reason}
    )
    assert read_command(command.annotations()) == command


@given(st.text(max_size=40), st.sampled_from([seconds, amount]))
def test_durations_and_quantities(text: str, parser: object) -> None:
    with suppress(ValueError):
        assert parser(text) >= 0  # type: ignore[operator]


@given(st.text(max_size=60))
def test_triggers(text: str) -> None:
    version = evaluated_version(text)
    assert version is None or version.isdigit()


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3) | st.dictionaries(st.text(max_size=9), JSON))
def test_stored_specs(changes: dict[str, object]) -> None:
    raw = {"metadata": {"namespace": "a", "name": "b", "uid": "c"}, "spec": SPEC | changes}
    try:
        found = parse_model(raw).name
    except InvalidSpec as error:
        found = str(error)
    assert found == "b" or found.startswith("spec")


@given(JSON)
def test_stored_statuses(status: object) -> None:
    parse_status({"status": status})


@given(st.text(max_size=200) | JSON.map(str))
def test_termination_messages_of_a_job(message: str) -> None:
    assert parse_outcome(message, TrainingOutcome) is None
    assert parse_outcome(message, CheckOutcome) is None
