"""Where alerts go with docs/runbooks/alertmanager.yml: a real Alertmanager routes and mutes them.

Alerts have the labels that the rules give them. The AlertmanagerConfig is for the Prometheus Operator; an API server
checks it.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from hack.cluster.paths import alertmanager_dir
from tests.api.conftest import CLUSTER, ROOT, Kubectl
from tests.support.apiserver.client import poll
from tests.support.apiserver.prometheus import ready
from tests.support.soak import SOAK

pytestmark = [pytest.mark.api, pytest.mark.timeout(1800)]

Alert = dict[str, str]
CONFIG = ROOT / "docs/runbooks/alertmanager.yml"
built = pytest.mark.skipif(not SOAK, reason="compiles Alertmanager: in make test-soak")


def model_alert(about: str, severity: str, namespace: str = "ward", model: str = "heart", **labels: str) -> Alert:
    """As `heart_operator.manifests.alerting.alert` labels it."""
    found = {"alertname": f"HeartModel{about}", "severity": severity, "namespace": namespace, "model_name": model}
    return found | labels


def chart_alert(about: str, severity: str, **labels: str) -> Alert:
    return {"alertname": f"HeartOps{about}", "severity": severity, "namespace": "heartops-system"} | labels


def volume(severity: str, claim: str) -> Alert:
    return chart_alert("VolumeFillingUp", severity, persistentvolumeclaim=claim)


BLOCKED = model_alert("Blocked", "warning", kind="Job", name="heart-train", cause="Quota")
INFO_INHIBITOR = {"alertname": "InfoInhibitor", "severity": "none", "namespace": "ward"}


@dataclass(frozen=True)
class Alertmanager:
    url: str

    def told(self, alerts: list[Alert]) -> list[tuple[list[str], bool]]:
        """Receivers of each alert, and whether it is muted by another one."""
        httpx.post(f"{self.url}/api/v2/alerts", json=[{"labels": each} for each in alerts]).raise_for_status()

        def known() -> list[tuple[list[str], bool]] | None:
            found = {frozenset(each["labels"].items()): each for each in httpx.get(f"{self.url}/api/v2/alerts").json()}
            if any(frozenset(each.items()) not in found for each in alerts):
                return None
            mine = [found[frozenset(each.items())] for each in alerts]
            return [([one["name"] for one in each["receivers"]], bool(each["status"]["inhibitedBy"])) for each in mine]

        return poll("Alertmanager to have the alerts", known, 20)


@pytest.fixture(scope="module")
def binaries() -> Path:
    subprocess.run((*CLUSTER, "build", "--alertmanager"), cwd=ROOT, check=True)
    return alertmanager_dir() / "bin"


@pytest.fixture
def alertmanager(binaries: Path, tmp_path: Path) -> Iterator[Alertmanager]:
    """With the example as it is, and no alert yet. Its receivers cannot be reached."""
    options = (f"--config.file={CONFIG}", f"--storage.path={tmp_path}", "--cluster.listen-address=")
    with ready(binaries / "alertmanager", *options) as url:
        yield Alertmanager(url)


@built
def test_amtool_accepts_the_example(binaries: Path) -> None:
    done = subprocess.run((str(binaries / "amtool"), "check-config", str(CONFIG)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@built
@pytest.mark.parametrize(
    ("alert", "receiver"),
    [
        (model_alert("Down", "critical"), "pager"),
        (model_alert("Down", "critical", "clinic"), "pager"),
        (chart_alert("OperatorDown", "critical"), "pager"),
        (model_alert("VersionDeployed", "info", version="2"), "chat"),
        (model_alert("Retrained", "info", "clinic", schedule="nightly"), "chat"),
        (model_alert("Drift", "warning"), "tickets"),
        (model_alert("Drift", "warning", "clinic"), "clinic"),
        (BLOCKED, "tickets"),
        ({"alertname": "KubePodCrashLooping", "severity": "warning", "namespace": "clinic"}, "tickets"),
        ({"alertname": "Watchdog", "severity": "none"}, "nobody"),
        (INFO_INHIBITOR, "nobody"),
    ],
    ids=lambda value: value["alertname"] if isinstance(value, dict) else value,
)
def test_an_alert_goes_to_its_receiver(alertmanager: Alertmanager, alert: Alert, receiver: str) -> None:
    assert alertmanager.told([alert]) == [([receiver], False)]


@built
@pytest.mark.parametrize(
    ("cause", "other", "muted"),
    [
        (model_alert("Down", "critical"), model_alert("Latency", "critical"), True),
        (model_alert("Down", "critical"), model_alert("ErrorBudgetBurn", "warning", window="3d"), True),
        (model_alert("Down", "critical"), BLOCKED, True),
        (model_alert("Down", "critical"), model_alert("Drift", "warning"), False),
        (model_alert("Down", "critical"), model_alert("Latency", "critical", model="lungs"), False),
        (model_alert("Down", "critical"), model_alert("Latency", "critical", "clinic"), False),
        (model_alert("ErrorRate", "critical"), model_alert("ErrorRate", "warning"), True),
        (model_alert("RetrainingOverdue", "warning"), model_alert("RetrainingOverdue", "info"), True),
        (volume("critical", "data-0"), volume("warning", "data-0"), True),
        (volume("critical", "data-0"), volume("warning", "mlflow"), False),
        (chart_alert("DatabaseDown", "critical"), chart_alert("RegistryUnavailable", "warning"), True),
        (chart_alert("DatabaseDown", "critical"), model_alert("PredictionLogUnavailable", "warning"), True),
        (chart_alert("DatabaseDown", "critical"), model_alert("Down", "critical"), False),
        (INFO_INHIBITOR, model_alert("VersionDeployed", "info", version="2"), False),
        (INFO_INHIBITOR, {"alertname": "CPUThrottlingHigh", "severity": "info", "namespace": "ward"}, True),
    ],
    ids=lambda value: value["alertname"] if isinstance(value, dict) else str(value),
)
def test_a_lesser_alert_about_the_same_is_muted(
    alertmanager: Alertmanager, cause: Alert, other: Alert, muted: bool
) -> None:
    (_, first), (_, second) = alertmanager.told([cause, other])
    assert (first, second) == (False, muted)


def test_a_teams_own_routes_are_of_the_operators_kind(kubectl: Kubectl, tools: Path) -> None:
    crd = tools.parent / "crds/prometheus-operator/monitoring.coreos.com_alertmanagerconfigs.yaml"
    assert kubectl("apply", "--server-side", "-f", str(crd)).returncode == 0
    try:
        poll("the kind", lambda: kubectl("get", "alertmanagerconfigs", "-A").returncode == 0, 30)
        example = (ROOT / "examples/monitoring/alertmanagerconfig.yaml").read_text()
        text = example.replace("namespace: clinic", "namespace: default")
        done = kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)
        assert done.returncode == 0, done.stderr
    finally:
        kubectl("delete", "-f", str(crd))
