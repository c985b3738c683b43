"""What receivers get: valid CloudEvents and OpenLineage events, to the configured address and nowhere else."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cloudevents.core.bindings.http import HTTPMessage, from_structured
from cloudevents.core.formats.json import JSONFormat
from openlineage.client.generated.base import EventType, InputDataset, Job, OutputDataset, Run, RunEvent
from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet
from openlineage.client.generated.error_message_run import ErrorMessageRunFacet
from openlineage.client.generated.job_type_job import JobTypeJobFacet
from openlineage.client.generated.tags_run import TagsRunFacet, TagsRunFacetFields
from openlineage.client.serde import Serde

from heart_api.outbox import EventType as Decision
from heart_api.outbox import OutboxEntry
from heart_operator.lineage.cloudevents import cloud_event
from heart_operator.lineage.openlineage import PRODUCER, STATES, as_run_event, run_event
from heart_operator.lineage.sinks import HttpSink, SinkUnavailable

ID = "4f9d2c1a-0000-5000-8000-000000000001"
RUN = "4f9d2c1a-0000-5000-8000-0000000000aa"
DATA = {
    "namespace": "clinic",
    "name": "heart",
    "registryName": "heart",
    "version": "7",
    "digest": "sha256:ab",
    "run": RUN,
    "kind": "training",
    "dataset": "s3://bucket/a/heart.csv",
    "message": 'größer als "vorher"\n',
}


def entry(type_: Decision = "trained", **changes: str) -> OutboxEntry:
    return OutboxEntry(id=ID, type=type_, time="2026-11-22T06:00:00Z", data=DATA | changes)


def test_a_cloud_event_is_read_by_the_sdk_as_it_was_meant() -> None:
    headers, body = cloud_event(entry("promoted"))
    event = from_structured(HTTPMessage(headers, body), JSONFormat())
    assert headers["content-type"] == "application/cloudevents+json"
    assert (event.get_id(), event.get_type()) == (ID, "dev.heartops.heartmodel.promoted")
    assert event.get_source() == "/apis/heartops.dev/namespaces/clinic/heartmodels/heart"
    assert event.get_subject() == "version/7"
    assert event.get_data() == DATA
    assert event.get_time().isoformat() == "2026-11-22T06:00:00+00:00"


def test_the_same_entry_is_the_same_event() -> None:
    assert cloud_event(entry()) == cloud_event(entry())
    assert run_event(entry()) == run_event(entry())


def expected(state: EventType, found: OutboxEntry, **facets: object) -> RunEvent:
    """By OpenLineage's own client."""
    done = state == EventType.COMPLETE
    version = DatasetVersionDatasetFacet(datasetVersion="7", producer=PRODUCER)
    job = JobTypeJobFacet(processingType="BATCH", integration="HEARTOPS", jobType="TRAINING", producer=PRODUCER)
    return RunEvent(
        eventTime=found.time,
        eventType=state,
        producer=PRODUCER,
        run=Run(RUN, dict(facets)),
        job=Job("heartops://clinic", "heart.training", {"jobType": job}),
        inputs=[InputDataset("s3://bucket", "a/heart.csv")],
        outputs=[OutputDataset("mlflow://clinic", "heart", facets={"version": version})] if done else [],
    )


@pytest.mark.parametrize("type_", ["training-started", "trained", "training-failed"])
def test_a_run_event_is_what_openlineages_client_would_send(type_: Decision) -> None:
    found = entry(type_, reason="DataInvalid", message="no rows")
    state = EventType(STATES[type_])
    error = ErrorMessageRunFacet(message="DataInvalid: no rows", programmingLanguage="PYTHON", producer=PRODUCER)
    wanted = Serde.to_dict(expected(state, found, **({"errorMessage": error} if state == EventType.FAIL else {})))
    assert without_empty(as_run_event(found)) == without_empty(wanted)


def test_an_evaluation_reads_the_version_that_it_measures_and_makes_none() -> None:
    """A catalogue must not believe that a version from outside came from this dataset."""
    job = JobTypeJobFacet(processingType="BATCH", integration="HEARTOPS", jobType="EVALUATION", producer=PRODUCER)
    version = DatasetVersionDatasetFacet(datasetVersion="7", producer=PRODUCER)
    found = entry("evaluated", kind="evaluation")
    wanted = RunEvent(
        eventTime=found.time,
        eventType=EventType.COMPLETE,
        producer=PRODUCER,
        run=Run(RUN),
        job=Job("heartops://clinic", "heart.evaluation", {"jobType": job}),
        inputs=[
            InputDataset("s3://bucket", "a/heart.csv"),
            InputDataset("mlflow://clinic", "heart", facets={"version": version}),
        ],
        outputs=[],
    )
    assert without_empty(as_run_event(found)) == without_empty(Serde.to_dict(wanted))
    failed = as_run_event(entry("evaluation-failed", kind="evaluation", reason="DataInvalid"))
    assert (failed["eventType"], failed["outputs"]) == ("FAIL", [])


