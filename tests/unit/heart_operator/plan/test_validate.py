"""What the CRD cannot know ends with the field's path and what to do."""

from typing import Any

import pytest

from heart_api.profile import ApprovedTrainer, RouteAccess, RuntimeProfile, TrainingPods, TrainJobRuntime
from heart_operator.plan.validate import problems
from tests.support.plan.world import PROFILE, World, heart_model

FEATURES = [
    {"name": "age", "type": "number", "minimum": 0, "maximum": 120},
    {"name": "sex", "type": "category", "values": [0, 1], "sensitive": True},
]
DATA = PROFILE.data.model_copy(
    update={"schemes": ("https", "pvc", "configmap", "dvc+https"), "hosts": ("*.example.org",)}
)
TRAINERS = {name: ApprovedTrainer(image=f"registry.example.org/{name}:1") for name in ("torch", "lightgbm")}
NAMES = ("shared.heart", "CaliforniaHousingBestModel")
NARROW = PROFILE.model_copy(update={"data": DATA, "registry_names": NAMES, "trainers": TRAINERS})


def check(**values: Any) -> dict[str, Any]:
    return {"features": FEATURES, "gates": {"checks": [values]}}


def latency(warning: str, critical: str) -> dict[str, Any]:
    return {"monitoring": {"alerts": {"latencyP95": {"warning": warning, "critical": critical}}}}


REJECTED = [
    ({"runtime": "gpu"}, "spec.runtime: runtime profile 'gpu' not found (available: default)"),
    (
        {"training": {"trainer": "catboost", "holdout": 0.2}},
        "the runtime profile 'default' approves no trainer 'catboost' (approved: lightgbm, torch)",
    ),
    ({"training": {"parameters": {"depth": 3}}}, "spec.training.parameters: they are for a trainer of your own"),
    ({"dataset": {"uri": "s3://bucket/key"}}, "spec.dataset.uri: the runtime profile does not allow s3://; use one of"),
    (
        {"dataset": {"uri": "https://example.com/x.csv"}},
        "the host example.com; allowed are: *.example.org",
    ),
    ({"dataset": {"uri": "https://example.org/x.csv"}}, "does not allow the host example.org"),
    ({"dataset": {"uri": "https://a.example.org@evil.com/x"}}, "does not allow the host evil.com"),
    ({"dataset": {"uri": "https://[::1/x.csv"}}, "it names no host"),
    (
        {"dataset": {"uri": "dvc+https://a.example.org/x.git#x.csv"}},
        "has no image for datasets of DVC; ask the administrator to set runtimes.default.images.dvc",
    ),
    ({"registryName": "other.heart"}, "spec.registryName: 'other.heart' does not start with 'clinic.'"),
    ({"registryName": "clinicheart"}, "spec.registryName"),
    ({"registryName": "HousingBestModel"}, "spec.registryName"),
    ({"registryName": "Clinic.heart"}, "spec.registryName"),
    ({"training": {"task": "regression"}, "gates": {}}, "spec.target.positiveAbove"),
    ({"features": [FEATURES[0], FEATURES[0]]}, "spec.features: age is listed more than once"),
    ({"features": [{"name": "num", "type": "number"}]}, "spec.features: num is the target"),
    (
        {"features": [{"name": "age", "type": "number", "minimum": 2, "maximum": 1}]},
        "spec.features[0]: minimum",
    ),
    ({"dataset": {"uri": "https://a.example.org/x", "columns": ["age", "sex"]}}, "spec.dataset.columns: num is not"),
    (check(metric="recall", maxGap=0.1, slice="age"), "spec.gates.checks[0].slice: age is not a sensitive feature"),
    (check(metric="recall", maxGap=0.1), "spec.gates.checks[0]: maxGap and slice belong together"),
    (check(metric="recall", min=0.1, slice="sex"), "spec.gates.checks[0]: maxGap and slice belong together"),
    (check(metric="recall"), "spec.gates.checks[0]: set min or max"),
    (check(metric="recall", min=0.1, maxRegression=0.1), "spec.gates.checks[0]: set min or max"),
    (check(metric="recall", min=0.9, max=0.1), "spec.gates.checks[0]: min is above max"),
    (check(metric="calibration_slope", maxRegression=0.1), "calibration_slope is best at 1"),
    (check(metric="rmse", max=1), "spec.gates.checks[0].metric: rmse does not exist for training.task classification"),
    (
        {"monitoring": {"alerts": {"errorRate": {"warning": 0.1, "critical": 0.05}}}},
        "spec.monitoring.alerts.errorRate: warning is above critical",
    ),
    (latency("2s", "1500ms"), "spec.monitoring.alerts.latencyP95: warning is above critical"),
    (
        {"serving": {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1024Mi"}}}},
        "spec.serving.resources.requests.memory: 2Gi is above the limit 1024Mi",
    ),
    (
        {"training": {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "500m"}}}},
        "spec.training.resources.requests.cpu: 2 is above the limit 500m",
    ),
    ({"serving": {"autoscaling": {"minReplicas": 5, "maxReplicas": 4}}}, "spec.serving.autoscaling: minReplicas"),
]
ALLOWED = [
    {},
    {"dataset": {"uri": "pvc://claim/data/heart.csv"}},
    {"dataset": {"uri": "configmap://name/heart.csv"}},
    {"dataset": {"uri": "https://a.example.org/x", "columns": ["age", "sex", "num"]}},
    {"registryName": "clinic.other"},
    {"registryName": "shared.heart"},
    {"registryName": "CaliforniaHousingBestModel"},
    {"registryName": "clinic.HeartDisease"},
    check(metric="recall", maxGap=0.1, slice="sex"),
    check(metric="calibration_slope", min=0.8, max=1.2),
    latency("500ms", "1s"),
    {"serving": {"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1024Mi"}}}},
]


