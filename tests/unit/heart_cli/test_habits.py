"""What people expect of a kubectl command: formats, selectors, dry runs, waiting, completion, explanations."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from click import Argument, Command, Group

from heart_api import names
from heart_api.drift import CheckFailureReason
from heart_api.federation import SiteFailureReason
from heart_api.handover import FailureReason
from heart_api.kube.blocked import ADVICE
from heart_api.kube.installation import JOB_FAILED
from heart_cli import completing, waitcommand
from heart_cli.cli import cli
from heart_cli.completion import suggest
from heart_cli.errors import ApiFailure, Failure
from tests.support.apiserver.heart_objects import candidate, condition, heart_model, rejected, served, serving, sha

CRDS = Path(__file__).resolve().parents[3] / "crds"
SAY_IT_THEMSELVES = frozenset(
    (
        *("True", "False", "Unknown", "Pending", "Running", "Requested", "Succeeded", "Failed", "Missed", "Passed"),
        *("Schedule", "Performance", "Feedback", "Estimated"),
    )
)
"""Words of a status that need no explanation."""


def constants() -> set[str]:
    """Conditions and reasons of every kind, whichever class of the module holds them."""
    classes = [found for name, found in vars(names).items() if name.endswith(("Condition", "Reason"))]
    assert len(classes) == 6
    return {value for each in classes for name, value in vars(each).items() if not name.startswith("_")}


def status_words(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """Values in CamelCase of the status' fields with an enumeration."""
    if "status" in path:
        yield from (word for word in schema.get("enum", ()) if word[:1].isupper())
    for name, part in schema.get("properties", {}).items():
        yield from status_words(part, (*path, name))
    if isinstance(schema.get("items"), dict):
        yield from status_words(schema["items"], path)


def words_of_the_crds() -> set[str]:
    crds = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
    schemas = [version["schema"]["openAPIV3Schema"] for crd in crds for version in crd["spec"]["versions"]]
    return {word for schema in schemas for word in status_words(schema)} - SAY_IT_THEMSELVES


EXPLAINED = {
    *constants(),
    *words_of_the_crds(),
    *get_args(FailureReason),
    *get_args(SiteFailureReason),
    *get_args(CheckFailureReason),
}


@pytest.mark.parametrize("reason", sorted(EXPLAINED))
def test_every_reason_that_a_status_can_hold_is_explained(heart, reason):
    done = heart("explain", reason)
    assert done.exit_code == 0, done.stderr
    assert "What to do:" in done.stdout


def test_a_reason_is_found_whatever_its_case_and_a_wrong_one_names_similar_ones(heart):
    assert "spec.gates" in heart("explain", "gatefailed").stdout
    done = heart("explain", "GateFailled")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "similar: GateFailed" in done.stderr


@pytest.mark.parametrize("cause", [*ADVICE, JOB_FAILED])
def test_a_cause_of_a_blocked_pod_or_a_failed_job_is_explained(heart, cause):
    done = heart("explain", cause).stdout
    assert "What to do: " in done
    assert "{" not in done, "no field of the advice is left open"


def test_history_as_data(heart, cluster):
    past = [served("6", "2026-11-18T04:00:00Z", reason="Approved", by="alice", message="checked")]
    cluster.model = heart_model({"history": past, "rejected": [rejected("7", "Crashing", "OOM")]})
    as_json, as_yaml = heart("history", "heart", "-o", "json"), heart("history", "heart", "-o", "yaml")
    found = json.loads(as_json.stdout)
    assert found == yaml.safe_load(as_yaml.stdout)
    assert [entry["by"] for entry in found["history"]] == ["alice"]
    assert [entry["reason"] for entry in found["rejected"]] == ["Crashing"]


def test_the_history_of_all_models_has_their_names_and_whole_digests_if_it_is_wide(heart, cluster):
    past = [served("6", "2026-11-18T04:00:00Z", reason="Approved", by="alice", message="checked")]
    cluster.model = heart_model({"history": past, "rejected": [rejected("7", "Crashing", "OOM")]})
    head, *rows = heart("history", "-A", "-o", "wide").stdout.splitlines()
    assert head.split()[:3] == ["NAMESPACE", "MODEL", "VERSION"]
    assert [row.split()[:3] for row in rows] == [["clinic", "heart", "7"], ["clinic", "heart", "6"]]
    assert rows[0].split()[-1] == sha("7")
    assert heart("history", "--no-headers").stdout.split()[:2] == ["heart", "7"]
    (entry,) = json.loads(heart("history", "-l", "team=a", "-o", "json").stdout)["items"]
    assert (entry["namespace"], entry["name"], len(entry["history"])) == ("clinic", "heart", 1)
    assert heart("history", "heart", "-A").exit_code == 2
    assert heart("history", "--all").exit_code == 2


