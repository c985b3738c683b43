"""What Triton's clients call besides the Open Inference Protocol: configuration, statistics and the model repository.

https://github.com/triton-inference-server/server/tree/main/docs/protocol (extensions model_configuration, statistics
and model_repository)
"""

from typing import Any

from fastapi import FastAPI, HTTPException, Request

from heart_serving.metrics import Histogram, ServingMetrics
from heart_serving.openapi.schemas import Json, json_content, ref
from heart_serving.protocols.open_inference import OpenInference
from heart_serving.routes.names import UNKNOWN, V2, V2_VERSION, check_model
from heart_serving.settings import Settings

FIXED: dict[int | str, Json] = {
    400: {"description": "Versions are not loaded here."} | json_content(ref("ProtocolError"))
}
WHY_FIXED = (
    "this server has the one version that it was started with: spec.version of the HeartModel says which version serves"
)
TAGS: list[Any] = ["open inference protocol"]


def add_triton(app: FastAPI, settings: Settings, inference: OpenInference, metrics: ServingMetrics) -> None:
    """Add the routes that clients of Triton ask besides: configuration, statistics, repository."""
    add_configuration(app, settings, inference)
    add_statistics(app, settings, metrics)
    add_repository(app, settings)


def add_configuration(app: FastAPI, settings: Settings, inference: OpenInference) -> None:
    """Add `…/config`, in Triton's form."""

    @app.get(f"{V2}/config", tags=TAGS, responses=UNKNOWN)
    @app.get(f"{V2_VERSION}/config", tags=TAGS, responses=UNKNOWN)
    async def model_configuration(name: str, version: str = settings.version) -> dict[str, Any]:
        """The model's configuration in Triton's form. Requests are not batched: one may hold many rows."""
        check_model(settings, name, version)
        metadata = inference.metadata()
        return {
            "name": settings.name,
            "platform": metadata["platform"],
            "backend": "onnxruntime",
            "version_policy": {"specific": {"versions": [int(settings.version)] if settings.version.isdigit() else []}},
            "max_batch_size": 0,
            "input": [described(tensor) for tensor in metadata["inputs"]],
            "output": [described(tensor) for tensor in metadata["outputs"]],
        }


def described(tensor: Json) -> Json:
    """Return a tensor as Triton's configuration describes it."""
    kind = "STRING" if tensor["datatype"] == "BYTES" else tensor["datatype"]
    return {"name": tensor["name"], "data_type": f"TYPE_{kind}", "dims": tensor["shape"]}


def add_statistics(app: FastAPI, settings: Settings, metrics: ServingMetrics) -> None:
    """Add `…/stats`, in Triton's form."""

    @app.get("/v2/models/stats", tags=TAGS)
    async def all_statistics() -> dict[str, Any]:
        """Requests and times since the pod's start, of its one model."""
        return {"model_stats": [statistics(settings, metrics)]}

    @app.get(f"{V2}/stats", tags=TAGS, responses=UNKNOWN)
    @app.get(f"{V2_VERSION}/stats", tags=TAGS, responses=UNKNOWN)
    async def model_statistics(name: str, version: str = settings.version) -> dict[str, Any]:
        """Requests and times since the pod's start."""
        check_model(settings, name, version)
        return {"model_stats": [statistics(settings, metrics)]}


def statistics(settings: Settings, metrics: ServingMetrics) -> Json:
    """Return the counts of requests and their times, in nanoseconds. Nothing is queued before it is measured."""
    failed = sum(count for code, count in metrics.codes.items() if code >= 400)
    return {
        "name": settings.name,
        "version": settings.version,
        "last_inference": int(metrics.last_prediction * 1000),
        "inference_count": metrics.predictions,
        "execution_count": sum(metrics.latency.counts),
        "inference_stats": {
            "success": duration(metrics.latency),
            "fail": {"count": failed, "ns": 0},
            "queue": {"count": sum(metrics.latency.counts), "ns": 0},
            "compute_input": duration(metrics.preprocess),
            "compute_infer": duration(metrics.predict),
            "compute_output": duration(metrics.postprocess),
        },
        "batch_stats": [],
    }


def duration(histogram: Histogram) -> Json:
    """Return count and total nanoseconds of a histogram."""
    return {"count": sum(histogram.counts), "ns": int(histogram.sum * 1e9)}


def add_repository(app: FastAPI, settings: Settings) -> None:
    """Add the repository's index, and answers to load and unload, which HeartModels decide."""

    @app.post("/v2/repository/index", tags=TAGS)
    async def repository_index(request: Request) -> list[dict[str, str]]:
        """The one version that this server has. A body is allowed and changes nothing: the version is always ready."""
        return [{"name": settings.name, "version": settings.version, "state": "READY", "reason": ""}]

    @app.post("/v2/repository/models/{name}/load", tags=TAGS, responses=UNKNOWN | FIXED)
    @app.post("/v2/repository/models/{name}/unload", tags=TAGS, responses=UNKNOWN | FIXED)
    async def change_repository(name: str) -> None:
        """Always an error: the operator says which version serves."""
        check_model(settings, name)
        raise HTTPException(400, WHY_FIXED)
