"""The user of a command cannot be forged, and requests without a command are not restricted."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from heart_api.names import Annotation
from tests.api.conftest import Kubectl
from tests.support.apiserver.client import KubeApi, poll
from tests.support.apiserver.world import model

pytestmark = pytest.mark.api

DIGEST = "sha256:" + "ab" * 32
NAMESPACE = "admission"
USERS = {"alice": "edit", "bob": "edit", "vera": "view", "nora": "heartops-approver", "carl": "editor-alone"}
POLICY = "heartops-commands"
Done = subprocess.CompletedProcess[str]
As = Callable[..., Done]


def order(
    by: str, action: str = "promote", version: str = "7", digest: str = DIGEST, id_: str = "id-1"
) -> dict[str, str]:
    """The three annotations of a command."""
    value = f"{action} {version} {digest} {id_}"
    return {Annotation.COMMAND: value, Annotation.COMMAND_BY: by, Annotation.COMMAND_REASON: "checked"}


NOTHING = dict.fromkeys((Annotation.COMMAND, Annotation.COMMAND_BY, Annotation.COMMAND_REASON, Annotation.RETRAIN))


@pytest.fixture(scope="module")
def people(kubectl: Kubectl, kube_api: KubeApi) -> As:
    """`people("alice", "get", "pods")`: kubectl as one of USERS, each with one of Kubernetes' own roles."""
    kube_api.create_namespace(NAMESPACE)

    def as_user(user: str, *words: str, stdin: Any = None) -> Done:
        return kubectl("--as", user, "-n", NAMESPACE, *words, stdin=stdin)

    verbs = "--verb=get,list,watch,create,update,patch,delete"
    done = kubectl("create", "clusterrole", "editor-alone", verbs, "--resource=heartmodels.heartops.dev")
    assert done.returncode == 0, done.stderr
    for user, role in USERS.items():
        done = kubectl("-n", NAMESPACE, "create", "rolebinding", user, f"--clusterrole={role}", f"--user={user}")
        assert done.returncode == 0, done.stderr
    poll("the chart's roles are part of edit and view", lambda: can(as_user, "vera", "get", "heartmodels"))
    poll("the chart's roles are part of edit and view", lambda: can(as_user, "bob", "patch", "heartmodels"))
    assert as_user("alice", "create", "-f", "-", stdin=model(NAMESPACE, "probe")).returncode == 0
    forged = order("bob")
    poll("the policy is in force", lambda: annotate(as_user, "alice", forged, "probe").returncode != 0)
    return as_user


@pytest.fixture
def heart(people: As) -> str:
    """A model without a command, made by bob."""
    people("bob", "delete", "heartmodel", "heart", "--ignore-not-found")
    done = people("bob", "create", "-f", "-", stdin=model(NAMESPACE, "heart"))
    assert done.returncode == 0, done.stderr
    return "heart"


def can(people: As, user: str, verb: str, resource: str, subresource: str = "") -> bool:
    options = (f"--subresource={subresource}",) if subresource else ()
    return people(user, "auth", "can-i", verb, resource, *options).stdout.strip() == "yes"


def annotate(people: As, user: str, annotations: dict[str, Any], name: str = "heart") -> Done:
    """None removes one."""
    changes = json.dumps({"metadata": {"annotations": annotations}})
    return people(user, "patch", "heartmodel", name, "--type=merge", "--patch", changes)


def passes(done: Done) -> None:
    assert done.returncode == 0, done.stderr


def rejected(done: Done, words: str) -> None:
    assert done.returncode != 0
    assert words in done.stderr


def test_a_command_in_anothers_name_is_rejected_and_says_what_to_do(people: As, heart: str) -> None:
    done = annotate(people, "alice", order("bob"))
    rejected(done, "heartops.dev/command-by must be the user of the request (alice)")
    rejected(done, "use kubectl heart")


def test_a_command_without_a_name_is_rejected(people: As, heart: str) -> None:
    rejected(annotate(people, "alice", {Annotation.COMMAND: order("alice")[Annotation.COMMAND]}), "(alice)")


def test_ones_own_command_passes(people: As, heart: str) -> None:
    passes(annotate(people, "alice", order("alice")))
    passes(annotate(people, "bob", order("bob", "abort", id_="id-2")))


