"""Trainers of one's own on a node: LightGBM in an image of its own, and programs that mean harm."""

import json
import subprocess
import sys
import textwrap

import pytest

from tests.e2e.conftest import where_to_load
from tests.e2e.kit import ROOT, SYSTEM, TRAINING, Model, Object, declare, eventually, example, kubectl, require
from tests.e2e.release import CHART, helm
from tests.support.soak import SOAK

pytestmark = pytest.mark.timeout(900)

PROFILE = "own-trainers"
LOOK_AROUND = """
    import os, pathlib, socket, sys
    secret = ("ROW_KEY", "PROOF_KEY", "TOKEN", "MLFLOW", "DATABASE", "REQUEST")
    found = [name for name in os.environ if any(word in name for word in secret)]
    for place in ("/var/run/secrets", "/data", "/model"):
        found += [str(path) for path in pathlib.Path(place).rglob("*")]
    for place in ("/heartops/own-rows", "/heartops/own-launcher", "/etc/ld.so.preload", "/opt"):
        found += [place] if os.access(place, os.W_OK) else []
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        command = pathlib.Path("/proc", pid, "cmdline").read_bytes()
        found += [f"process {pid}"] if b"-m\\x00heart_trainer" in command else []
    for host in ("10.96.0.1", "127.0.0.1"):
        try:
            socket.create_connection((host, 443), 2)
            found.append(f"network to {host}")
        except PermissionError:
            pass
    sys.exit(f"within reach: {found or 'nothing'}")
"""
FORGE = """
    import json, pathlib, sys
    said = {"result": {"version": "1", "runId": "r", "artifactSha256": "sha256:0", "evaluationSha256": "sha256:0"}}
    pathlib.Path("/dev/termination-log").write_text(json.dumps(said))
    pathlib.Path("/heartops/own-results/model.onnx").symlink_to("/heartops/own-rows/task.json")
"""
HOSTILE = {"looks-around": LOOK_AROUND, "forges": FORGE, "never-ends": "while True: pass"}


def loaded(name: str) -> str:
    """The reference of an example's image, which is then in the cluster."""
    target = where_to_load()
    require(bool(target), "a cluster that an image can be loaded into")
    command = [sys.executable, "-m", "hack.images", "example", name, *target]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    reference: str = json.loads(done.stdout.strip().splitlines()[-1])[name]
    return reference


@pytest.fixture(scope="module")
def image(product: None) -> str:
    """The LightGBM example's."""
    return loaded("lightgbm-trainer")


@pytest.fixture(scope="module")
def approved(image: str) -> list[str]:
    """A runtime profile whose trainers the administrator approved, these harmful ones unwisely; their names."""
    trainers: Object = {"lightgbm": {"image": image}}
    if SOAK:
        trainers["pytorch"] = {"image": loaded("pytorch-trainer")}
    for name, text in HOSTILE.items():
        trainers[name] = {"image": image, "command": ["python3", "-c", textwrap.dedent(text)]}
    profile = f"runtimes.{PROFILE}={json.dumps({'trainers': trainers})}"
    helm("upgrade", "heartops", CHART, "-n", SYSTEM, "--reuse-values", "--set-json", profile)
    return sorted(trainers)


def model(namespace: str, name: str, trainer: str, **training: object) -> Model:
    manifest = example("iris", namespace)
    manifest["metadata"]["name"] = name
    del manifest["spec"]["gates"]
    own = {"trainer": trainer, "holdout": 0.3, "backoffLimit": 0}
    manifest["spec"] |= {"runtime": PROFILE, "training": {**own, **training}, "serving": {"replicas": 1}}
    return declare(manifest)


@pytest.fixture(scope="module")
def models(namespace: str, approved: list[str]) -> dict[str, Model]:
    """All at once."""
    flowers = model(namespace, "flowers", "lightgbm", parameters={"n_estimators": 20, "num_leaves": 5})
    endless = {"timeoutSeconds": 240}  # three quarters of it for the program; a busy node takes long to start a pod
    hostile = {name: model(namespace, name, name, **(endless if name == "never-ends" else {})) for name in HOSTILE}
    unknown = model(namespace, "unknown", "catboost")
    network = {"network": model(namespace, "network", "pytorch", parameters={"epochs": 40})} if SOAK else {}
    return {"flowers": flowers, "unknown": unknown, **network, **hostile}


