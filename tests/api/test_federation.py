"""Federated training on a real API server: consent, the Jobs of sites, and what somebody else may try."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from heart_api.federation import (
    FederatedTrainingRequest,
    SiteCheckOutcome,
    SiteCheckRequest,
    SiteFailure,
    SiteOutcome,
    SiteProblem,
    SiteRequest,
)
from heart_api.handover import TrainingOutcome
from heart_api.kube.kinds import EVENT, FEDERATION_SITE, HEART_MODEL, JOB, SERVICE, Kind
from heart_api.names import Label
from heart_operator.plan.federation import attempts
from tests.support.apiserver.client import KubeApi, Resource, poll
from tests.support.apiserver.fake_kubelet import FakeKubelet
from tests.support.apiserver.tenant import answer, give_edit
from tests.support.apiserver.world import World, model
from tests.support.plan.federated import KEY

pytestmark = pytest.mark.api

NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")


class Sites:
    """Three namespaces with a site each, and a node that plays along in each of them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.api = world.api
        self.model = f"{world.namespace}/heart"
        self.namespaces = tuple(f"{world.namespace[:52]}-{name}" for name in ("north", "south", "west"))
        self.kubelets: dict[str, FakeKubelet] = {}
        self.joined: list[str] = []
        self.over = False

    @property
    def references(self) -> list[str]:
        return [f"{namespace}/ward" for namespace in self.namespaces]

    def check(self, request: SiteCheckRequest) -> SiteCheckOutcome:
        return SiteCheckOutcome(public_key=KEY, rows=437)

    def join(self, request: SiteRequest) -> SiteOutcome | None:
        if request.namespace not in self.joined:
            self.joined.append(request.namespace)
        return SiteOutcome(exchanges=8, sent_bytes=10_000, seconds=4) if self.over else None

    def train(self, request: FederatedTrainingRequest) -> TrainingOutcome | None:
        """As the coordinator: it ends once every site has joined."""
        wanted = {site.namespace for site in request.sites}
        if not self.over or not wanted <= set(self.joined):
            return None
        return self.world.registry.train(request)  # type: ignore[arg-type]

    def create(self, namespace: str, **spec: Any) -> Resource:
        wanted = {"dataset": {"uri": "pvc://cohort/rows.csv"}, "allow": [{"model": self.model}], **spec}
        metadata = {"namespace": namespace, "name": "ward"}
        kind = {"apiVersion": FEDERATION_SITE.api_version, "kind": FEDERATION_SITE.kind}
        return self.api.create(FEDERATION_SITE, kind | {"metadata": metadata, "spec": wanted})

    def create_all(self) -> None:
        for namespace in self.namespaces:
            self.create(namespace)

    def create_model(self, **federation: Any) -> None:
        self.create_model_with({"sites": self.references} | federation)

    def create_model_with(self, federation: Resource) -> None:
        found = model(self.world.namespace, "heart", federation=federation)
        del found["spec"]["dataset"]
        self.api.create(HEART_MODEL, found)

    def status(self, namespace: str) -> Resource:
        found = self.api.get(FEDERATION_SITE, namespace, "ward")
        return (found or {}).get("status") or {}

    def ready(self, namespace: str) -> tuple[str, str]:
        conditions = self.status(namespace).get("conditions", ())
        return next(((c["status"], c["reason"]) for c in conditions if c["type"] == "Ready"), ("", ""))

    def jobs(self, namespace: str, part: str = "site") -> list[Resource]:
        found = self.api.list(JOB, namespace, Label.SITE)
        return [job for job in found if f"-{part}-" in job["metadata"]["name"]]

    def running(self, namespace: str) -> list[Resource]:
        return [job for job in self.jobs(namespace) if not (job.get("status") or {}).get("conditions")]

    def trained(self) -> Resource:
        return self.world.status().get("training") or {}


@pytest.fixture
def sites(world: World) -> Iterator[Sites]:
    found = Sites(world)
    world.kubelet.train = found.train
    with ExitStack() as stack:
        for namespace in found.namespaces:
            world.api.create_namespace(namespace)
            kubelet = FakeKubelet(world.api, lambda request: None, lambda request: None, namespace)
            kubelet.check_site, kubelet.join = found.check, found.join
            found.kubelets[namespace] = stack.enter_context(kubelet)
        yield found
        for namespace in found.namespaces:
            for entry in world.api.list(FEDERATION_SITE, namespace):
                world.api.delete(FEDERATION_SITE, namespace, entry["metadata"]["name"])


def all_joined(sites: Sites) -> bool:
    return sorted(sites.joined) == sorted(sites.namespaces)