def found(spec: dict[str, Any], **changes: Any) -> tuple[str, ...]:
    spec = {"dataset": {"uri": "https://data.example.org/heart.csv"}} | spec
    model = heart_model(spec, **changes)
    return problems(World(model=model, profile=None if "runtime" in spec else NARROW).observe())


@pytest.mark.parametrize(("spec", "message"), REJECTED)
def test_rejected_with_path_and_advice(spec: dict[str, Any], message: str) -> None:
    (problem,) = found(spec)
    assert message in problem
    assert problem.startswith(("spec.", "metadata."))


@pytest.mark.parametrize("spec", ALLOWED)
def test_allowed(spec: dict[str, Any]) -> None:
    assert found(spec) == ()


@pytest.mark.parametrize("name", ["a" * 64, "heart.disease", "1heart", "-", "heart-"])
def test_a_name_that_no_service_can_bear(name: str) -> None:
    (problem,) = found({}, name=name)
    assert problem.startswith("metadata.name:")


def test_every_problem_is_said_at_once() -> None:
    spec = latency("2s", "1s") | {"registryName": "other.heart"}
    assert [problem.split(":")[0] for problem in found(spec)] == [
        "spec.registryName",
        "spec.monitoring.alerts.latencyP95",
    ]


ROUTES = RouteAccess(gateways=("edge/shared",), ingress_classes=("public",), hosts=("*.{namespace}.example.org",))
INGRESS = {"className": "public", "host": "heart.clinic.example.org"}
ROUTE = {"gateway": {"namespace": "edge", "name": "shared"}, "hostnames": ["heart.clinic.example.org"]}


def claims(serving: dict[str, Any], routes: RouteAccess) -> tuple[str, ...]:
    world = World(model=heart_model({"serving": serving}), profile=PROFILE.model_copy(update={"routes": routes}))
    world.kinds = frozenset({"HTTPRoute"})
    return problems(world.observe())


@pytest.mark.parametrize(
    ("serving", "path"),
    [
        ({"ingress": INGRESS | {"className": "internal"}}, "spec.serving.ingress.className"),
        ({"ingress": {"host": INGRESS["host"]}}, "spec.serving.ingress.className"),
        ({"ingress": INGRESS | {"host": "heart.lab.example.org"}}, "spec.serving.ingress.host"),
        ({"ingress": INGRESS | {"host": "clinic.example.org"}}, "spec.serving.ingress.host"),
        ({"route": ROUTE | {"gateway": {"name": "shared"}}}, "spec.serving.route.gateway"),
        ({"route": ROUTE | {"hostnames": []}}, "spec.serving.route.hostnames"),
        ({"route": ROUTE | {"hostnames": ["login.example.org"]}}, "spec.serving.route.hostnames"),
    ],
)
def test_a_tenant_claims_no_gateway_class_or_host_that_is_not_listed(serving: dict[str, Any], path: str) -> None:
    """The operator would claim it with its own rights."""
    (found,) = claims(serving, ROUTES)
    assert found.startswith(path)
    assert "an administrator adds it to the chart value runtimes.default.routes." in found


