"""HTML pages from the templates of this package: one file each, images inline."""

import base64
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from heart_trainer.report import wording as words

ENVIRONMENT = Environment(
    loader=PackageLoader("heart_trainer.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.globals.update(title=words.title, figure=words.figure, number=words.number, meaning=words.METRICS)


def render_page(template: str, **values: Any) -> str:
    """The template as HTML; text among the values is escaped. Raises jinja2's UndefinedError for a missing value."""
    return ENVIRONMENT.get_template(template).render(**values)


def inline_image(png: bytes) -> str:
    """A PNG as a data URI for the `src` of an image."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