@pytest.mark.parametrize("annotation", [Annotation.COMMAND, Annotation.COMMAND_BY, Annotation.COMMAND_REASON])
def test_nobody_changes_a_part_of_anothers_command(people: As, heart: str, annotation: str) -> None:
    passes(annotate(people, "alice", order("alice")))
    other = order("mallory", "abort") | {Annotation.COMMAND_REASON: "never said"}
    rejected(annotate(people, "bob", {annotation: other[annotation]}), "(bob)")
    rejected(annotate(people, "bob", {annotation: None}), "(bob)")


@pytest.mark.parametrize(
    ("what", "by"), [(Annotation.CHECK, Annotation.CHECK_BY), (Annotation.ERASED, Annotation.ERASED_BY)]
)
def test_nobody_checks_or_erases_in_anothers_name(people: As, heart: str, what: str, by: str) -> None:
    passes(annotate(people, "alice", {what: '{"id": "1"}', by: "alice"}))
    rejected(annotate(people, "bob", {what: '{"id": "2"}', by: "alice"}), f"{by} must be the user of the request (bob)")
    rejected(annotate(people, "bob", {what: '{"id": "2"}'}), "(bob)")
    rejected(annotate(people, "bob", {by: "carol"}), "(bob)")
    passes(annotate(people, "bob", {"example.org/note": "1"}))
    passes(annotate(people, "bob", {what: None, by: None}))


def test_what_leaves_the_command_alone_passes(people: As, heart: str) -> None:
    """Edits of the spec, of other annotations, and a GitOps tool that applies the model without the annotations."""
    passes(annotate(people, "alice", order("alice")))
    passes(people("bob", "patch", "heartmodel", "heart", "--type=merge", "-p", '{"spec":{"suspend":true}}'))
    passes(annotate(people, "bob", {"example.org/note": "1"}))
    manifest = model(NAMESPACE, "heart", suspend=False)
    passes(
        people(
            "bob", "apply", "--server-side", "--field-manager=gitops", "--force-conflicts", "-f", "-", stdin=manifest
        )
    )
    kept = json.loads(people("bob", "get", "heartmodel", "heart", "-o", "json").stdout)["metadata"]["annotations"]
    assert kept[Annotation.COMMAND_BY] == "alice"


def test_taking_the_command_away_passes(people: As, heart: str) -> None:
    passes(annotate(people, "alice", order("alice")))
    passes(annotate(people, "bob", NOTHING))
    passes(annotate(people, "alice", order("alice", id_="id-2")))
    passes(people("bob", "replace", "-f", "-", stdin=model(NAMESPACE, "heart")))


def test_a_model_cannot_be_made_with_anothers_command(people: As, heart: str) -> None:
    made = model(NAMESPACE, "born")
    made["metadata"]["annotations"] = order("alice")
    rejected(people("bob", "create", "-f", "-", stdin=made), "(bob)")
    passes(people("alice", "create", "-f", "-", stdin=made))


@pytest.mark.parametrize("action", ["promote", "promote-full"])
@pytest.mark.parametrize(("version", "digest"), [("-", "-"), ("7", "-"), ("-", DIGEST)])
def test_an_approval_names_version_and_digest(people: As, heart: str, action: str, version: str, digest: str) -> None:
    rejected(annotate(people, "alice", order("alice", action, version, digest)), "must name the version and the digest")


@pytest.mark.parametrize(
    "command",
    ["promote", "", "restart 7 - id-1", "abort 7 sha256:ab id-1", "abort seven - id-1", f"abort 7 {DIGEST} a b"],
)
def test_a_command_that_nobody_can_read_is_rejected(people: As, heart: str, command: str) -> None:
    rejected(annotate(people, "alice", order("alice") | {Annotation.COMMAND: command}), "must read")


def test_retraining_needs_no_name_unless_it_claims_one(people: As, heart: str) -> None:
    passes(annotate(people, "bob", {Annotation.RETRAIN: "one"}))
    asked = order("alice", "retrain", "-", "-", "id-7")
    passes(annotate(people, "alice", asked | {Annotation.RETRAIN: "id-7"}))
    passes(annotate(people, "bob", {Annotation.RETRAIN: "two"}))
    rejected(annotate(people, "bob", {Annotation.RETRAIN: "id-7"}), "(bob)")