@pytest.mark.parametrize("serving", [{"ingress": INGRESS}, {"route": ROUTE}])
def test_a_profile_without_routes_lets_nothing_be_claimed(serving: dict[str, Any]) -> None:
    found = claims(serving, PROFILE.model_copy(update={"routes": RouteAccess()}).routes)
    assert [problem.split(":")[0].rpartition(".")[2] for problem in found] in (
        ["className", "host"],
        ["gateway", "hostnames"],
    )
    assert all("(allowed: none)" in problem for problem in found)


def test_what_is_listed_can_be_claimed() -> None:
    assert claims({"ingress": INGRESS, "route": ROUTE}, ROUTES) == ()


EXPOSED = PROFILE.model_copy(update={"tracking_uri": "http://mlflow:5000"})


def world_of(profile: RuntimeProfile) -> World:
    world = World(profile=profile)
    world.settle()
    return world


def test_plain_http_without_credentials_is_no_way_to_mlflow() -> None:
    world = world_of(EXPOSED)
    assert world.condition("Ready") == ("False", "InvalidSpec")
    assert "plain HTTP without credentials" in world.message("Ready")
    assert not world.jobs


def test_what_an_administrator_allows_is_said_by_every_model() -> None:
    world = world_of(EXPOSED.model_copy(update={"insecure": True}))
    assert world.condition("RegistrySecured") == ("False", "RegistryExposed")
    assert world.jobs


@pytest.mark.parametrize(
    "changes", [{"tracking_auth": "Kubernetes"}, {"tracking_secret": "mlflow"}, {"tracking_uri": "https://mlflow"}]
)
def test_with_credentials_or_https_there_is_nothing_to_say(changes: dict[str, Any]) -> None:
    world = world_of(EXPOSED.model_copy(update=changes))
    assert world.jobs
    assert not [entry for entry in world.model.status.conditions if entry.type == "RegistrySecured"]


def test_a_workspace_is_the_namespaces_own_whatever_its_models_are_called() -> None:
    profile = PROFILE.model_copy(update={"tracking_auth": "Kubernetes"})
    named = heart_model({"registryName": "anything"})
    assert problems(World(model=named, profile=profile).observe()) == ()
    workspace = heart_model().model_copy(update={"has_workspace": True})
    assert (heart_model().registry_name, workspace.registry_name) == ("clinic.heart", "heart")


def test_sites_run_no_trainer_of_ones_own() -> None:
    training = {"trainer": "torch", "holdout": 0.2}
    model = heart_model({"dataset": None, "federation": {"sites": ["a/b", "c/d"]}, "training": training})
    assert any("sites train HeartOps' own algorithms" in each for each in problems(World(model=model).observe()))


POSTGRES = {"serving": {"predictionLog": {"sink": "PostgreSQL"}}}
EXPERIMENT = {"duration": "10m", "by": {"header": "X-User-Id"}, "minDetectable": 0.05}
SITES = {"dataset": None, "federation": {"sites": ["a/b", "c/d"]}}
DATA_OF_DVC = {"dataset": {"uri": "dvc+https://a.example.org/x.git#x.csv"}}
IMAGES = NARROW.images.model_copy(update={"dvc": "dvc:1", "federation": "federation:1"})
WITH_IMAGES = NARROW.model_copy(update={"images": IMAGES})


