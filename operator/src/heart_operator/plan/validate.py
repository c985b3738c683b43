"""What the CRD's schema and rules cannot know: each problem names the field and what to do."""

import re
from collections.abc import Iterable, Set
from urllib.parse import urlsplit

from heart_api.contract import Feature
from heart_api.durations import seconds
from heart_api.handover import DataAccess
from heart_api.heartmodel import Alerts, GateCheck, HeartModel, HeartModelSpec, RolloutStep
from heart_api.kube.kinds import TRAIN_JOB
from heart_api.profile import RuntimeProfile
from heart_api.quantities import amount
from heart_api.resources import Resources
from heart_operator.manifests.training_job import MAX_SPEC_BYTES, is_train_job
from heart_operator.plan.claims import claim_problems, matches, taken_problems
from heart_operator.plan.observed import Observed

DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
REGRESSION_METRICS = frozenset({"rmse", "mae", "r2"})
BOUNDS_ONLY = frozenset({"calibration_slope"})
"""Metrics that are best at 1: neither "worse" nor a gap is defined for these."""


def problems(observed: Observed) -> tuple[str, ...]:
    """`spec.field: what is wrong; what to do`, for every problem; empty when the spec can be carried out."""
    return (
        *_problems(observed.model, observed.profile, observed.profiles),
        *taken_problems(observed.model, observed.usage.taken),
        *kind_problems(observed.model, observed.kinds),
        *train_job_problems(observed),
    )


def _problems(model: HeartModel, profile: RuntimeProfile | None, profiles: tuple[str, ...]) -> Iterable[str]:
    yield from name_problems(model)
    if profile is None:
        known = ", ".join(profiles) or "none"
        yield f"spec.runtime: runtime profile {model.spec.runtime!r} not found (available: {known})"
    else:
        yield from source_problems(model.spec, profile)
        yield from registry_name_problems(model, profile)
        yield from registry_access_problems(model, profile)
        yield from claim_problems(model, profile.routes)
        yield from trainer_problems(model, profile)
    yield from size_problems(model.spec)
    yield from contract_problems(model.spec)
    for index, check in enumerate(model.spec.gates.checks):
        yield from check_problems(f"spec.gates.checks[{index}]", check, model.spec)
    yield from alert_problems(model.spec.monitoring.alerts)
    yield from step_problems(model.spec.rollout.steps)
    yield from experiment_problems(model.spec)
    yield from resource_problems("spec.training.resources", model.spec.training.resources)
    yield from resource_problems("spec.serving.resources", model.spec.serving.resources)
    autoscaling = model.spec.serving.autoscaling
    if autoscaling and autoscaling.min_replicas > autoscaling.max_replicas:
        yield "spec.serving.autoscaling: minReplicas is above maxReplicas"


def name_problems(model: HeartModel) -> Iterable[str]:
    """The Service bears the model's name; all other names are derived and cut where necessary."""
    if len(model.name) > 63 or not DNS_LABEL.fullmatch(model.name):
        yield (
            "metadata.name: it becomes the Service's name, so it must have at most 63 characters of a-z, 0-9"
            " and hyphens "
            "and start with a letter; create the model under another name"
        )


def source_problems(spec: HeartModelSpec, profile: RuntimeProfile) -> Iterable[str]:
    if spec.dataset:
        yield from dataset_problems(spec.dataset.uri, profile.data)
        if spec.dataset.is_in_dvc and profile.images.dvc is None:
            yield (
                f"spec.dataset.uri: the runtime profile {spec.runtime!r} has no image for datasets of DVC; ask the"
                f" administrator to set runtimes.{spec.runtime}.images.dvc"
            )
    elif profile.images.federation is None:
        yield (
            f"spec.federation: the runtime profile {spec.runtime!r} has no image for federated trainings; ask the"
            f" administrator to set runtimes.{spec.runtime}.images.federation"
        )


