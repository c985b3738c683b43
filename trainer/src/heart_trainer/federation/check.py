"""A site's own look at its data: rows, and what breaks the contracts of the models that it allows."""

import re
from collections.abc import Iterator

from heart_api.federation import SiteCheckOutcome, SiteCheckRequest, SiteModel, SiteProblem
from heart_trainer.errors import DataInvalid, TrainerError
from heart_trainer.federation.holding import answers_of, read_site, reading
from heart_trainer.federation.messages import refusal

MOST_PROBLEMS = 10
LONGEST = 250
BY_COLUMN = re.compile(r"By column: (?P<columns>[^.]*)\.")


def check_site(request: SiteCheckRequest, public_key: str) -> SiteCheckOutcome:
    """Never raises for what is wrong with the data."""
    problems: list[SiteProblem] = []
    rows = 0
    for model in request.models if request.dataset else ():
        try:
            rows = max(rows, _rows(request, model))
        except DataInvalid as error:
            problems += _problems(f"{model.namespace}/{model.name}", error)
        except TrainerError as error:
            return SiteCheckOutcome(public_key=public_key, failure=refusal(error.reason, error.message))
    more = max(len(problems) - MOST_PROBLEMS, 0)
    return SiteCheckOutcome(
        public_key=public_key, rows=rows, problems=tuple(problems[:MOST_PROBLEMS]), more_problems=more
    )


def _rows(request: SiteCheckRequest, model: SiteModel) -> int:
    assert request.dataset  # the caller has asked
    job = reading(
        model.namespace, model.name, request.dataset, model.target, model.features, model.task, request.access
    )
    found = read_site(job)
    answers_of(found, job)
    return len(found.checked.encoded)


def _problems(model: str, error: DataInvalid) -> Iterator[SiteProblem]:
    """One for each column where the reader counted cells by column, else one for the file."""
    counted = BY_COLUMN.search(error.message)
    if not counted:
        yield SiteProblem(model=model, message=error.message[:LONGEST])
        return
    for part in counted["columns"].split(", "):
        column, _, count = part.rpartition(" (")
        yield SiteProblem(model=model, column=column, message=f"{count.rstrip(')')} cells break the contract")
