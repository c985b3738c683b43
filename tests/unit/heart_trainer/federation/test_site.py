"""A site's own life: its file, its key, its look at its data, and when it stops."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from heart_api.contract import Dataset, Feature, Target
from heart_api.federation import SiteCheckOutcome, SiteCheckRequest, SiteModel, contract_sha256
from heart_api.handover import EXIT_PERMANENT, Env
from heart_trainer.__main__ import main
from heart_trainer.data.sources.cohort import heart_cohort
from heart_trainer.federation.bundle import bundle_sha256
from heart_trainer.federation.check import check_site
from heart_trainer.federation.commands import BadSite, read_site_file
from heart_trainer.federation.errors import Unknown, Unreachable, Untrusted
from heart_trainer.federation.holder import Holder
from heart_trainer.federation.holding import hold, job_of, read_site
from heart_trainer.federation.keys import BadKey, new_key, public_text, read_key
from heart_trainer.federation.messages import Ask, encode
from heart_trainer.federation.serve_site import read_holding, serve
from tests.support.trainer.federation import FEATURES, SECRET, TARGET, SetClock, site_request


@dataclass
class Line:
    """A connection that says what a test tells it to: a question, None, or an error."""

    script: list[Any]
    answers: list[bytes] = field(default_factory=list)
    connects: int = 0
    closed: bool = False

    def connect(self) -> None:
        self.connects += 1

    def next(self) -> Any:
        found = self.script.pop(0) if self.script else None
        if isinstance(found, Exception):
            raise found
        return SimpleNamespace(body=found, bundle_sha256=bundle_sha256()) if found else None

    def answer(self, question: Any, body: bytes, seconds: float) -> None:
        self.answers.append(body)

    def close(self) -> None:
        self.closed = True


def ask(kind: str, **more: Any) -> bytes:
    digest = contract_sha256("classification", TARGET, FEATURES)
    return encode(Ask(kind=kind, model="clinic/heart", trigger="t-1", contract_sha256=digest, **more))  # type: ignore[arg-type]


def holder(**more: Any) -> Holder:
    request = site_request("hospital-01", **more)
    return Holder(request, read_holding(request, SECRET))


def test_it_answers_until_the_coordinator_is_done() -> None:
    line = Line([ask("join"), None, ask("end")])
    outcome = serve(holder(), line, SetClock(), lambda step: None)
    assert outcome.failure is None
    assert (len(line.answers), line.closed) == (2, True)


def test_it_waits_for_a_coordinator_that_is_not_there_and_connects_anew() -> None:
    line = Line([Unreachable("ConnectError"), Unknown("status 401"), ask("join"), ask("end")])
    said: list[str] = []
    clock = SetClock()
    assert serve(holder(), line, clock, said.append).failure is None
    assert line.connects == 3
    assert any("trying again" in one for one in said)


def test_it_ends_at_its_deadline_whatever_happens() -> None:
    clock = SetClock()
    outcome = serve(holder(deadline_seconds=100), Line([]), clock, lambda step: None)
    assert outcome.failure is not None
    assert outcome.failure.reason == "CoordinatorUnreachable"
    assert clock.time == pytest.approx(100, abs=4)


def test_it_never_talks_to_somebody_without_the_right_certificate() -> None:
    line = Line([Untrusted("another certificate")])
    outcome = serve(holder(), line, SetClock(), lambda step: None)
    assert outcome.failure is not None
    assert outcome.failure.reason == "CoordinatorUntrusted"
    assert line.answers == []


def test_a_refusal_is_heard_and_ends_the_site() -> None:
    clock = SetClock()
    outcome = serve(holder(rows=45, minimum_rows=60), Line([ask("join")]), clock, lambda step: None)
    assert outcome.failure is not None
    assert outcome.failure.reason == "TooFewRows"
    assert clock.time < 60


def site_file(tmp_path: Path, **more: Any) -> Path:
    (tmp_path / "site.key").write_bytes(new_key())
    (tmp_path / "ca.crt").write_text("PEM")
    dumped = site_request("hospital-09").model_dump(mode="json", by_alias=True, exclude_none=True)
    dumped = {name: value for name, value in dumped.items() if name not in ("certificate", "trigger")}
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump({**dumped, "keyFile": "site.key", "certificateFile": "ca.crt", **more}))
    return path


def test_a_sites_file_names_key_and_certificate(tmp_path: Path) -> None:
    request, key, secret = read_site_file(site_file(tmp_path))
    assert (request.name, request.certificate, request.trigger) == ("hospital-09", "PEM", "")
    assert public_text(key) == public_text(read_key((tmp_path / "site.key").read_bytes()))
    assert secret


def writes(text: str) -> Callable[[Path], Any]:
    return lambda path: path.write_text(text)


def replaces(old: str, new: str) -> Callable[[Path], Any]:
    def change(path: Path) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (writes("- a list"), "no YAML mapping"),
        (writes("a: ["), "no YAML mapping"),
        (replaces("site.key", "other.key"), "cannot be read"),
        (replaces("coordinator:", "coordinater:"), "no field coordinater"),
        (replaces("minimumCell:", "minimumcell:"), "no field minimumcell"),
        (replaces("coordinator: ", "coordinator: http:/"), "coordinator: is not of the form"),
        (replaces("task: classification", "task: regression"), "another task, target or features"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, change: Callable[[Path], Any], said: str) -> None:
    path = site_file(tmp_path)
    change(path)
    with pytest.raises(BadSite, match=said):
        read_site_file(path)


def test_a_file_without_bounds_has_those_of_a_federation_site(tmp_path: Path) -> None:
    path = site_file(tmp_path)
    found = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({name: found[name] for name in found if not name.startswith("minimum")}))
    request, _, _ = read_site_file(path)
    assert (request.minimum_rows, request.minimum_cell) == (100, 10)


def test_a_hospital_tries_its_file_without_any_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, rows = site_file(tmp_path, minimumRows=80), tmp_path / "rows.csv"
    frame = heart_cohort(100, 2)
    checks = [
        (frame, 0, ""),
        (frame[:79], EXIT_PERMANENT, "TooFewRows: fewer than minimumRows (80)"),
        (frame.assign(age=200), EXIT_PERMANENT, "ContractMismatch: age: 100 cells break the contract"),
        (frame.drop(columns="sex"), EXIT_PERMANENT, "ContractMismatch: sex: the data have no such column"),
    ]
    for written, code, said in checks:
        written.to_csv(rows, index=False)
        assert main(["site", "check", "--file", str(path), "--data", str(rows)]) == code
        found = capsys.readouterr()
        assert said in found.err
        assert json.loads(found.out)["publicKey"].startswith("ecdsa-sha2-nistp384 ")
    assert main(["site", "check", "--file", str(path), "--data", str(tmp_path / "none.csv")]) == 1
    assert "none.csv could not be read: No such file or directory." in capsys.readouterr().err


def test_a_site_without_flower_names_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("heart_trainer.federation.commands.find_spec", lambda name: None)
    assert main(["site", "--file", str(site_file(tmp_path))]) == EXIT_PERMANENT
    assert "run a site from the image heartops/federation" in capsys.readouterr().err


def test_a_key_that_cannot_be_written_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["site", "key", str(tmp_path / "none/node.key")]) == EXIT_PERMANENT
    assert "cannot be written (No such file or directory)" in capsys.readouterr().err


def test_a_wrong_key_is_explained(tmp_path: Path) -> None:
    path = site_file(tmp_path)
    (tmp_path / "site.key").write_text("nonsense")
    with pytest.raises(BadKey, match="site key"):
        read_site_file(path)


def test_a_new_key_is_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "node.key"
    assert main(["site", "key", str(path)]) == 0
    assert capsys.readouterr().out.strip() == public_text(read_key(path.read_bytes()))
    assert path.stat().st_mode & 0o777 == 0o600
    assert main(["site", "key", str(path)]) == EXIT_PERMANENT
    assert "stranger" in capsys.readouterr().err


def test_without_a_row_key_a_site_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(Env.ROW_KEY, raising=False)
    monkeypatch.setenv(Env.SITE_REQUEST, site_request("hospital-01").model_dump_json(by_alias=True, exclude_none=True))
    assert main(["site"]) == EXIT_PERMANENT
    assert "init-namespace" in capsys.readouterr().err


def model(**more: Any) -> SiteModel:
    found: dict[str, Any] = {"namespace": "clinic", "name": "heart", "target": TARGET, "features": FEATURES}
    return SiteModel.model_validate(found | more)


def check(*models: SiteModel, uri: str = "builtin://heart-synthetic?rows=120&seed=4") -> SiteCheckOutcome:
    request = SiteCheckRequest(namespace="north", name="hospital", dataset=Dataset(uri=uri), models=models)
    return check_site(request, "a key")


def test_a_check_counts_rows_and_names_columns() -> None:
    narrow = Feature(name="age", type="number", minimum=60, maximum=70)
    outcome = check(model(), model(name="lung", features=(narrow, *FEATURES[1:])))
    assert (outcome.rows, outcome.public_key, outcome.failure) == (120, "a key", None)
    (problem,) = outcome.problems
    assert (problem.model, problem.column) == ("clinic/lung", "age")
    assert "cells break the contract" in problem.message


def test_a_check_says_that_a_required_column_is_missing() -> None:
    absent = Feature(name="bilirubin", type="number")
    (problem,) = check(model(features=(*FEATURES, absent))).problems
    assert (problem.column, problem.message) == ("bilirubin", "the data have no such column")


def test_a_check_fails_where_there_is_nothing_to_read() -> None:
    outcome = check(model(), uri="builtin://no-such-set")
    assert outcome.failure is not None
    assert outcome.failure.reason == "DatasetUnreachable"


def test_a_check_without_a_dataset_gives_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = SiteCheckRequest(namespace="north", name="hospital")
    monkeypatch.setenv(Env.SITE_CHECK_REQUEST, request.model_dump_json(by_alias=True, exclude_none=True))
    monkeypatch.setenv(Env.ROW_KEY, SECRET)
    monkeypatch.setenv(Env.TERMINATION_LOG, str(tmp_path / "message"))
    assert main(["site", "check"]) == 0
    found = json.loads((tmp_path / "message").read_bytes())
    assert found["publicKey"].startswith("ecdsa-sha2-nistp384 ")
    assert found["rows"] == 0


def test_a_column_that_need_not_be_there_may_be_absent(tmp_path: Path) -> None:
    frame = heart_cohort(100, 2).drop(columns=["ca"])
    path = tmp_path / "rows.csv"
    frame.to_csv(path, index=False)
    request = site_request("hospital-01", dataset=Dataset(uri="https://example.org/rows.csv"))
    found = read_site(job_of("clinic", "heart", request), path)
    assert found.without == ("ca",)
    assert found.checked.encoded["ca"].isna().all()
    assert hold(request, SECRET, path).joined.without == ("ca",)


def test_a_target_of_several_classes_is_found_out_by_the_sites_own_check() -> None:
    """Before any training: the data holder and the model's owner read it in the status."""
    model = SiteModel(namespace="clinic", name="heart", target=Target(name="num"), features=FEATURES)
    dataset = site_request("hospital-01").dataset
    outcome = check_site(
        SiteCheckRequest(namespace="hospital-01", name="hospital-01", dataset=dataset, models=(model,)), "k"
    )
    (problem,) = outcome.problems
    assert (problem.model, problem.column) == ("clinic/heart", "num")
    assert "The target num has 5 classes; a federation trains two" in problem.message
    assert "positiveAbove" in problem.message