def test_three_sites_are_checked_train_and_their_version_serves(world: World, sites: Sites, kubectl) -> None:
    with world.start() as operator:
        sites.create_all()
        sites.create_model()
        poll("every site joins", lambda: all_joined(sites), 60)
        fleet = world.child(SERVICE, "heart-fleet")
        assert [port["port"] for port in fleet["spec"]["ports"]] == [8443]
        for namespace in sites.namespaces:
            (job,) = sites.jobs(namespace)
            assert job["metadata"]["ownerReferences"][0]["kind"] == "FederationSite"
            assert sites.api.get(NETWORK_POLICY, namespace, "ward-site")
            assert sites.ready(namespace) == ("True", "Training")
            assert sites.status(namespace)["rows"] == 430, "rounded"
        assert [entry["site"] for entry in sites.trained()["sites"]] == sorted(sites.references)
        sites.over = True
        world.wait_serving("1", seconds=60)
        for namespace in sites.namespaces:
            poll(
                "the part has ended",
                lambda namespace=namespace: sites.status(namespace)["trainings"][0]["phase"] == "Succeeded",
            )
        shown = kubectl("get", "fsite", "-n", sites.namespaces[0]).stdout
        assert "READY" in shown
        assert sites.model in shown
        world.settle()
        assert operator.metric("heartops_reconcile_errors_total") == 0
    assert world.audit.forbidden() == []


def test_a_site_that_comes_later_ends_the_wait(world: World, sites: Sites) -> None:
    with world.start():
        sites.create_model()
        missing = world.wait_condition("Trained", "False", "SiteMissing")
        assert sites.references[0] in missing["message"]
        sites.create_all()
        poll("every site joins", lambda: all_joined(sites), 60)
        assert {entry["state"] for entry in world.status()["sites"]} == {"Ready"}


@pytest.mark.parametrize("how", ["delete", "suspend", "drop"])
def test_consent_is_withdrawn_in_the_middle_and_the_job_is_gone(world: World, sites: Sites, how: str) -> None:
    north = sites.namespaces[0]
    with world.start():
        sites.create_all()
        sites.create_model()
        poll("every site joins", lambda: all_joined(sites), 60)
        if how == "delete":
            sites.api.delete(FEDERATION_SITE, north, "ward")
        else:
            change = {"suspend": True} if how == "suspend" else {"allow": []}
            sites.api.patch(FEDERATION_SITE, north, "ward", {"spec": change})
        poll("its Job is gone", lambda: not sites.jobs(north), 60)
        poll("the model says so", lambda: state_of(sites, f"{north}/ward") == "Withdrawn", 30)
        assert all(sites.running(other) for other in sites.namespaces[1:]), "the others go on"
        if how != "delete":
            poll("an event says so", lambda: "ConsentWithdrawn" in reasons(sites, north), 30)


def reasons(sites: Sites, namespace: str) -> list[str]:
    return [event["reason"] for event in sites.api.list(EVENT, namespace)]


def state_of(sites: Sites, reference: str) -> str:
    return next((e["state"] for e in sites.trained().get("sites", ()) if e["site"] == reference), "")


def test_a_broken_contract_is_named_by_column_in_both_namespaces(world: World, sites: Sites) -> None:
    north = sites.namespaces[0]

    def broken(request: SiteCheckRequest) -> SiteCheckOutcome:
        problem = SiteProblem(model=sites.model, column="age", message="12 cells are no numbers")
        return SiteCheckOutcome(public_key=KEY, rows=437, problems=(problem,))

    sites.kubelets[north].check_site = broken
    with world.start():
        sites.create_all()
        sites.create_model()
        found = world.wait_condition("Trained", "False", "ContractMismatch", seconds=40)
        assert "age: 12 cells are no numbers" in found["message"]
        assert sites.status(north)["problems"][0]["column"] == "age"
        assert world.jobs() == []


def test_a_check_that_got_no_answer_is_made_again(world: World, sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "WAITS", (timedelta(seconds=1),) * len(attempts.WAITS))
    north = sites.namespaces[0]
    silent = SiteFailure(reason="DatasetUnreachable", message="the data source does not answer")
    failures = [SiteCheckOutcome(failure=silent)]
    sites.kubelets[north].check_site = lambda request: failures.pop() if failures else sites.check(request)
    with world.start():
        sites.create(north)
        sites.create_model(sites=[f"{north}/ward"], minSites=1)
        poll("the data are read", lambda: sites.status(north).get("rows") == 430, 60)
        poll("an event says what was wrong", lambda: "CheckFailed" in reasons(sites, north), 30)
        names = poll("one Job is left", lambda: len(found := sites.jobs(north, "check")) == 1 and found)
        assert names[0]["metadata"]["name"] == sites.status(north)["check"]["job"]
        poll("the site joins", lambda: sites.joined == [north], 60)


# --- what somebody else may try ----------------------------------------------------------------------------


def test_a_model_that_names_a_site_of_others_gets_no_job_there(world: World, sites: Sites) -> None:
    """The attacker edits a namespace of their own, and names a site that allows somebody else's model."""
    north = sites.namespaces[0]
    sites.create(north, allow=[{"model": "somebody/heart"}])
    with world.start():
        sites.create_model(sites=[f"{north}/ward"], minSites=1)
        found = world.wait_condition("Trained", "False", "SiteRefused")
        assert "does not allow" in found["message"]
        world.settle()
        assert sites.api.list(JOB, north) == []
        assert world.jobs() == []