def test_keys_as_data(heart, cluster):
    cluster.model = heart_model({"serving": serving("6")})
    heart("key", "create", "heart", "clinic")
    (key,) = json.loads(heart("key", "list", "heart", "-o", "json").stdout)["keys"]
    assert (key["caller"], key["scopes"], len(key["sha256"])) == ("clinic", ["predict", "explain"], 12)


def test_the_list_has_more_columns_if_it_is_wide_or_of_all_namespaces(heart, cluster):
    cluster.model = heart_model({"serving": serving(), "gate": "Passed", "replicas": 2})
    head, row = heart("status", "-A", "-o", "wide").stdout.splitlines()
    assert head.split()[0] == "NAMESPACE"
    assert head.split()[-4:] == ["GATE", "DRIFT", "PODS", "URL"]
    assert row.split()[:2] == ["clinic", "heart"]
    assert row.split()[-3:] == ["Passed", "2", "http://heart.clinic.svc"]


def test_a_name_excludes_selectors(heart, cluster):
    done = heart("status", "heart", "-A")
    assert done.exit_code == 2
    assert "cannot be combined" in done.stderr


def test_a_named_model_that_is_wide_is_a_line_with_all_columns(heart, cluster):
    cluster.model = heart_model({"serving": serving(), "gate": "Passed", "replicas": 2})
    (row,) = heart("status", "heart", "-o", "wide", "--no-headers").stdout.splitlines()
    assert row.split()[0] == "heart"
    assert row.split()[-1] == "http://heart.clinic.svc"


@pytest.mark.parametrize(
    ("words", "said"), [((), "No resources found in clinic namespace."), (("-A",), "No resources found")]
)
def test_an_empty_list_says_so_beside_the_output(heart, cluster, words, said):
    cluster.model = None
    done = heart("status", *words)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"{said}\n")


@pytest.mark.parametrize(
    "words",
    [
        ("-n", "clinic", "status", "heart", "-o", "wide"),
        ("--namespace=clinic", "status", "heart", "-o=wide"),
        ("-n=clinic", "status", "-o=wide", "heart"),
        ("status", "heart", "-n=clinic", "-owide"),
    ],
)
def test_options_are_spelled_and_placed_as_with_kubectl(heart, cluster, words):
    cluster.model = heart_model({"serving": serving()})
    done = heart(*words)
    assert done.exit_code == 0, done.stderr
    assert "URL" in done.stdout.splitlines()[0]
    assert cluster.where == (None, None, "clinic")


def test_what_follows_two_dashes_is_not_touched(heart, cluster):
    cluster.model = heart_model({"serving": serving("6")})
    cluster.answer = {"label": "x"}
    done = heart("predict", "heart", "--", "-a=1")
    assert "JSON" in done.stderr


def test_help_is_also_a_command(heart):
    assert heart("help", "promote").stdout == heart("promote", "--help").stdout
    assert heart("help").stdout == heart("--help").stdout


def test_a_wrong_command_names_similar_ones(heart):
    done = heart("promot", "heart")
    assert done.exit_code == 2
    assert "There is no command promot. Did you mean promote?" in done.stderr


def test_the_list_of_commands_cuts_no_sentence(heart):
    done = heart()
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Promote the candidate" in done.stdout
    commands = done.stdout.partition("Commands:")[2].splitlines()
    assert [line for line in commands if line.endswith("...")] == []


def test_no_option_has_two_meanings():
    """--as, -n, -o … are those of kubectl, on every command that has them."""
    for command in cli.commands.values():
        found = [name for option in command.params for name in option.opts if name.startswith("-")]
        assert len(found) == len(set(found)), command.name


def test_an_impersonated_user_gives_the_command(heart, cluster):
    cluster.model = heart_model({"serving": serving("6"), "candidate": candidate("7", phase="Paused")})
    done = heart("promote", "heart", "--as", "bob", "--dry-run=client")
    assert "would be requested by bob" in done.stdout