def test_the_status_is_no_way_around(people: As, kubectl: Kubectl, heart: str) -> None:
    changes = json.dumps({"metadata": {"annotations": order("alice")}, "status": {"gate": "seen"}})
    options = ("--subresource=status", "--type=merge", "--patch", changes)
    passes(kubectl("-n", NAMESPACE, "patch", "heartmodel", "heart", *options))
    found = kubectl.read("-n", NAMESPACE, "get", "heartmodel", "heart")
    assert found["status"] == {"gate": "seen"}
    assert Annotation.COMMAND not in found["metadata"].get("annotations", {})


def test_the_api_server_finds_nothing_odd_in_the_policy(people: As, kubectl: Kubectl) -> None:
    def checked() -> dict[str, Any] | None:
        found: dict[str, Any] = kubectl.read("get", "validatingadmissionpolicy", POLICY).get("status", {})
        return found if "typeChecking" in found else None

    assert poll("the policy's types are checked", checked)["typeChecking"].get("expressionWarnings", []) == []


def test_kubernetes_roles_are_enough_for_kubectl_heart(people: As) -> None:
    """`view` for status, history and logs; `edit` for commands and predictions through the API server."""
    seeing = [("get", "heartmodels"), ("list", "deployments"), ("list", "pods"), ("list", "events")]
    for user in ("alice", "bob", "vera"):
        assert all(can(people, user, *right) for right in seeing)
        assert can(people, user, "get", "pods", "log")
    assert can(people, "alice", "patch", "heartmodels")
    assert can(people, "alice", "create", "services", "proxy")
    assert can(people, "alice", "create", "secrets")
    assert not can(people, "vera", "patch", "heartmodels")
    assert not can(people, "vera", "create", "services", "proxy")


def test_who_edits_may_not_approve_where_the_two_are_parted(people: As, heart: str) -> None:
    """An editor of a chart with admission.separateApproval has no right to approve."""
    for action in ("promote", "promote-full"):
        done = annotate(people, "carl", order("carl", action), heart)
        assert done.returncode != 0
        assert "needs the right to approve heartmodels" in done.stderr
    assert annotate(people, "carl", order("carl", "abort"), heart).returncode == 0


WAIVED: dict[str, dict[str, Any]] = {
    "a version by its number": {"version": "7"},
    "versions from outside": {"versionsFromOutside": "Adopt"},
    "no approval any more": {"approval": "Automatic"},
}


@pytest.mark.parametrize("what", WAIVED)
def test_who_may_not_approve_does_not_do_it_by_the_spec(people: As, heart: str, what: str) -> None:
    patch = ("patch", "heartmodel", heart, "--type=merge", "-p")
    strict = {"approval": "Manual", "versionsFromOutside": "Approve"}
    assert people("bob", *patch, json.dumps({"spec": strict})).returncode == 0
    done = people("carl", *patch, json.dumps({"spec": WAIVED[what]}))
    rejected(done, "needs the right to approve heartmodels")
    assert people("carl", *patch, '{"spec": {"suspend": true}}').returncode == 0
    assert people("bob", *patch, json.dumps({"spec": WAIVED[what]})).returncode == 0, "who may approve may"
    assert people("carl", *patch, '{"spec": {"suspend": false}}').returncode == 0, "what stands is no approval"


def test_a_new_model_is_no_way_around_an_approval(people: As, heart: str) -> None:
    made = model(NAMESPACE, "another")
    for waived in ({"version": 7}, {"versionsFromOutside": "Adopt"}):
        made["spec"] |= {"versionsFromOutside": "Approve"} | waived
        rejected(people("carl", "create", "-f", "-", stdin=made), "needs the right to approve heartmodels")
        made["spec"].pop("version", None)
    made["spec"]["versionsFromOutside"] = "Approve"
    assert people("carl", "create", "-f", "-", stdin=made).returncode == 0
    people("bob", "delete", "heartmodel", "another")


def test_an_approver_approves_and_changes_nothing_else(people: As, heart: str) -> None:
    assert annotate(people, "nora", order("nora"), heart).returncode == 0
    done = people("nora", "patch", "heartmodel", heart, "--type=merge", "-p", '{"spec": {"suspend": true}}')
    assert done.returncode != 0
    assert "needs the right to update heartmodels" in done.stderr
    assert annotate(people, "nora", order("bob"), heart).returncode != 0, "nor in another's name"
    assert people("nora", "delete", "heartmodel", heart).returncode != 0