def dataset_problems(uri: str, access: DataAccess) -> Iterable[str]:
    scheme = uri.partition("://")[0]
    if scheme not in access.schemes:
        allowed = ", ".join(access.schemes)
        yield f"spec.dataset.uri: the runtime profile does not allow {scheme}://; use one of: {allowed}"
    elif scheme in ("http", "https", "dvc+http", "dvc+https"):
        yield from host_problems(uri, access)


def host_problems(uri: str, access: DataAccess) -> Iterable[str]:
    """The Job checks again, with what the name resolves to."""
    try:
        host = urlsplit(uri).hostname or ""
    except ValueError:
        host = ""
    if not host:
        yield "spec.dataset.uri: it names no host; write https://host/path"
    elif access.hosts and not any(matches(host, pattern.lower()) for pattern in access.hosts):
        allowed = ", ".join(access.hosts)
        yield f"spec.dataset.uri: the runtime profile does not allow the host {host}; allowed are: {allowed}"


def registry_name_problems(model: HeartModel, profile: RuntimeProfile) -> Iterable[str]:
    name = model.registry_name
    if profile.tracking_auth == "Kubernetes":
        return  # the workspace is the namespace's own
    if not name.startswith(f"{model.namespace}.") and name not in profile.registry_names:
        yield (
            f"spec.registryName: {name!r} does not start with {model.namespace + '.'!r}; choose such a name, or ask "
            "the administrator to allow this one in the runtime profile (registryNames)"
        )


def registry_access_problems(model: HeartModel, profile: RuntimeProfile) -> Iterable[str]:
    if profile.is_registry_exposed and not profile.insecure:
        yield (
            f"spec.runtime: the runtime profile {model.spec.runtime!r} reaches MLflow over plain HTTP without"
            " credentials; ask the administrator for https and a trackingSecret, or for insecure: true"
        )


def trainer_problems(model: HeartModel, profile: RuntimeProfile) -> Iterable[str]:
    training = model.spec.training
    if training.trainer is None:
        if training.parameters:
            yield "spec.training.parameters: they are for a trainer of your own; name it in training.trainer"
    elif model.spec.federation:
        yield "spec.training.trainer: sites train HeartOps' own algorithms; remove it, or give the model a dataset"
    elif training.trainer not in profile.trainers:
        approved = ", ".join(sorted(profile.trainers)) or "none"
        yield (
            f"spec.training.trainer: the runtime profile {model.spec.runtime!r} approves no trainer"
            f" {training.trainer!r} (approved: {approved}); name one of these, or ask the administrator to add it"
        )


def size_problems(spec: HeartModelSpec) -> Iterable[str]:
    """The trainer gets the spec in its environment, and a variable has a greatest length."""
    size = len(spec.model_dump_json(by_alias=True, exclude_none=True).encode())
    if size > MAX_SPEC_BYTES:
        yield (
            f"spec.features: the spec has {size:,} bytes as JSON, more than the {MAX_SPEC_BYTES:,} that a training Job "
            "can be handed; shorten descriptions, or give categories shorter or fewer values"
        )


def contract_problems(spec: HeartModelSpec) -> Iterable[str]:
    if spec.training.task == "regression" and spec.target.positive_above is not None:
        yield (
            "spec.target.positiveAbove: it makes classes of the target; remove it, or set training.task: classification"
        )
    names = [feature.name for feature in spec.features]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"spec.features: {name} is listed more than once"
    if spec.target.name in names:
        yield f"spec.features: {spec.target.name} is the target; a model must not see what it predicts"
    if spec.dataset and spec.dataset.columns:
        for name in (*names, spec.target.name):
            if name not in spec.dataset.columns:
                yield f"spec.dataset.columns: {name} is not among them; add it or remove it from the contract"
    for index, feature in enumerate(spec.features):
        yield from feature_problems(f"spec.features[{index}]", feature)


def feature_problems(path: str, feature: Feature) -> Iterable[str]:
    if feature.minimum is not None and feature.maximum is not None and feature.minimum > feature.maximum:
        yield f"{path}: minimum is above maximum ({feature.name})"