@pytest.mark.parametrize("dry", ["client", "server"])
def test_a_dry_run_stores_nothing(heart, cluster, dry):
    cluster.model = heart_model({"serving": serving("6"), "candidate": candidate("7", phase="Paused")})
    done = heart("promote", "heart", "--dry-run", dry)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"heart: promote 7 would be requested by alice ({dry} dry run)\n"
    assert cluster.written == []
    assert len(cluster.dry_runs) == (dry == "server")


@pytest.fixture
def two_models(cluster, monkeypatch):
    """`heart` has a candidate, `iris` has none."""
    cluster.model = heart_model({"serving": serving("6"), "candidate": candidate("7", phase="Paused")})
    iris = heart_model({"serving": serving("1")})
    iris["metadata"]["name"] = "iris"
    get, asked = cluster.get, []

    def listed(kind: Any, *, everywhere: bool = False, **query: str) -> list[Any]:
        asked.append((everywhere, query))
        return [cluster.model, iris]

    monkeypatch.setattr(cluster, "list", listed)
    monkeypatch.setattr(cluster, "get", lambda kind, name: iris if name == "iris" else get(kind, name))
    return asked


def test_a_command_for_the_models_of_a_label_reaches_each(heart, two_models):
    done = heart("pause", "-l", "team=cardiology", "--dry-run=client")
    assert two_models == [(False, {"labelSelector": "team=cardiology"})]
    assert done.stdout == "heart: pause 7 would be requested by alice (client dry run)\n"
    assert (done.exit_code, done.stderr) == (1, "Error: iris has no candidate; version 1 serves\n")


def test_a_command_for_no_model_or_for_an_unclear_one_is_not_given(heart, cluster):
    cluster.model = None
    done = heart("retrain", "-l", "team=nobody")
    assert (done.exit_code, done.stderr) == (0, "No resources found in clinic namespace.\n")
    for words in (("retrain",), ("retrain", "heart", "-l", "a=b"), ("promote", "-l", "a=b", "--version", "7")):
        assert heart(*words).exit_code == 2


WRITES = {
    **dict.fromkeys(("promote", "abort", "pause", "resume", "rollback", "retry", "retrain"), ("heart",)),
    "check": ("heart",),
    "copy": ("heart", "--to", "other"),
    "erase": ("heart", "--subject", "s-1"),
    "key create": ("heart", "ward-3"),
    "key revoke": ("heart", "clinic"),
    "init-namespace": ("clinic",),
    "rotate-namespace": ("clinic",),
    "offboard-namespace": ("clinic",),
}
"""Commands that change something, with arguments."""
READS = {
    "doctor",
    "explain",
    "history",
    "load",
    "logs",
    "mlflow",
    "new",
    "predict",
    "status",
    "wait",
    "watch",
    "key list",
}


def all_commands() -> Iterator[tuple[str, Command]]:
    for name, command in cli.commands.items():
        if isinstance(command, Group):
            yield from ((f"{name} {below}", each) for below, each in command.commands.items())
        else:
            yield name, command


def options_of(command: Command) -> set[str]:
    return {name for each in command.params for name in each.opts}


def test_every_command_that_changes_something_can_be_tried() -> None:
    assert {name for name, command in all_commands() if "--dry-run" in options_of(command)} == set(WRITES)
    assert {name for name, _ in all_commands()} == set(WRITES) | READS


@pytest.mark.parametrize("words", [("--dry-run",), ("--dry-run=client",), ("--dry-run", "client")])
def test_a_dry_run_alone_is_that_of_the_client(heart, cluster, words):
    cluster.model = heart_model({"serving": serving("6"), "candidate": candidate("7", phase="Paused")})
    done = heart("promote", *words, "heart")
    assert done.stdout == "heart: promote 7 would be requested by alice (client dry run)\n"


@pytest.mark.parametrize("dry", ["client", "server"])
@pytest.mark.parametrize("command", ["check", "key create", "key revoke"])
def test_a_dry_run_says_so_and_stores_nothing(heart, cluster, command, dry):
    cluster.model = heart_model({"serving": serving("6")})
    heart("key", "create", "heart", "clinic")
    before = len(cluster.written_secrets)
    done = heart(*command.split(), *WRITES[command], "--dry-run", dry)
    assert done.exit_code == 0, done.stderr
    assert {line.endswith(f"({dry} dry run)") for line in done.stdout.splitlines()} == {True}
    assert "heart_" not in done.stdout, "no key is shown that does not exist"
    assert (cluster.written, len(cluster.written_secrets)) == ([], before)


