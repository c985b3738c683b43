"""An entry of the outbox as an OpenLineage RunEvent (spec 2-0-2).

A training reads a dataset and registers a version. An evaluation reads a dataset and the version that it measures, a
drift check a model's predictions and the version's reference profile: neither makes anything that others read.
"""

import json
from typing import Any
from urllib.parse import urlsplit

from heart_api.outbox import EventType, OutboxEntry

PRODUCER = "https://heartops.dev"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = "https://openlineage.io/spec/facets"
JOB_TYPE = f"{FACETS}/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet"
ERROR = f"{FACETS}/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet"
VERSION = f"{FACETS}/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
TAGS = f"{FACETS}/1-0-0/TagsRunFacet.json#/$defs/TagsRunFacet"
EVALUATION, CHECK = "evaluation", "drift-check"
STATES: dict[EventType, str] = {
    "training-started": "START",
    "trained": "COMPLETE",
    "evaluated": "COMPLETE",
    "drift-checked": "COMPLETE",
    "training-failed": "FAIL",
    "evaluation-failed": "FAIL",
}
Json = dict[str, Any]


def run_event(entry: OutboxEntry) -> tuple[dict[str, str], bytes]:
    """Headers and body of the request."""
    body = json.dumps(as_run_event(entry), ensure_ascii=False).encode()
    return {"Content-Type": "application/json"}, body


def as_run_event(entry: OutboxEntry) -> Json:
    about, state = entry.data, STATES[entry.type]
    kind = about.get("kind", "training")
    job_type = {"processingType": "BATCH", "integration": "HEARTOPS", "jobType": kind.upper().replace("-", "_")}
    return {
        "eventTime": entry.time,
        "eventType": state,
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {"runId": about["run"], "facets": findings(about) | (failure(about) if state == "FAIL" else {})},
        "job": {
            "namespace": f"heartops://{about['namespace']}",
            "name": f"{about['name']}.{kind}",
            "facets": {"jobType": facet(JOB_TYPE, **job_type)},
        },
        "inputs": sources(about),
        "outputs": [result(about)] if state == "COMPLETE" and kind not in (EVALUATION, CHECK) else [],
    }


def facet(schema: str, **values: Any) -> Json:
    return {"_producer": PRODUCER, "_schemaURL": schema, **values}


def failure(about: dict[str, str]) -> Json:
    text = ": ".join(filter(None, (about.get("reason"), about.get("message")))) or "the Job failed"
    return {"errorMessage": facet(ERROR, message=text, programmingLanguage="PYTHON")}


def findings(about: dict[str, str]) -> Json:
    """What a drift check found, and who asked for it, as tags."""
    known = [(name, about[name]) for name in ("verdict", "share", "schedule", "check") if name in about]
    tags = [{"key": name, "value": value, "source": "HEARTOPS"} for name, value in known]
    return {"tags": facet(TAGS, tags=tags)} if tags else {}


def sources(about: dict[str, str]) -> list[Json]:
    """What the run has read.

    The dataset; of an evaluation also the version, of a drift check predictions and the version; of a federated
    training a dataset for each site: who took part, and nothing of what it holds.
    """
    if about.get("kind") == CHECK:
        return [
            {"namespace": f"heartops://{about['namespace']}", "name": f"{about['name']}.predictions"},
            result(about),
        ]
    places = [name.partition("/") for name in filter(None, about.get("sites", "").split(","))]
    held = [{"namespace": f"federation://{namespace}", "name": name, "facets": {}} for namespace, _, name in places]
    measured = [result(about)] if about.get("kind") == EVALUATION else []
    return [*(held or [source(about)]), *measured]


def source(about: dict[str, str]) -> Json:
    """The dataset, named as OpenLineage names them: `s3://bucket` and the key, `https://host` and the path."""
    address = urlsplit(about["dataset"])
    place = f"{about['namespace']}/{address.netloc}" if address.scheme in ("pvc", "configmap") else address.netloc
    within = f"#{address.fragment}" if address.fragment else ""
    name = f"{address.path.lstrip('/') or address.netloc}{within}"
    return {"namespace": f"{address.scheme}://{place}", "name": name, "facets": {}}


def result(about: dict[str, str]) -> Json:
    """The registered model; its version is a facet."""
    version = {"version": facet(VERSION, datasetVersion=about["version"])} if "version" in about else {}
    return {"namespace": f"mlflow://{about['namespace']}", "name": about["registryName"], "facets": version}
