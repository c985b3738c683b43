"""A registry in memory, and the training that fills it, for tests in which MLflow is not the point."""

import hashlib
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from heart_api.evaluation import Comparison, Difference, Estimate, Evaluation, ServingReference
from heart_api.handover import EvaluationRequest, TrainingFailure, TrainingOutcome, TrainingRequest, TrainingResult
from heart_api.outbox import OutboxEntry
from heart_operator.mlflow.backend import RegisteredModel, Snapshot
from heart_operator.plan.actions import CloseRuns, RegistryAction, SetAlias, TagVersion
from heart_operator.plan.observed import RegisteredVersion


def evaluation_of(auc: float, against: ServingReference | None) -> Evaluation:
    """Figures of a version with this ROC-AUC on 303 rows, equal to what serves."""
    estimate = Estimate(n=303, events=139, estimate=auc, low=auc - 0.03, high=auc + 0.03)
    difference = Difference(n=303, events=139, candidate=auc, serving=auc, difference=0, low=-0.005, high=0.005)
    return Evaluation(
        task="binary",
        algorithm="logistic-regression",
        dataset_sha256="d" * 64,
        rows=303,
        metrics={"roc_auc": estimate},
        comparison=Comparison(against=against, metrics={"roc_auc": difference}) if against else None,
    )


@dataclass
class FakeRegistry:
    """Implements registry.Backend; `down` makes every call fail as a connection error would."""

    down: bool = False
    auc: float = 0.91
    snapshots: int = 0
    models: dict[str, RegisteredModel] = field(default_factory=dict)
    versions: dict[str, dict[str, RegisteredVersion]] = field(default_factory=dict)
    open_runs: dict[str, frozenset[str]] = field(default_factory=dict)
    artifacts: dict[tuple[str, str], bytes] = field(default_factory=dict)
    history: dict[str, dict[str, OutboxEntry]] = field(default_factory=dict)
    """By registered model and id."""
    unservable: set[tuple[str, str]] = field(default_factory=set)
    """Versions registered by hand that no evaluation Job can measure."""
    actions: list[tuple[str, RegistryAction]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def snapshot(self, named: Collection[str] = ()) -> Snapshot:
        self._check()
        with self.lock:
            self.snapshots += 1
            versions = {name: dict(found) for name, found in self.versions.items()}
            return Snapshot(dict(self.models), versions, dict(self.open_runs))

    def read_artifact(self, run_id: str, path: str, limit: int) -> bytes:
        self._check()
        return self.artifacts[run_id, path]

    def act(self, registry_name: str, action: RegistryAction) -> None:
        self._check()
        with self.lock:
            self.actions.append((registry_name, action))
            self._act(registry_name, action)

    def record(self, registry_name: str, entries: Sequence[OutboxEntry]) -> None:
        self._check()
        with self.lock:
            known = self.history.setdefault(registry_name, {})
            known.update({entry.id: entry for entry in entries if entry.id not in known})

    def train(self, request: TrainingRequest) -> TrainingOutcome:
        """What a training Job does to the registry, and its termination message."""
        name = request.registry_name
        with self.lock:
            known = self.versions.setdefault(name, {})
            version = str(len(known) + 1)
            result = self._store(name, version, f"run-{name}-{version}", request.serving)
            aliases = self.models[name].aliases if name in self.models else {}
            self.models[name] = RegisteredModel(f"{request.namespace}/{request.name}", aliases)
            known[version] = RegisteredVersion(version, result.run_id, request.trigger, result.artifact_sha256)
        return TrainingOutcome(result=result)

    def register_by_hand(self, registry_name: str, servable: bool = True, trigger: str = "") -> str:
        """What a notebook does, with the tag of a training if it lies; the version's number."""
        with self.lock:
            known = self.versions.setdefault(registry_name, {})
            version = str(len(known) + 1)
            self.models.setdefault(registry_name, RegisteredModel(None, {}))
            known[version] = RegisteredVersion(version, "notebook", trigger, "", created=1_760_000_000_000)
            if not servable:
                self.unservable.add((registry_name, version))
        return version

    def evaluate(self, request: EvaluationRequest) -> TrainingOutcome:
        """What an evaluation Job does to the registry, and its termination message."""
        name, version = request.registry_name, request.version
        if (name, version) in self.unservable:
            return TrainingOutcome(failure=TrainingFailure(reason="NotServable", message="it has no model.onnx"))
        with self.lock:
            result = self._store(name, version, f"evaluation-{name}-{version}", request.serving)
            self.models[name] = RegisteredModel(f"{request.namespace}/{request.name}", self.models[name].aliases)
            tags = {"run_id": result.run_id, "artifact_sha256": result.artifact_sha256}
            self.versions[name][version] = replace(self.versions[name][version], **tags)
        outside = {"sealed": False, "seal_message": "it carries no seal"}
        return TrainingOutcome(result=result.model_copy(update=outside))

    def _store(self, name: str, version: str, run_id: str, against: ServingReference | None) -> TrainingResult:
        content = evaluation_of(self.auc, against).model_dump_json(by_alias=True).encode()
        self.artifacts[run_id, "evaluation/evaluation.json"] = content
        return TrainingResult(
            version=version,
            run_id=run_id,
            artifact_sha256="sha256:" + hashlib.sha256(f"{name} {version}".encode()).hexdigest(),
            evaluation_sha256="sha256:" + hashlib.sha256(content).hexdigest(),
        )

    def aliases(self, registry_name: str) -> Mapping[str, str]:
        return self.models[registry_name].aliases

    def _check(self) -> None:
        if self.down:
            raise ConnectionError("connection refused")

    def _act(self, name: str, action: RegistryAction) -> None:
        match action:
            case SetAlias(alias=alias, version=version):
                aliases = {key: value for key, value in self.models[name].aliases.items() if key != alias}
                if version is not None:
                    aliases[alias] = version
                self.models[name] = RegisteredModel(self.models[name].claimed_by, aliases)
            case TagVersion(version=version, value=value):
                old = self.versions[name][version]
                self.versions[name][version] = replace(old, rejected=value or None)
            case CloseRuns(trigger=trigger):
                self.open_runs[name] = self.open_runs.get(name, frozenset()) - {trigger}
