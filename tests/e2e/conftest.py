"""The product, installed once; a namespace for each group of tests; ways in."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from hack.cluster.lock import locked
from tests.e2e.flowers import Flowers, logged_flowers
from tests.e2e.kit import (
    RELEASE,
    ROOT,
    SYSTEM,
    TRAINING,
    Model,
    Object,
    api_address,
    apply,
    background,
    declare,
    example,
    kubectl,
    new_namespace,
    run_kubectl,
)
from tests.e2e.release import helm, install
from tests.support.real_data import CLEVELAND, FOLDER, real_file

CONFIG_MAP, KEY = "heart-data", Path(CLEVELAND).name


HERE = Path(__file__).parent
LONGEST_FIRST = (
    "test_bad_versions",
    "test_canary",
    "test_rollouts",
    "test_analysis_sources",
    "test_dashboard",
    "test_first_light",
    "test_large_data",
    "test_two_tenants",
    "test_failures",
    "test_late_faults",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers take whole files, the longest first; last those that wait for all others."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if not os.environ.get("KUBECONFIG"):
                item.add_marker(pytest.mark.skip(reason="needs a cluster: set KUBECONFIG"))
    items.sort(key=lambda item: (*LONGEST_FIRST, item.path.stem).index(item.path.stem))
    items.sort(key=lambda item: item.get_closest_marker("outage") is not None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test tells what the cluster looked like."""
    report: Any = yield
    if report.failed and os.environ.get("KUBECONFIG"):
        report.sections.append(("the cluster", look_around()))
    return report


MEASURED = "measured"
READY = (
    '{range .items[*]}{.metadata.namespace}/{.metadata.name}: {.status.conditions[?(@.type=="Ready")].message}'
    "{'\\n'}{end}"
)
"""What each model's condition Ready says."""


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes a line to be shown at the end, whichever worker found it."""
    return lambda line: record_property(MEASURED, line)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = terminalreporter.getreports("passed")
    lines = [text for report in reports for name, text in report.user_properties if name == MEASURED]
    if lines:
        terminalreporter.section("measured")
    for line in lines:
        terminalreporter.write_line(line)


def look_around() -> str:
    commands = (
        ("get", "heartmodels", "-A", "-o", f"jsonpath={READY}"),
        ("get", "heartmodels,federationsites", "-A", "-o", "wide"),
        ("get", "jobs,deployments,pods", "-A", "-o", "wide"),
        ("get", "events", "-A", "--sort-by=.lastTimestamp"),
        ("logs", f"deployment/{RELEASE}-operator", "-n", SYSTEM, "--tail=60"),
    )
    shown = []
    for words in commands:
        done = run_kubectl(*words)
        shown.append(f"$ kubectl {' '.join(words)}\n" + "\n".join((done.stdout + done.stderr).splitlines()[-60:]))
    return "\n".join(shown)


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """References by name: HEARTOPS_IMAGES, else those of the installed release, else built and loaded."""
    if given := os.environ.get("HEARTOPS_IMAGES"):
        return json.loads(given)
    target = where_to_load()
    if not target:
        values = json.loads(helm("get", "values", RELEASE, "-n", SYSTEM, "--all", "-o", "json"))
        return values["images"]
    command = [sys.executable, "-m", "hack.images", "build", *target]
    with locked("e2e"):
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def where_to_load() -> list[str]:
    """The cluster tool's cluster, or kind's; another cluster has the product installed already."""
    if name := os.environ.get("HEARTOPS_CLUSTER"):
        return ["--into", name]
    context = kubectl("config", "current-context").strip()
    return ["--kind", context.removeprefix("kind-")] if context.startswith("kind-") else []


@pytest.fixture(scope="session", autouse=True)
def product(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> None:
    """Installed by the first worker of a run; the others wait for it."""
    installed = tmp_path_factory.getbasetemp().parent / f"installed-{testrun_uid}"
    with locked("e2e"):
        if not installed.exists():
            install(images)
            installed.touch()


@pytest.fixture(scope="module", autouse=True)
def leaning(request: pytest.FixtureRequest, product: None) -> Iterator[None]:
    """While a file's tests run, nobody takes away what they lean on: outages begin when all others are done."""
    outage = request.node.get_closest_marker("outage") is not None
    if outage:
        request.getfixturevalue("flowers")  # made while others end what they do
    with locked("leaning", shared=not outage):
        yield


@pytest.fixture(scope="module")
def namespace(product: None) -> Iterator[str]:
    """One for each file of tests."""
    with new_namespace() as name:
        yield name


@pytest.fixture(scope="session")
def proxy(product: None) -> str:
    """The API server on a loopback port."""
    return api_address()


@pytest.fixture(scope="module")
def mlflow_uri(product: None) -> Iterator[str]:
    """The cluster's MLflow, under a host name that it accepts."""
    token = ("create", "token", f"{RELEASE}-registry", "-n", SYSTEM, "--duration=8h")
    os.environ["MLFLOW_TRACKING_TOKEN"] = kubectl(*token).strip()
    words = ("port-forward", "-n", SYSTEM, f"service/{RELEASE}-mlflow", ":5000")
    with background(*words, marker="Forwarding from 127.0.0.1") as line:
        port = line.split("127.0.0.1:")[1].split()[0]
        yield f"http://localhost:{port}"


@pytest.fixture(scope="module")
def mlflow(mlflow_uri: str) -> MlflowClient:
    return MlflowClient(tracking_uri=mlflow_uri, registry_uri=mlflow_uri)


@pytest.fixture(scope="session")
def real_data() -> bool:
    """Whether there is the Cleveland file to train on."""
    return bool(FOLDER and real_file(CLEVELAND))


@pytest.fixture(scope="module")
def heart_training() -> Object:
    """Of the model `heart`, for files of tests that another training serves as well."""
    return {}


@pytest.fixture(scope="module")
def heart(product: None, real_data: bool, heart_training: Object) -> Iterator[Model]:
    """The heart example as it is shipped, all families and tuning included, serving its first version.

    Its data come from a ConfigMap; without the file it trains on the synthetic cohort and prints that.
    """
    with new_namespace() as name:
        manifest = example("heart-disease", name)
        dataset = manifest["spec"]["dataset"]
        if real_data:
            meta, content = {"name": CONFIG_MAP, "namespace": name}, {KEY: real_file(CLEVELAND).read_text()}
            apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": content})
            dataset["uri"] = f"configmap://{CONFIG_MAP}/{KEY}"
        else:
            print("\n*** HEARTOPS_TEST_DATA is not set: this run trains on the synthetic cohort ***", file=sys.stderr)
            dataset["uri"] = "builtin://heart-synthetic"
            del dataset["sha256"]
        manifest["spec"].setdefault("training", {}).update(heart_training)
        model = declare(manifest)
        model.wait_serving("1", TRAINING)
        yield model


@pytest.fixture(scope="module")
def flowers(product: None, proxy: str) -> Iterator[Flowers]:
    with logged_flowers(proxy) as found:
        yield found
