"""The coordinator's pod and its sites as processes on loopback: SuperLink, gate, TLS and node keys are real."""

import time
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from hack.venvs import NotInstalled
from heart_api.federation import SiteRequest
from heart_api.handover import EXIT_PERMANENT, Tag
from heart_trainer.federation.keys import authority, new_key, public_text, read_key
from tests.support.soak import SOAK
from tests.support.trainer.federation import federated, site_ref, three_sites
from tests.support.trainer.federation_processes import Pod, Running, environment, pod, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="session")
def python() -> str:
    try:
        return environment().python
    except NotInstalled as why:
        pytest.skip(f"Flower's environment cannot be made here: {why}")


def logs(found: Pod) -> str:
    return "\n".join(f"--- {one.log.name}\n{one.log.read_text()[-2500:]}" for one in found.running)


def test_three_sites_train_a_sealed_version(python: str, tracking_uri: str, tmp_path: Path) -> None:
    """One of them is a hospital without a cluster (`site --file`); a stranger and a wary one stand beside them."""
    sites, key = three_sites(), new_key()
    outside = site_ref(sites[2]).model_copy(update={"public_key": public_text(read_key(key))})
    refs = (site_ref(sites[0]), site_ref(sites[1]), outside)
    request = federated(sites, round_deadline_seconds=300).model_copy(update={"sites": refs})
    with pod(tmp_path, request, python) as found:
        stranger = found.start("stranger", site_file(found, "stranger", sites[2], new_key()), {})
        wary = found.start("wary", site_file(found, "wary", sites[2], new_key(), OTHER_AUTHORITY), {})
        trainer = found.coordinator(request, tracking_uri)
        answering = [found.site(site) for site in sites[:2]]
        answering.append(found.start("hospital", site_file(found, "hospital", sites[2], key), {}))
        assert trainer.wait() == 0, logs(found)
        assert [site.wait() for site in answering] == [0, 0, 0], logs(found)
        check_version(trainer, answering, tracking_uri)
        assert wary.wait() == EXIT_PERMANENT
        assert "CoordinatorUntrusted" in wary.log.read_text()
        assert "status 412" in stranger.log.read_text()
        assert stranger.process.poll() is None  # it might be registered yet: it waits, and learns nothing


def check_version(trainer: Running, answering: list[Running], tracking_uri: str) -> None:
    result = trainer.training().result
    assert result is not None
    assert [site.state for site in result.sites or ()] == ["Completed"] * 3
    version = MlflowClient(tracking_uri, registry_uri=tracking_uri).get_model_version("clinic.heart", result.version)
    assert version.tags[Tag.SEAL].startswith("training:")
    assert all(site.outcome().exchanges >= 8 for site in answering)
    assert max(site.outcome().sent_bytes for site in answering) < 1_000_000


OTHER_AUTHORITY = authority("another key", "clinic", "heart").pem


def site_file(found: Pod, name: str, site: SiteRequest, key: bytes, certificate: str = "") -> list[str]:
    """Words that start a site by its file."""
    assert found.identity
    (found.folder / f"{name}.key").write_bytes(key)
    dumped = site.model_dump(mode="json", by_alias=True, exclude_none=True)
    dumped |= {
        "coordinator": f"127.0.0.1:{found.ports['gate']}",
        "certificate": certificate or found.identity.certificate,
        "keyFile": f"{name}.key",
        "trigger": "",
    }
    path = found.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(dumped))
    return ["heart_trainer", "site", "--file", str(path)]


@pytest.mark.skipif(not SOAK, reason="minutes: a killed site is offline after about one")
@pytest.mark.parametrize("at", [1, 4])
def test_a_killed_site_is_offline_within_two_minutes(python: str, tracking_uri: str, tmp_path: Path, at: int) -> None:
    """It says no goodbye: its heartbeats are missed, and the training goes on with the others."""
    sites = three_sites()
    request = federated(sites, on_missing_site="Continue", round_deadline_seconds=300)
    with pod(tmp_path, request, python) as found:
        trainer = found.coordinator(request, tracking_uri)
        answering = [found.site(site) for site in sites]
        until(lambda: (now := found.progress()) and now.exchanges >= at, "the training to begin")
        answering[2].freeze()
        before = time.monotonic()
        until(lambda: (now := found.progress()) and "Offline" in {s.state for s in now.sites}, "the site to be offline")
        assert time.monotonic() - before < 120
        answering[2].kill()
        assert trainer.wait() == 0, logs(found)
        result = trainer.training().result
        assert result is not None
        assert {site.name: site.state for site in result.sites or ()}["hospital-03"] == "Offline"


@pytest.mark.skipif(not SOAK, reason="minutes")
def test_a_superlink_that_is_killed_ends_the_attempt_and_the_next_one_goes_on(
    python: str, tracking_uri: str, tmp_path: Path
) -> None:
    sites = three_sites()
    request = federated(sites, round_deadline_seconds=300)
    with pod(tmp_path, request, python) as found:
        trainer = found.coordinator(request, tracking_uri)
        answering = [found.site(site) for site in sites]
        until(lambda: (now := found.progress()) and now.exchanges >= 2, "the training to begin")
        found.running[1].kill()
        assert trainer.wait() == 1, logs(found)
        failure = trainer.training().failure
        assert failure is not None
        assert "SuperLink" in failure.message
        assert MlflowClient(tracking_uri, registry_uri=tracking_uri).search_model_versions("name='clinic.heart'") == []
        found.superlink()
        again = found.coordinator(request, tracking_uri)
        assert again.wait() == 0, logs(found)
        assert [site.wait() for site in answering] == [0, 0, 0], logs(found)


@pytest.mark.skipif(not SOAK, reason="minutes")
def test_a_gate_that_is_away_for_moments_costs_nothing(python: str, tracking_uri: str, tmp_path: Path) -> None:
    """Its container was restarted: sites connect anew, and are asked again what they had not answered."""
    sites = three_sites()
    request = federated(sites, round_deadline_seconds=300)
    with pod(tmp_path, request, python) as found:
        trainer = found.coordinator(request, tracking_uri)
        answering = [found.site(site) for site in sites]
        until(lambda: (now := found.progress()) and now.exchanges >= 2, "the training to begin")
        found.running[2].kill()
        found.gate()
        assert trainer.wait() == 0, logs(found)
        assert [site.wait() for site in answering] == [0, 0, 0], logs(found)
