"""How pods that share a search hand over what they chose: by small sealed files in runs of their own.

MLflow is where every pod may write already, so that nothing else has to be opened. What another pod wrote is believed
by its seal, which takes the namespace's key and names trigger and dataset.
"""

import hmac
import json
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.entities import Run

from heart_api.handover import Tag, TrainingRequest
from heart_trainer.errors import TrainerError
from heart_trainer.fit.helpers import Settings
from heart_trainer.mlflow.client import RegistryUnavailable, Store

FILE = "settings.json"
POLL_SECONDS = 2.0
INDEX = "JOB_COMPLETION_INDEX"
"""Set by Kubernetes in the pods of an Indexed Job."""


class SharedSearch:
    """This pod among those that share the search of a training."""

    def __init__(
        self,
        store: Store,
        request: TrainingRequest,
        dataset: str,
        key: str,
        rank: int,
        progress: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """`dataset`: the digest of the rows; `key`: the namespace's, of the seals."""
        self.rank, self.count = rank, request.training.tuning.parallelism or 1
        self._store, self._request, self._key, self._progress = store, request, key, progress
        self._about = [request.trigger, dataset]
        self._now, self._wait = now, wait

    def publish(self, found: Mapping[int, Settings]) -> None:
        """Raises RegistryUnavailable."""
        text = json.dumps({str(number): list(settings) for number, settings in found.items()})
        document = json.dumps({"settings": text, "seal": self._seal(text)})
        name = f"{self._request.job or self._request.name}-search-{self.rank}"
        tags = {Tag.SEARCH: self._request.trigger, Tag.MODEL: f"{self._request.namespace}/{self._request.name}"}
        with self._store.run(self._experiment(), name, tags) as run_id, TemporaryDirectory() as folder:
            (Path(folder) / FILE).write_text(document)
            self._store.log_folder(run_id, Path(folder))
        self._progress(f"handed over the settings of {len(found)} searches")

    def collect(self, wanted: AbstractSet[int]) -> Mapping[int, Settings]:
        """Raises TrainerError where they are not there within the training's time."""
        deadline = self._now() + self._request.training.timeout_seconds
        found: dict[int, Settings] = {}
        while missing := wanted - found.keys():
            found |= {number: settings for number, settings in self._handed_over().items() if number in missing}
            if wanted <= found.keys():
                break
            if self._now() > deadline:
                numbers = ", ".join(map(str, sorted(missing)))
                message = f"the searches {numbers} of other pods did not arrive in spec.training.timeoutSeconds"
                raise TrainerError("TrainingInterrupted", message, permanent=False)
            self._wait(POLL_SECONDS)
        return found

    def forget(self) -> None:
        """Delete the runs in which something was handed over: the version's own run has all that counts."""
        for run in self._runs():
            with self._store.speaking():
                self._store.client.delete_run(run.info.run_id)

    def _handed_over(self) -> dict[int, Settings]:
        return {number: settings for run in self._runs() for number, settings in self._read(run).items()}

    def _runs(self) -> list[Run]:
        clause = f"tags.`{Tag.SEARCH}` = '{self._request.trigger}'"
        with self._store.speaking():
            return list(self._store.client.search_runs([self._experiment()], clause))

    def _read(self, run: Run) -> dict[int, Settings]:
        """What a run holds; nothing, where its file is not there yet or its seal is not ours."""
        try:
            document = json.loads(self._store.read_run(run.info.run_id, FILE))
            text = str(document["settings"])
            if not hmac.compare_digest(self._seal(text), str(document["seal"])):
                return {}
            return {int(number): settings for number, settings in json.loads(text).items()}
        except (RegistryUnavailable, ValueError, KeyError, TypeError):
            return {}

    def _seal(self, text: str) -> str:
        message = json.dumps(["heartops-search-1", *self._about, text])
        return hmac.new(self._key.encode(), message.encode(), "sha256").hexdigest()

    def _experiment(self) -> str:
        return self._store.experiment(self._request.registry_name)


def rank_of(request: TrainingRequest, environ: Mapping[str, str]) -> int | None:
    """This pod's number among those that share the search; None for a training by one pod, or on a laptop."""
    if (request.training.tuning.parallelism or 1) == 1 or INDEX not in environ:
        return None
    return int(environ[INDEX])