def test_a_namesake_of_an_allowed_model_is_another_model(world: World, sites: Sites) -> None:
    north = sites.namespaces[0]
    sites.create(north, allow=[{"model": f"{sites.namespaces[1]}/heart"}])
    with world.start():
        sites.create_model(sites=[f"{north}/ward"], minSites=1)
        world.wait_condition("Trained", "False", "SiteRefused")
        world.settle()
        assert sites.api.list(JOB, north) == []


def test_a_forged_job_of_a_site_is_removed_and_not_believed(world: World, sites: Sites) -> None:
    """Somebody who may edit the site's namespace copies owner, labels and name, with an image of their own."""
    north = sites.namespaces[0]
    owner = sites.create(north)
    metadata = {
        "namespace": north,
        "name": "ward-check-00000000",
        "labels": {Label.SITE: "ward", Label.MANAGED_BY: "heartops", Label.COMPONENT: "site"},
        "ownerReferences": [
            {
                "apiVersion": FEDERATION_SITE.api_version,
                "kind": "FederationSite",
                "name": "ward",
                "uid": owner["metadata"]["uid"],
                "controller": True,
            }
        ],
    }
    container = {"name": "trainer", "image": "evil:1", "env": [{"name": "HEARTOPS_SITE_REQUEST", "value": "{}"}]}
    template = {
        "metadata": {"labels": metadata["labels"], "annotations": {"heartops.dev/trigger": "00000000"}},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }
    forged = {"metadata": metadata, "spec": {"template": template, "suspend": True}}
    with world.start():
        poll("the site is reconciled", lambda: sites.status(north).get("conditions"))
        sites.api.create(JOB, {"apiVersion": "batch/v1", "kind": "Job", **forged})
        poll("the forged Job is gone", lambda: sites.api.get(JOB, north, "ward-check-00000000") is None)
        poll("it is said", lambda: "ForeignJob" in reasons(sites, north))
        assert "rows" not in sites.status(north)


def test_an_editor_of_one_namespace_can_neither_consent_for_another_nor_write_what_was_found(
    world: World, sites: Sites, kube_api, api_server
) -> None:
    north, home = sites.namespaces[0], sites.namespaces[1]
    sites.create(north, allow=[])
    mallory = KubeApi(api_server, "mallory")
    give_edit(kube_api, mallory, home)
    evil = {"allow": [{"model": sites.model}]}
    attempts: dict[str, tuple[str, str, Any]] = {
        "another's consent": ("PATCH", FEDERATION_SITE.path(north, "ward"), {"spec": evil}),
        "a site in another's namespace": ("POST", FEDERATION_SITE.path(north), site_resource(north, evil)),
        "what a check has found": ("PATCH", FEDERATION_SITE.path(north, "ward", "status"), {"status": {"rows": 9}}),
        "what its own check has found": (
            "PATCH",
            FEDERATION_SITE.path(home, "ward", "status"),
            {"status": {"publicKey": KEY}},
        ),
        "another's site": ("DELETE", FEDERATION_SITE.path(north, "ward"), None),
        "a Job in another's namespace": ("POST", JOB.path(north), {"metadata": {"name": "evil"}}),
    }
    for name, (method, path, body) in attempts.items():
        assert answer(mallory, method, path, body)[0] in (403, 404), name
    mallory.close()


def site_resource(namespace: str, spec: dict[str, Any]) -> Resource:
    kind = {"apiVersion": FEDERATION_SITE.api_version, "kind": FEDERATION_SITE.kind}
    dataset = {"uri": "pvc://cohort/rows.csv"}
    return kind | {"metadata": {"namespace": namespace, "name": "evil"}, "spec": {"dataset": dataset, **spec}}


def test_a_site_that_labels_itself_is_not_selected_in_a_namespace_that_the_model_does_not_name(
    world: World, sites: Sites
) -> None:
    """Poisoning by a stranger: it allows the model and carries the label, in a namespace nobody asked for."""
    north, south, west = sites.namespaces
    for namespace in sites.namespaces:
        found = sites.create(namespace)
        sites.api.patch(FEDERATION_SITE, namespace, found["metadata"]["name"], {"metadata": {"labels": {"a": "b"}}})
    with world.start():
        selector = {"namespaces": [north, south], "matchLabels": {"a": "b"}}
        sites.create_model_with({"selector": selector})
        poll("two sites join", lambda: sorted(sites.joined) == sorted([north, south]), 60)
        world.settle()
        assert {entry["site"] for entry in sites.trained()["sites"]} == {f"{north}/ward", f"{south}/ward"}
        assert sites.api.list(JOB, west) == []


def test_the_operator_has_no_new_right_on_secrets_or_pods(world: World) -> None:
    role = world.api.call("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/heartops")
    granted = {(verb, name) for rule in role["rules"] for verb in rule["verbs"] for name in rule["resources"]}
    assert not [verb for verb, name in granted if name == "secrets"]
    assert {verb for verb, name in granted if name.startswith("pods")} == {"list"}
