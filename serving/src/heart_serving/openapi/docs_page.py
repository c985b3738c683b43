"""/docs: one self-contained page for people. Swagger UI would come from a CDN, which many clusters cannot reach."""

import json
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from heart_api.contract import Feature
from heart_api.package import ServingPackage
from heart_serving.model.examples import example_record
from heart_serving.settings import Settings


def docs_page(document: dict[str, Any], package: ServingPackage, settings: Settings) -> str:
    """HTML with the contract, the routes and a form that sends a record to /predict."""
    page = Template(files("heart_serving.openapi").joinpath("docs.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=escape(f"{settings.name} version {settings.version}"),
        purpose=escape(package.target.description or f"Predicts {package.target.name}."),
        warning="<p class=warning>Trained on synthetic data: for demonstration only.</p>" if package.synthetic else "",
        rows="\n".join(feature_row(feature) for feature in package.features),
        example=escape(json.dumps(example_record(package), indent=2)),
        routes="\n".join(
            f"<tr><td><code>{method.upper()} {escape(path)}</code><td>{escape(operation.get('summary', ''))}"
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        ),
    )


def feature_row(feature: Feature) -> str:
    cells = (
        feature.name,
        feature.type,
        allowed(feature),
        feature.unit or "",
        (feature.description or "") + ("" if feature.required else " (may be missing)"),
    )
    return "<tr>" + "".join(f"<td>{escape(cell)}" for cell in cells)


def allowed(feature: Feature) -> str:
    if feature.values:
        return ", ".join(map(str, feature.values))
    low = "" if feature.minimum is None else f"{feature.minimum:.15g}"
    high = "" if feature.maximum is None else f"{feature.maximum:.15g}"
    return f"{low} – {high}" if low or high else ""
