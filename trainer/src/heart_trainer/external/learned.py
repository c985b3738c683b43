"""What a training in chunks leaves behind, whichever family it was of, and how its rows are asked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from heart_trainer.evaluation.evaluate import Measurement
from heart_trainer.external.peers import Peers
from heart_trainer.external.prepared import Prepared
from heart_trainer.fit.families import Setting
from heart_trainer.sums.additive import Sums, total
from heart_trainer.sums.describe import Description
from heart_trainer.sums.driver import Request
from heart_trainer.sums.evaluation import EvaluationRequest, measure
from heart_trainer.sums.study import Study
from heart_trainer.values import FoldChoice

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Learned:
    """`request`, `tables`: the evaluation and its answer, summed over all rows. `choices`: the final model's is last.

    `estimator`: makes the fitted final model.
    """

    study: Study
    description: Description
    request: EvaluationRequest
    tables: Sums
    choices: tuple[FoldChoice, ...]
    estimator: Callable[[Setting], Any]

    def measurement(self) -> Measurement:
        return measure(self.request, self.tables, self.study.seed)


def ask(request: Request, prepared: Prepared, peers: Peers) -> Sums:
    """The answer of all rows, in one pass. The sums of equal rows are equal to the last bit."""
    return peers.total(total(request.schema(), (request.collect(rows) for rows in prepared.chunks())))
