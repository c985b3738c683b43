"""A site's own look at its data: rows, and what breaks the contracts of the models that it allows."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from heart_api.contract import Feature, Target
from heart_api.federation import SiteCheckOutcome, SiteCheckRequest, SiteModel, SiteProblem
from heart_trainer.errors import ColumnsMissing, DataInvalid, TrainerError
from heart_trainer.federation.holding import SeveralClasses, answers_of, read_site, reading
from heart_trainer.federation.messages import refusal

log = logging.getLogger(__name__)

MOST_PROBLEMS = 10
LONGEST = 250
BY_COLUMN = re.compile(r"By column: (?P<columns>[^.]*)\.")


def check_site(request: SiteCheckRequest, public_key: str, data: Path | None = None) -> SiteCheckOutcome:
    """Never raises for what is wrong with the data. `data`: a local file in place of the dataset's address."""
    problems: list[SiteProblem] = []
    rows = 0
    for model in request.models if request.dataset else ():
        try:
            rows = max(rows, _rows(request, model, data))
        except DataInvalid as error:
            log.warning("%s/%s: %s", model.namespace, model.name, error.message)
            problems += _problems(f"{model.namespace}/{model.name}", model, error)
        except TrainerError as error:
            return SiteCheckOutcome(public_key=public_key, failure=refusal(error.reason, error.message))
    more = max(len(problems) - MOST_PROBLEMS, 0)
    return SiteCheckOutcome(
        public_key=public_key, rows=rows, problems=tuple(problems[:MOST_PROBLEMS]), more_problems=more
    )


def _rows(request: SiteCheckRequest, model: SiteModel, data: Path | None) -> int:
    assert request.dataset  # the caller has asked
    job = reading(
        model.namespace, model.name, request.dataset, model.target, model.features, model.task, request.access
    )
    found = read_site(job, data)
    answers_of(found, job)
    return len(found.checked.encoded)


def _problems(name: str, model: SiteModel, error: DataInvalid) -> Iterator[SiteProblem]:
    """One for each column where the columns are known, which the model's owner is told; else one for the file."""
    if isinstance(error, ColumnsMissing):
        fields: tuple[Feature | Target, ...] = (*model.features, model.target)
        own = {field.file_column: field.name for field in fields}
        for column in error.columns:
            yield SiteProblem(model=name, column=own.get(column, column), message="the data have no such column")
        return
    if isinstance(error, SeveralClasses):
        yield SiteProblem(model=name, column=model.target.name, message=error.message)
        return
    yield from _counted(name, error)


def _counted(model: str, error: DataInvalid) -> Iterator[SiteProblem]:
    counted = BY_COLUMN.search(error.message)
    if not counted:
        yield SiteProblem(model=model, message=error.message[:LONGEST])
        return
    for part in counted["columns"].split(", "):
        column, _, count = part.rpartition(" (")
        yield SiteProblem(model=model, column=column, message=f"{count.rstrip(')')} cells break the contract")