def test_a_drift_check_is_a_run_on_predictions_and_a_version() -> None:
    found = entry("drift-checked", kind="drift-check", verdict="Drift", share="0.5", schedule="nightly")
    tags = [TagsRunFacetFields(*pair, "HEARTOPS") for pair in (("verdict", "Drift"), ("share", "0.5"))]
    tags.append(TagsRunFacetFields("schedule", "nightly", "HEARTOPS"))
    version = DatasetVersionDatasetFacet(datasetVersion="7", producer=PRODUCER)
    job = JobTypeJobFacet(processingType="BATCH", integration="HEARTOPS", jobType="DRIFT_CHECK", producer=PRODUCER)
    wanted = RunEvent(
        eventTime=found.time,
        eventType=EventType.COMPLETE,
        producer=PRODUCER,
        run=Run(RUN, {"tags": TagsRunFacet(tags=tags, producer=PRODUCER)}),
        job=Job("heartops://clinic", "heart.drift-check", {"jobType": job}),
        inputs=[
            InputDataset("heartops://clinic", "heart.predictions"),
            InputDataset("mlflow://clinic", "heart", facets={"version": version}),
        ],
        outputs=[],
    )
    assert without_empty(as_run_event(found)) == without_empty(Serde.to_dict(wanted))


def without_empty(value: object) -> object:
    """The client writes empty facets where nothing is said."""
    if isinstance(value, dict):
        return {name: without_empty(one) for name, one in value.items() if one not in ({}, [], None)}
    return [without_empty(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("uri", "namespace", "name"),
    [
        ("https://example.org/data/a.csv", "https://example.org", "data/a.csv"),
        ("pvc://claim/a.csv", "pvc://clinic/claim", "a.csv"),
        ("builtin://iris", "builtin://iris", "iris"),
        ("dvc+https://git.example.org/a.git#b.csv", "dvc+https://git.example.org", "a.git#b.csv"),
    ],
)
def test_datasets_have_openlineages_names(uri: str, namespace: str, name: str) -> None:
    (found,) = as_run_event(entry(dataset=uri))["inputs"]
    assert (found["namespace"], found["name"]) == (namespace, name)


def test_each_site_of_a_federated_training_is_an_input_of_its_own() -> None:
    """Who took part, by name: no address of data, no number of rows."""
    found = as_run_event(entry(dataset="federation://clinic/heart", sites="hospital-01/ward,hospital-02/ward"))
    assert found["inputs"] == [
        {"namespace": "federation://hospital-01", "name": "ward", "facets": {}},
        {"namespace": "federation://hospital-02", "name": "ward", "facets": {}},
    ]
    assert [one["name"] for one in found["outputs"]] == ["heart"]


class Sink:
    """A receiver on loopback."""

    def __init__(self) -> None:
        self.status = 200
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, dict(request.headers), await request.read()))
        headers = {"Location": f"{self.url}/elsewhere"} if self.status == 307 else {}
        return web.Response(status=self.status, headers=headers)


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    found, app = Sink(), web.Application()
    app.router.add_route("*", "/{path:.*}", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


async def send(sink: Sink, token: Path | None = None) -> None:
    async with aiohttp.ClientSession() as session:
        await HttpSink(f"{sink.url}/events", token, cloud_event).send(session, entry())


async def test_an_event_is_posted_with_the_mounted_token(sink: Sink, tmp_path: Path) -> None:
    token = tmp_path / "events"
    token.write_text("s3cret\n")
    await send(sink, token)
    ((path, headers, body),) = sink.requests
    assert (path, headers["Authorization"]) == ("/events", "Bearer s3cret")
    assert json.loads(body)["id"] == ID


async def test_a_secret_without_a_token_for_this_sink_means_none(sink: Sink, tmp_path: Path) -> None:
    await send(sink, tmp_path / "absent")
    assert "Authorization" not in sink.requests[0][1]


@pytest.mark.parametrize("status", [307, 400, 401, 500, 503])
async def test_anything_else_than_success_is_no_acknowledgement(sink: Sink, status: int) -> None:
    sink.status = status
    with pytest.raises(SinkUnavailable, match=str(status)):
        await send(sink)
    assert [path for path, _, _ in sink.requests] == ["/events"], "a redirect is not followed"


async def test_what_goes_wrong_is_told_without_token_and_event(sink: Sink, tmp_path: Path) -> None:
    token = tmp_path / "events"
    token.write_bytes(b"\xff\xfe")
    with pytest.raises(SinkUnavailable, match="its token cannot be read"):
        await send(sink, token)
    token.write_text("line one\nline two")
    with pytest.raises(SinkUnavailable, match="no token"):
        await send(sink, token)
    sink.url = "http://127.0.0.1:1"
    with pytest.raises(SinkUnavailable) as error:
        await send(sink)
    assert "clinic" not in str(error.value)