def failure(found: Model) -> str:
    """Of a training that ended badly."""
    ended = found.wait("Trained", "False", TRAINING)
    assert ended["reason"] == "TrainerFailed", ended
    return str(ended["message"])


def test_a_trainer_that_nobody_approved_is_named_with_those_that_are(
    models: dict[str, Model], approved: list[str]
) -> None:
    def named() -> str:
        message = str(models["unknown"].condition("Ready").get("message", ""))
        return message if "catboost" in message else ""

    message = eventually(named, 120, "the unknown trainer to be named")
    assert f"approves no trainer 'catboost' (approved: {', '.join(approved)})" in message


@pytest.mark.parametrize(
    "name",
    ["flowers", pytest.param("network", marks=pytest.mark.skipif(not SOAK, reason="a large image (HEARTOPS_SOAK=1)"))],
)
def test_lightgbm_and_pytorch_train_and_serve(models: dict[str, Model], proxy: str, name: str) -> None:
    found = models[name]
    serving = found.wait_serving("1", TRAINING)
    records = json.loads((ROOT / "examples/iris/requests/predict.json").read_text())
    answers = found.predict(proxy, records).raise_for_status().json()["predictions"]
    assert [answer["label"] for answer in answers] == ["setosa", "versicolor", "virginica"]
    assert serving["digest"].startswith("sha256:")


def test_a_program_finds_nothing_within_reach(models: dict[str, Model]) -> None:
    assert "Its last lines: within reach: nothing" in failure(models["looks-around"])


def test_a_program_cannot_say_itself_what_was_trained(models: dict[str, Model]) -> None:
    message = failure(models["forges"])
    assert "model.onnx is not a file" in message
    assert "serving" not in models["forges"].status


@pytest.mark.skipif(not SOAK, reason="waits for a deadline (HEARTOPS_SOAK=1)")
def test_a_program_that_never_ends_is_ended(models: dict[str, Model]) -> None:
    assert "was ended after" in failure(models["never-ends"])


@pytest.mark.skipif(not SOAK, reason="two trainings more (HEARTOPS_SOAK=1)")
def test_a_search_on_two_pods_makes_the_file_of_one(namespace: str, product: None) -> None:
    manifest = example("iris", namespace)
    del manifest["spec"]["gates"]
    families = ["logistic-regression", "random-forest"]
    training = {"algorithms": families, "tuning": {"trials": 2}, "crossValidation": {"folds": 3}}
    manifest["spec"] |= {"training": training, "serving": {"replicas": 1}}
    iris = declare(manifest)
    digest = iris.wait_serving("1", TRAINING)["digest"]
    iris.patch(training={"tuning": {"parallelism": 2}})
    kubectl("annotate", "heartmodel", iris.name, "-n", namespace, "heartops.dev/retrain=on-two-pods")

    def trained() -> Object:
        found: Object = iris.status.get("training", {})
        return found if found.get("version") == "2" else {}

    second = eventually(trained, TRAINING, "the search on two pods to end")
    assert second["artifactSha256"] == digest
    modes = [job["spec"].get("completionMode") for job in iris.children("jobs")]
    assert sorted(modes) == ["Indexed", "NonIndexed"]


def test_its_pod_is_restricted_and_its_containers_took_turns(models: dict[str, Model], namespace: str) -> None:
    models["flowers"].wait_serving("1", TRAINING)
    selector = "app.kubernetes.io/component=training,heartops.dev/model=flowers"
    pod = json.loads(kubectl("get", "pods", "-n", namespace, "-l", selector, "-o", "json"))["items"][0]
    ends = [status["state"]["terminated"] for status in pod["status"]["initContainerStatuses"]]
    begun = pod["status"]["containerStatuses"][0]["state"]["terminated"]["startedAt"]
    assert ends[0]["finishedAt"] <= ends[1]["startedAt"] <= ends[1]["finishedAt"] <= begun