def about(spec: dict[str, Any], profile: RuntimeProfile = NARROW, kinds: frozenset[str] = frozenset()) -> list[str]:
    spec = {"dataset": {"uri": "https://data.example.org/heart.csv"}} | spec
    return list(problems(World(model=heart_model(spec), profile=profile, kinds=kinds).observe()))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            DATA_OF_DVC,
            "spec.dataset.uri: the runtime profile 'default' has no image for datasets of DVC; ask the administrator to"
            " set runtimes.default.images.dvc",
        ),
        (
            SITES,
            "spec.federation: the runtime profile 'default' has no image for federated trainings; ask the administrator"
            " to set runtimes.default.images.federation",
        ),
        (
            {"registryName": "other.heart"},
            "spec.registryName: 'other.heart' does not start with 'clinic.'; choose such a name, or ask the"
            " administrator to allow this one in the runtime profile (registryNames)",
        ),
        (
            {"training": {"parameters": {"depth": 3}}},
            "spec.training.parameters: they are for a trainer of your own; name it in training.trainer",
        ),
        (
            {"training": {"trainer": "catboost", "holdout": 0.2}},
            "spec.training.trainer: the runtime profile 'default' approves no trainer 'catboost' (approved: lightgbm,"
            " torch); name one of these, or ask the administrator to add it",
        ),
        (
            check(metric="recall", maxGap=0.1, slice="age"),
            "spec.gates.checks[0].slice: age is not a sensitive feature; set sensitive: true on it in spec.features",
        ),
        (
            check(metric="recall", maxGap=0.1),
            "spec.gates.checks[0]: maxGap and slice belong together",
        ),
        (
            {"dataset": {"uri": "s3://bucket/key"}},
            "spec.dataset.uri: the runtime profile does not allow s3://; use one of: https, pvc, configmap, dvc+https",
        ),
        (
            {"dataset": {"uri": "https://a.example.org/x", "columns": ["age", "sex"]}},
            "spec.dataset.columns: num is not among them; add it or remove it from the contract",
        ),
        (
            {"features": [{"name": "num", "type": "number"}]},
            "spec.features: num is the target; a model must not see what it predicts",
        ),
        (
            {"training": {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "500m"}}}},
            "spec.training.resources.requests.cpu: 2 is above the limit 500m",
        ),
        (
            {"rollout": {"experiment": EXPERIMENT}, "serving": {"predictionLog": {"sink": "Stdout"}}},
            "spec.rollout.experiment.metric: Accuracy needs the outcomes that people report; set"
            " serving.predictionLog.sink to PostgreSQL, or use ErrorRate",
        ),
        (
            {"training": {"task": "regression"}, "gates": {"checks": []}, "target": {"name": "num"}}
            | {"rollout": {"experiment": EXPERIMENT}}
            | POSTGRES,
            "spec.rollout.experiment.metric: Accuracy does not exist for training.task regression; use MeanOutcome or"
            " ErrorRate",
        ),
    ],
)
def test_the_whole_message(spec: dict[str, Any], message: str) -> None:
    assert about(spec) == [message]


@pytest.mark.parametrize("scheme", ["http", "https", "dvc+http", "dvc+https"])
def test_hosts_are_checked_for_whatever_is_fetched_over_http(scheme: str) -> None:
    data = DATA.model_copy(update={"schemes": (scheme,)})
    profile = WITH_IMAGES.model_copy(update={"data": data})
    suffix = ".git#x.csv" if scheme.startswith("dvc") else ".csv"
    assert about({"dataset": {"uri": f"{scheme}://a.example.org/x{suffix}"}}, profile) == []
    assert about({"dataset": {"uri": f"{scheme}://evil.com/x{suffix}"}}, profile) == [
        "spec.dataset.uri: the runtime profile does not allow the host evil.com; allowed are: *.example.org"
    ]


def test_with_its_image_the_profile_reads_dvc_and_trains_at_sites() -> None:
    assert about(DATA_OF_DVC, WITH_IMAGES) == []
    assert about(SITES, WITH_IMAGES) == []


def test_a_trainer_that_is_approved_and_where_none_is() -> None:
    training = {"training": {"trainer": "torch", "holdout": 0.2, "parameters": {"depth": 3}}}
    assert about(training) == []
    assert about(training, NARROW.model_copy(update={"trainers": {}})) == [
        "spec.training.trainer: the runtime profile 'default' approves no trainer 'torch' (approved: none); name one of"
        " these, or ask the administrator to add it"
    ]
    assert about(SITES | {"training": {"trainer": "torch", "holdout": 0.2}}, WITH_IMAGES) == [
        "spec.training.trainer: sites train HeartOps' own algorithms; remove it, or give the model a dataset"
    ]


