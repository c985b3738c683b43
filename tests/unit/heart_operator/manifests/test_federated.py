"""The pods of a federated training: what is reachable, what they hold, and who may talk to whom."""

from typing import Any

from heart_api.federation import (
    FLEET_PORT,
    PROGRESS_PORT,
    FederatedTrainingRequest,
    SiteCheckRequest,
    SiteRequest,
)
from heart_api.handover import Env
from heart_api.kube.values import Manifest
from tests.support.plan.federated import IDENTITY, KEY, site
from tests.unit.heart_operator.manifests.conftest import FederatedCase, containers, environment, matches


def by_name(job: Manifest) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in containers(job)}


def ports_of(container: dict[str, Any]) -> set[int]:
    return {entry["containerPort"] for entry in container.get("ports", ())}


def jobs(case: FederatedCase) -> tuple[Manifest, ...]:
    return case.coordinator_job, case.site_job, case.check_job


def test_pods_are_restricted_and_have_no_token(federated: FederatedCase) -> None:
    for job in jobs(federated):
        pod = job["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in containers(job):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"].keys() == {"requests", "limits"}
            assert container["image"] == "federation:1"
        kinds = {key for volume in pod["volumes"] for key in volume.keys() - {"name"}}
        assert kinds <= {"emptyDir", "persistentVolumeClaim"}, "no Secret is made or mounted"
        mounted = {mount["name"] for container in containers(job) for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_the_superlink_is_never_published(federated: FederatedCase) -> None:
    """Its control interface believes whoever reaches it."""
    found = by_name(federated.coordinator_job)
    assert {name: ports_of(container) for name, container in found.items()} == {
        "identity": set(),
        "superlink": set(),
        "gate": {FLEET_PORT},
        "trainer": {PROGRESS_PORT},
    }
    (port,) = federated.fleet_service["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (FLEET_PORT, "fleet")


def test_the_sidecars_end_with_the_trainer(federated: FederatedCase) -> None:
    found = by_name(federated.coordinator_job)
    assert [name for name, entry in found.items() if entry.get("restartPolicy") == "Always"] == ["superlink", "gate"]
    assert next(iter(found)) == "identity", "keys are there before anything that needs them"


def test_only_the_identity_and_the_trainer_have_keys(federated: FederatedCase) -> None:
    found = by_name(federated.coordinator_job)
    assert [name for name, entry in found.items() if "envFrom" in entry] == ["trainer"]
    references = {name: [e["valueFrom"] for e in entry["env"] if "valueFrom" in e] for name, entry in found.items()}
    row_key = {"secretKeyRef": {"name": "heartops-runtime", "key": Env.ROW_KEY}}
    assert references == {"identity": [row_key], "superlink": [], "gate": [], "trainer": []}


def test_the_coordinator_knows_its_sites_and_reads_no_data(federated: FederatedCase) -> None:
    request = environment(by_name(federated.coordinator_job)["trainer"])[Env.FEDERATED_REQUEST]
    found = FederatedTrainingRequest.model_validate_json(request)
    assert [(entry.namespace, entry.name, entry.public_key) for entry in found.sites] == [("north", "ward", KEY)]
    assert "dataset" not in request
    assert found.contract_sha256 == federated.model.contract_hash
    names = environment(by_name(federated.coordinator_job)["identity"])["HEARTOPS_FEDERATION_HOSTS"]
    assert "heart-fleet.clinic.svc" in names.split(",")


def test_a_site_is_told_whom_to_trust_and_what_it_consents_to(federated: FederatedCase) -> None:
    (container,) = containers(federated.site_job)
    found = SiteRequest.model_validate_json(environment(container)[Env.SITE_REQUEST])
    assert found.coordinator == f"heart-fleet.clinic.svc:{FLEET_PORT}"
    assert (found.certificate, found.bundle_sha256) == (IDENTITY.certificate, IDENTITY.bundle_sha256)
    assert found.contract_sha256 == federated.model.contract_hash
    assert (found.minimum_rows, found.minimum_cell) == (50, 10)
    assert federated.site_job["metadata"]["namespace"] == "north"


def test_a_check_reads_once_for_all_models(federated: FederatedCase) -> None:
    (container,) = containers(federated.check_job)
    found = SiteCheckRequest.model_validate_json(environment(container)[Env.SITE_CHECK_REQUEST])
    assert [(entry.namespace, entry.name) for entry in found.models] == [("clinic", "heart")]
    assert found.dataset == federated.site.spec.dataset


def peers(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [peer for rule in rules for peer in rule.get("to", ())]


def test_a_sites_pods_reach_the_coordinator_and_nothing_else(federated: FederatedCase) -> None:
    spec = federated.site_child("NetworkPolicy")["spec"]
    labels = federated.site_job["spec"]["template"]["metadata"]["labels"]
    assert matches(spec["podSelector"]["matchLabels"], labels)
    assert "ingress" not in spec
    assert "Ingress" in spec["policyTypes"]
    (peer,) = peers(spec["egress"])
    assert peer["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "clinic"}}
    coordinator = federated.coordinator_job["spec"]["template"]["metadata"]["labels"]
    assert matches(peer["podSelector"]["matchLabels"], coordinator)
    open_ports = {entry["port"] for rule in spec["egress"] for entry in rule["ports"]}
    assert open_ports == {53, FLEET_PORT}


def test_a_suspended_site_reaches_no_coordinator(federated: FederatedCase) -> None:
    suspended = FederatedCase(federated.model, site(suspend=True), federated.profile)
    assert peers(suspended.site_child("NetworkPolicy")["spec"]["egress"]) == []


def test_a_coordinator_is_asked_on_two_ports_and_reaches_no_data(federated: FederatedCase) -> None:
    spec = federated.training_policy["spec"]
    assert {entry["port"] for rule in spec["ingress"] for entry in rule["ports"]} == {FLEET_PORT, PROGRESS_PORT}
    assert {entry["port"] for rule in spec["egress"] for entry in rule["ports"]} == {53, 5000}


def test_progress_says_how_many_rows_a_site_has_and_is_for_those_who_read_metrics(federated: FederatedCase) -> None:
    profile = federated.profile.model_copy(update={"monitoring_namespaces": ("heartops-system",)})
    spec = FederatedCase(federated.model, federated.site, profile).training_policy["spec"]
    fleet, progress = spec["ingress"]
    assert [entry["port"] for entry in progress["ports"]] == [PROGRESS_PORT]
    assert "heartops-system" in str(progress["from"])
    assert "from" not in fleet, "sites elsewhere come from anywhere, and prove themselves by their keys"


def test_a_sites_objects_belong_to_it(federated: FederatedCase) -> None:
    for manifest in (federated.site_job, federated.check_job, federated.site_child("ServiceAccount")):
        (owner,) = manifest["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("FederationSite", "uid-north")
        assert "heartops.dev/model" not in manifest["metadata"]["labels"], "no model's child"
