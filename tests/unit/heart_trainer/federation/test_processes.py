"""The coordinator's pod and its sites as processes on loopback: SuperLink, gate, TLS and node keys are real."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from hack.venvs import NotInstalled
from heart_api.handover import Tag
from tests.support.trainer.federation import federated, three_sites
from tests.support.trainer.federation_processes import Pod, environment, pod

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="session")
def python() -> str:
    try:
        return environment().python
    except NotInstalled as why:
        pytest.skip(f"Flower's environment cannot be made here: {why}")


def logs(found: Pod) -> str:
    return "\n".join(f"--- {one.log.name}\n{one.log.read_text()[-2500:]}" for one in found.running)


def test_three_sites_train_a_sealed_version(python: str, tracking_uri: str, tmp_path: Path) -> None:
    sites = three_sites()
    request = federated(sites)
    with pod(tmp_path, request, python) as found:
        trainer = found.coordinator(request, tracking_uri)
        answering = [found.site(site) for site in sites]
        code = trainer.wait()
        assert code == 0, logs(found)
        assert [site.wait() for site in answering] == [0, 0, 0], logs(found)
        result = trainer.training().result
        assert result is not None
        assert [site.state for site in result.sites or ()] == ["Completed"] * 3
        version = MlflowClient(tracking_uri, registry_uri=tracking_uri).get_model_version(
            "clinic.heart", result.version
        )
        assert version.tags[Tag.SEAL].startswith("training:")
        assert all(site.outcome().exchanges >= 8 for site in answering)
        assert answering[0].outcome().sent_bytes < 1_000_000