def test_plain_http_to_mlflow_is_said_with_both_ways_out() -> None:
    assert about({}, NARROW.model_copy(update={"tracking_uri": "http://mlflow:5000"})) == [
        "spec.runtime: the runtime profile 'default' reaches MLflow over plain HTTP without credentials; ask the"
        " administrator for https and a trackingSecret, or for insecure: true"
    ]


def test_a_federated_models_groups_are_its_sites_too() -> None:
    gap = check(metric="recall", maxGap=0.1, slice="site")
    assert about(SITES | gap, WITH_IMAGES) == []
    (found,) = about(gap)
    assert found.startswith("spec.gates.checks[0].slice: site is not a sensitive feature")
    assert about(SITES | check(metric="recall", maxGap=0.1, slice="sex"), WITH_IMAGES) == []


def test_a_train_job_needs_kubeflow_trainer() -> None:
    scale = {"algorithms": ["xgboost"], "scale": {"mode": "Distributed", "workers": 2}}
    pods = TrainingPods(train_job=TrainJobRuntime(runtime="heartops"))
    kubeflow = NARROW.model_copy(update={"training": pods})
    spec = {"dataset": {"uri": "pvc://cohorts/2024/", "format": "parquet"}, "training": scale}
    assert about(spec, kubeflow) == [
        "spec.training.scale: the runtime profile 'default' trains on several pods by a TrainJob, and Kubeflow Trainer"
        " is not installed or the operator may not use it; ask the administrator to install it, or to remove"
        " runtimes.default.training.trainJob"
    ]
    assert about(spec, kubeflow, frozenset({"TrainJob"})) == []
    assert about(spec) == []


@pytest.mark.parametrize(
    ("metric", "task", "log", "count"),
    [
        ("ErrorRate", "regression", "None", 0),
        ("Accuracy", "classification", "PostgreSQL", 0),
        ("MeanOutcome", "regression", "PostgreSQL", 0),
        ("MeanOutcome", "regression", "Stdout", 1),
        ("Accuracy", "regression", "Stdout", 2),
    ],
)
def test_what_an_experiment_can_measure(metric: str, task: str, log: str, count: int) -> None:
    target = {"name": "num"} if task == "regression" else {"name": "num", "positiveAbove": 0}
    spec = {"training": {"task": task}, "gates": {"checks": []}, "target": target}
    rollout = {"rollout": {"experiment": EXPERIMENT | {"metric": metric}}}
    found = about(spec | rollout | {"serving": {"predictionLog": {"sink": log}}})
    assert len(found) == count
    assert all(each.startswith("spec.rollout.experiment.metric: ") for each in found)


def test_problems_come_from_every_part_of_the_spec_in_its_order() -> None:
    spec = {
        "dataset": {"uri": "s3://bucket/key"},
        "registryName": "other.heart",
        "features": [*FEATURES, FEATURES[0]],
        "training": {
            "parameters": {"depth": 3},
            "resources": {"requests": {"cpu": "2", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        },
        "gates": {"checks": [{"metric": "recall"}]},
        "monitoring": {"alerts": {"errorRate": {"warning": 0.1, "critical": 0.05}}},
        "rollout": {"steps": [{"setWeight": 20}, {"setWeight": 10}]},
        "serving": {
            "ingress": {"className": "internal", "host": "a.example.org"},
            "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
            "autoscaling": {"minReplicas": 5, "maxReplicas": 4},
        },
    }
    assert [problem.split(":")[0] for problem in about(spec)] == [
        "spec.dataset.uri",
        "spec.registryName",
        "spec.serving.ingress.className",
        "spec.training.parameters",
        "spec.features",
        "spec.gates.checks[0]",
        "spec.monitoring.alerts.errorRate",
        "spec.rollout.steps[1].setWeight",
        "spec.training.resources.requests.cpu",
        "spec.training.resources.requests.memory",
        "spec.serving.resources.requests.cpu",
        "spec.serving.autoscaling",
    ]