def test_a_copy_is_tried_by_the_status_alone(heart, cluster):
    cluster.model = heart_model({"serving": serving("6")})
    done = heart("copy", "heart", "--to", "other", "--dry-run=client")
    assert done.stdout.splitlines()[0] == (
        "Version 6 of clinic/heart would become a version of other/heart (client dry run)"
    )
    assert heart("copy", "heart", "--to", "other", "--version", "9", "--dry-run=client").exit_code == 1


@pytest.mark.parametrize("dry", ["client", "server"])
def test_a_changed_model_is_printed_as_kubectl_does(heart, cluster, dry):
    """`-o yaml --dry-run=server` is how one looks at a change before it is made."""
    cluster.model = heart_model({"serving": serving("6"), "candidate": candidate("7", phase="Paused")})
    found = yaml.safe_load(heart("promote", "heart", "--dry-run", dry, "-o", "yaml").stdout)
    assert found["metadata"]["annotations"][names.Annotation.COMMAND].startswith("promote 7 ")
    assert found["spec"] == cluster.model["spec"]
    assert heart("pause", "heart", "--dry-run", dry, "-o", "name").stdout == "heartmodel.heartops.dev/heart\n"


def test_a_command_that_was_carried_out_prints_the_model_then(heart, cluster):
    cluster.model = heart_model({"serving": serving("6"), "candidate": candidate("7", phase="Paused")})
    found = json.loads(heart("promote", "heart", "-o", "json").stdout)
    assert found["status"]["command"]["result"] == "advanced past step 2"


@pytest.mark.parametrize("timeout", ["30", "0.5", "30s", "1m30s"])
def test_a_length_of_time_has_a_unit_or_is_seconds(heart, cluster, timeout):
    cluster.model = heart_model({"serving": serving("6"), "candidate": candidate("7", phase="Paused")})
    assert heart("promote", "heart", "--timeout", timeout).exit_code == 0
    assert heart("wait", "heart", "--timeout", "soon").exit_code == 2


def test_a_dry_run_of_what_does_not_apply_fails(heart, cluster):
    cluster.model = heart_model({"serving": serving("6")})
    assert heart("promote", "heart", "--dry-run=client").exit_code == 1


# --- waiting --------------------------------------------------------------------------------------

UP_TO_DATE = condition("Progressing", "True", "UpToDate", "Up to date")
ROLLING = condition("Progressing", "True", "RollingOut", "Version 7 is rolling out")
GATED = condition("Progressing", "False", "GateFailed", "Version 7 was rejected: roc_auc 0.8 is below 0.99")
READY = condition("Ready", "True", "Serving", "Version 6 serves")
PINNED = condition("Trained", "Unknown", "VersionPinned", "spec.version names version 6: nothing is trained for it")
SERVES = {"serving": serving("6"), "observedGeneration": 4}


@pytest.mark.parametrize(
    ("words", "status", "code", "text"),
    [
        ((), SERVES | {"conditions": [READY, UP_TO_DATE]}, 0, "version 6 serves"),
        ((), SERVES | {"conditions": [READY, GATED]}, 1, "GateFailed: Version 7 was rejected"),
        ((), SERVES | {"conditions": [READY, ROLLING]}, 3, "timed out"),
        ((), SERVES | {"conditions": [READY, UP_TO_DATE], "observedGeneration": 3}, 3, "not observed"),
        (("--version", "6"), SERVES | {"conditions": [READY, ROLLING]}, 0, "version 6 serves"),
        (
            ("--version", "7"),
            SERVES | {"conditions": [READY, UP_TO_DATE], "rejected": [rejected("7", "Crashing", "OOM")]},
            1,
            "version 7 was rejected: Crashing: OOM",
        ),
        (
            ("--for", "approval"),
            {"candidate": candidate("7", phase="AwaitingApproval"), "observedGeneration": 4},
            0,
            "version 7 awaits approval",
        ),
        (
            ("--for", "trained"),
            {
                "observedGeneration": 4,
                "conditions": [condition("Trained", "True", "TrainingSucceeded", "")],
                "training": {"job": "j", "trigger": "t", "phase": "Succeeded", "version": "8"},
            },
            0,
            "version 8 was trained",
        ),
        (
            ("--for", "trained"),
            SERVES | {"conditions": [READY, UP_TO_DATE, PINNED]},
            1,
            "VersionPinned: spec.version names version 6",
        ),
        ((), SERVES | {"conditions": [READY, UP_TO_DATE, PINNED]}, 0, "version 6 serves"),
        (
            (),
            {"observedGeneration": 4, "conditions": [condition("Progressing", "Unknown", "Suspended", "spec.suspend")]},
            1,
            "Suspended: spec.suspend",
        ),
    ],
)
def test_waiting_ends_with_an_exit_code_for_pipelines(heart, cluster, words, status, code, text):
    cluster.model = heart_model(status)
    done = heart("wait", "heart", "--timeout", "0s", *words)
    assert done.exit_code == code, done.output
    assert text in done.output


