"""OpenAPI built from the data contract: FastAPI describes the plain routes, `operations` the predictions."""

from collections.abc import Sequence

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from heart_api.package import ServingPackage
from heart_serving.explain.worker import shipped
from heart_serving.openapi.explain_operation import explain, explanation_schema
from heart_serving.openapi.operations import predict
from heart_serving.openapi.protocol_operations import PARAMETERS, invocations, open_inference, tensor_schema, v1_predict
from heart_serving.openapi.schemas import Json, prediction_schema, record_schema
from heart_serving.settings import Settings


def build_openapi(routes: Sequence[BaseRoute], package: ServingPackage, settings: Settings) -> Json:
    document = get_openapi(
        title=f"{settings.name} version {settings.version}",
        version=settings.version,
        description=package.target.description or f"Predicts {package.target.name}.",
        routes=routes,
    )
    document["paths"] = prediction_paths(package, settings) | document["paths"]
    document.setdefault("components", {}).setdefault("schemas", {}).update(component_schemas(package))
    return document


def servers(public_paths: Sequence[str]) -> list[Json]:
    """What the document's paths are found below, as users write it first."""
    return [*({"url": path} for path in public_paths), {"url": "/", "description": "Inside the cluster."}]


def prediction_paths(package: ServingPackage, settings: Settings) -> Json:
    model = f"/v2/models/{settings.name}"
    explanation = shipped(package, settings)
    return {
        "/predict": {"post": predict(package)},
        **({"/explain": {"post": explain(package, explanation)}} if explanation else {}),
        f"{model}/infer": {"post": open_inference(package, "infer")},
        f"{model}/versions/{settings.version}/infer": {"post": open_inference(package, "inferVersion")},
        "/invocations": {"post": invocations(package, "invocations")},
        f"/endpoints/{settings.name}/invocations": {"post": invocations(package, "endpointInvocations")},
        f"/v1/models/{settings.name}:predict": {"post": v1_predict(package)},
    }


def component_schemas(package: ServingPackage) -> Json:
    return {
        "Record": record_schema(package),
        "Prediction": prediction_schema(package),
        "Explanation": explanation_schema(package),
        "Tensor": tensor_schema(),
        "Parameters": PARAMETERS,
        "Problem": {"type": "object", "properties": {"detail": {}}, "required": ["detail"]},
        "ProtocolError": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]},
        "ScoringError": {
            "type": "object",
            "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
            "required": ["error_code", "message"],
        },
    }