def check_problems(path: str, check: GateCheck, spec: HeartModelSpec) -> Iterable[str]:
    regression = spec.training.task == "regression"
    if (check.metric in REGRESSION_METRICS) != regression:
        yield f"{path}.metric: {check.metric} does not exist for training.task {spec.training.task}"
    bounds = [check.min is not None or check.max is not None, check.max_regression is not None]
    if [*bounds, check.max_gap is not None].count(True) != 1:
        yield f"{path}: set min or max, or maxRegression, or maxGap with slice"
    if check.min is not None and check.max is not None and check.min > check.max:
        yield f"{path}: min is above max"
    if check.metric in BOUNDS_ONLY and (check.max_regression is not None or check.max_gap is not None):
        yield f"{path}: {check.metric} is best at 1 and can only have min and max"
    yield from slice_problems(path, check, spec)


def slice_problems(path: str, check: GateCheck, spec: HeartModelSpec) -> Iterable[str]:
    if (check.slice is None) != (check.max_gap is None):
        yield f"{path}: maxGap and slice belong together"
    elif check.slice is not None and check.slice not in groupings(spec):
        yield f"{path}.slice: {check.slice} is not a sensitive feature; set sensitive: true on it in spec.features"


def groupings(spec: HeartModelSpec) -> list[str]:
    """What figures are computed per group of."""
    return [*(["site"] if spec.federation else []), *(feature.name for feature in spec.features if feature.sensitive)]


def kind_problems(model: HeartModel, kinds: Set[str]) -> Iterable[str]:
    if model.spec.serving.route and "HTTPRoute" not in kinds:
        yield "spec.serving.route: this cluster has no kind HTTPRoute; install the Gateway API, or remove the route"


def train_job_problems(observed: Observed) -> Iterable[str]:
    if is_train_job(observed.model, observed.profile) and TRAIN_JOB.kind not in observed.kinds:
        yield (
            f"spec.training.scale: the runtime profile {observed.model.spec.runtime!r} trains on several pods by a"
            " TrainJob, and Kubeflow Trainer is not installed or the operator may not use it; ask the administrator to"
            f" install it, or to remove runtimes.{observed.model.spec.runtime}.training.trainJob"
        )


def step_problems(steps: Iterable[RolloutStep]) -> Iterable[str]:
    """A candidate that has proven itself with some traffic is not to get less."""
    before = 0
    for index, step in enumerate(steps):
        if step.set_weight is not None and step.set_weight < before:
            yield f"spec.rollout.steps[{index}].setWeight: {step.set_weight} is less than {before}, which came before"
        before = max(before, step.set_weight or 0)


def experiment_problems(spec: HeartModelSpec) -> Iterable[str]:
    """A metric that nobody could ever measure."""
    experiment, path = spec.rollout.experiment, "spec.rollout.experiment.metric"
    if experiment is None or experiment.metric == "ErrorRate":
        return
    if experiment.metric == "Accuracy" and spec.training.task == "regression":
        yield f"{path}: Accuracy does not exist for training.task regression; use MeanOutcome or ErrorRate"
    if spec.serving.prediction_log.sink != "PostgreSQL":
        yield (
            f"{path}: {experiment.metric} needs the outcomes that people report; set serving.predictionLog.sink to"
            " PostgreSQL, or use ErrorRate"
        )


def alert_problems(alerts: Alerts) -> Iterable[str]:
    if alerts.error_rate.warning > alerts.error_rate.critical:
        yield "spec.monitoring.alerts.errorRate: warning is above critical"
    if seconds(alerts.latency_p95.warning) > seconds(alerts.latency_p95.critical):
        yield "spec.monitoring.alerts.latencyP95: warning is above critical"


def resource_problems(path: str, resources: Resources | None) -> Iterable[str]:
    if resources is None or resources.requests is None or resources.limits is None:
        return
    for name in ("cpu", "memory"):
        request, limit = getattr(resources.requests, name), getattr(resources.limits, name)
        if request is not None and limit is not None and amount(request) > amount(limit):
            yield f"{path}.requests.{name}: {request} is above the limit {limit}"