def test_waiting_says_what_changes_until_the_goal_is_reached(heart, cluster, monkeypatch):
    cluster.model = heart_model(SERVES | {"conditions": [READY, ROLLING]})

    def promoted(_: float) -> None:
        cluster.model = heart_model(SERVES | {"serving": serving("7"), "conditions": [READY, UP_TO_DATE]})

    monkeypatch.setattr(waitcommand.time, "sleep", promoted)
    lines = heart("wait", "heart").stdout.splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "heart: RollingOut: Version 7 is rolling out",
        "heart: version 7 serves",
    ]


@pytest.mark.parametrize("status", [0, 429, 503])
def test_an_api_server_that_is_away_for_a_while_ends_no_wait(heart, cluster, monkeypatch, status):
    cluster.model = heart_model(SERVES | {"conditions": [READY, ROLLING]})
    get, answers = cluster.get, iter((False, True, True, False))

    def flaky(*words: Any) -> Any:
        if next(answers):
            raise ApiFailure("cannot be reached", status)
        return get(*words)

    def promoted(_: float) -> None:
        cluster.model = heart_model(SERVES | {"serving": serving("7"), "conditions": [READY, UP_TO_DATE]})

    monkeypatch.setattr(cluster, "get", flaky)
    monkeypatch.setattr(waitcommand.time, "sleep", promoted)
    done = heart("wait", "heart")
    assert (done.exit_code, done.stdout.splitlines()[-1].split(" ", 1)[1]) == (0, "heart: version 7 serves")
    assert done.stdout.count("the API server does not answer, trying again: cannot be reached") == 1


@pytest.mark.parametrize("status", [0, 401, 403])
def test_an_api_server_that_never_answered_or_says_no_ends_it_at_once(heart, cluster, monkeypatch, status):
    def refuse(*_: Any) -> None:
        raise ApiFailure("no", status)

    monkeypatch.setattr(cluster, "get", refuse)
    assert heart("wait", "heart").exit_code == 1


# --- completion -----------------------------------------------------------------------------------


def test_commands_options_models_and_reasons_are_suggested(cluster, monkeypatch):
    monkeypatch.setattr(completing, "connect", lambda *_: cluster)
    cluster.model = heart_model({})
    commands = [line.split("\t")[0] for line in suggest(["sta"])]
    assert commands == ["status", ":4"]
    assert "--dry-run" in {line.split("\t")[0] for line in suggest(["promote", "heart", "--d"])}
    assert list(suggest(["promote", ""])) == ["heart", ":4"]
    assert list(suggest(["explain", "gatef"])) == ["GateFailed", ":4"]


def test_every_name_of_a_model_is_suggested():
    """Whichever command it is of: a new one is not forgotten. `new` makes the name up."""
    for name, command in all_commands():
        for each in command.params:
            if isinstance(each, Argument) and each.name == "name" and name != "new":
                assert each._custom_shell_complete is completing.complete_models, name


def test_namespaces_contexts_and_formats_are_suggested(cluster, monkeypatch):
    monkeypatch.setattr(completing, "connect", lambda *_: cluster)
    monkeypatch.setattr(completing.config, "list_kube_config_contexts", lambda _: ([{"name": "test"}], None))
    cluster.answer = {"items": [{"metadata": {"name": name}} for name in ("ward", "clinic")]}
    assert list(suggest(["status", "-n", ""])) == ["clinic", "ward", ":4"]
    assert list(suggest(["init-namespace", "w"])) == ["ward", ":4"]
    assert list(suggest(["copy", "heart", "--to", "c"])) == ["clinic", ":4"]
    assert list(suggest(["status", "--context", ""])) == ["test", ":4"]
    assert "jsonpath=" in list(suggest(["status", "-o", "j"]))


def test_without_a_cluster_nothing_is_suggested(monkeypatch):
    def unreachable(*_: object) -> None:
        raise Failure("no kubeconfig")

    monkeypatch.setattr(completing, "connect", unreachable)
    assert list(suggest(["promote", ""])) == [":4"]
