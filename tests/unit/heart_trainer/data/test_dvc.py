"""Files that DVC tracks: from a Git server and a remote on loopback, and repositories that somebody hostile wrote."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from dulwich import porcelain

from hack.venvs import NotInstalled, make
from heart_api.contract import Dataset
from heart_api.handover import DataAccess
from heart_trainer.data.sources import dvc, dvcproject, gitfiles
from heart_trainer.data.sources.fetch import fetch
from heart_trainer.errors import SourceError
from tests.support.dvc_server import DvcServer, md5, pointer_to

CSV = b"age,num\r\n54,1\r\n61,0\r\n"
ACCESS = DataAccess(schemes=("http", "https", "s3", "dvc+http", "dvc+https"), hosts=("127.0.0.1",))


LOCK = Path(__file__).resolve().parents[4] / "requirements" / "dvc.txt"


@pytest.fixture(scope="module")
def interpreter() -> str:
    """Of an environment with DVC, as in its image; the development environment has none."""
    try:
        return make("dvc", ["--require-hashes", "--no-deps", "-r", str(LOCK)], LOCK.read_text()).python
    except NotInstalled as error:
        pytest.skip(f"DVC cannot be installed here: {error}")


FILE, POINTER = "data/heart.csv", "data/heart.csv.dvc"


class Server(DvcServer):
    """With one file."""

    def track_csv(self, content: bytes = CSV, **more: str | bytes) -> str:
        return self.track(content, FILE, {NAMED[name]: text for name, text in more.items()})

    def read(self, path: str = FILE, access: DataAccess = ACCESS, **more: Any) -> bytes:
        return fetch(Dataset(uri=self.uri(path), **more), access)


NAMED = {
    "config": ".dvc/config",
    "pointer": POINTER,
    "readme": "README",
    "parts": "data/parts.dvc",
    "modules": ".gitmodules",
    "attributes": ".gitattributes",
    "lfs": ".lfsconfig",
    "hook": ".githooks/post-checkout",
}


@pytest.fixture
def server(tmp_path: Path, interpreter: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(dvc, "INTERPRETER", interpreter)
    with Server.running(tmp_path) as found:
        yield found


def refused(server: Server, reason: str, words: str, **more: Any) -> None:
    with pytest.raises(SourceError) as error:
        server.read(**more)
    assert (error.value.reason, words in error.value.message) == (reason, True), error.value.message


# --- what people do ---------------------------------------------------------------------------------


def test_a_tracked_file_is_read_from_the_remote(server: Server) -> None:
    server.track_csv()
    assert server.read() == CSV


def test_the_jobs_log_names_commit_and_hash(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    commit = server.track_csv()
    server.read()
    assert f"of commit {commit}, MD5 {md5(CSV)}" in capsys.readouterr().err


def test_a_branch_a_tag_and_a_commit_are_revisions(server: Server) -> None:
    first = server.track_csv()
    porcelain.branch_create(server.repo, "before")
    server.tag("v1")
    newer = b"age,num\n1,0\n"
    server.track_csv(newer)
    assert server.read() == newer
    for rev in ("before", "v1", first):
        assert server.read(rev=rev) == CSV, rev
    refused(server, "DatasetUnreachable", "no branch, tag or commit v9", rev="v9")


def test_an_output_of_a_pipeline_is_in_its_lock(server: Server) -> None:
    server.track_csv()
    stages = "stages:\n  prepare:\n    cmd: 'false'\n    outs:\n    - out/heart.csv\n"
    lock = "schema: '2.0'\nstages:\n  prepare:\n    cmd: 'false'\n    outs:\n    - path: out/heart.csv\n"
    lock += f"      hash: md5\n      md5: {md5(CSV)}\n      size: 21\n"
    server.commit({"dvc.yaml": stages, "dvc.lock": lock})
    assert server.read("out/heart.csv") == CSV


def test_what_dvc_2_wrote_is_read_by_its_own_rules(server: Server) -> None:
    unix = CSV.replace(b"\r\n", b"\n")
    server.files[f"/store/{md5(unix)[:2]}/{md5(unix)[2:]}"] = CSV
    server.commit({".dvc/config": server.config(), POINTER: pointer_to(md5(unix), extra="")})
    assert server.read() == CSV


def test_an_output_may_name_its_own_remote(server: Server) -> None:
    server.files[f"/other/files/md5/{md5(CSV)[:2]}/{md5(CSV)[2:]}"] = CSV
    extra = f"['remote \"other\"']\n    url = {server.url}/other\n"
    named = pointer_to(md5(CSV), extra="  hash: md5\n  remote: other\n")
    server.commit({".dvc/config": server.config(extra=extra), POINTER: named})
    assert server.read() == CSV


def test_the_digest_of_the_spec_is_compared_as_for_any_file(server: Server) -> None:
    server.track_csv()
    refused(server, "DatasetDigestMismatch", "dataset.sha256", sha256="0" * 64)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("data/other.csv", "is not tracked by DVC"),
        ("README", "is in Git itself"),
        ("data/../heart.csv", "name the file behind #"),
        ("%00", "name the file behind #"),
    ],
)
def test_a_path_that_names_nothing_says_what_to_do(server: Server, path: str, words: str) -> None:
    server.track_csv(readme="read me")
    refused(server, "DatasetUnreachable", words, path=path)


def directory(server: Server, listed: str = "") -> None:
    """`data/parts` with one file, as `dvc add` tracks a directory."""
    listed = listed or json.dumps([{"md5": md5(CSV), "relpath": "2026/heart.csv"}])
    name = md5(listed.encode())
    server.files[f"/store/files/md5/{name[:2]}/{name[2:]}.dir"] = listed.encode()
    server.track_csv(parts=pointer_to(f"{name}.dir", "parts", "  nfiles: 1\n  hash: md5\n"))


def test_a_file_of_a_directory_is_found_by_the_directorys_list(server: Server) -> None:
    directory(server)
    assert server.read("data/parts/2026/heart.csv") == CSV


def test_a_directory_is_said_to_be_one(server: Server) -> None:
    directory(server)
    refused(server, "DatasetUnreachable", "is a directory in DVC", path="data/parts")
    refused(server, "DatasetUnreachable", "is not tracked by DVC", path="data/parts/heart.csv")


def test_a_list_that_is_another_is_found_out(server: Server) -> None:
    directory(server)
    server.files = {name: b"[]" if name.endswith(".dir") else kept for name, kept in server.files.items()}
    refused(server, "DatasetDigestMismatch", "push it again", path="data/parts/2026/heart.csv")


def test_a_remote_may_be_a_bucket(server: Server, bucket: Any) -> None:
    """With the credentials of the pod, which DVC's process does not have."""
    server.track_csv(config=server.config("s3://clinic/dvc"))
    bucket.put_object(Key=f"dvc/files/md5/{md5(CSV)[:2]}/{md5(CSV)[2:]}", Body=CSV)
    assert server.read() == CSV
    assert not [path for path in server.asked if path.startswith("/store")]


def test_a_private_repository_takes_the_namespaces_credentials(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.track_csv()
    server.login = "ci:a b"
    refused(server, "DatasetUnreachable", "HEARTOPS_GIT_CREDENTIALS")
    monkeypatch.setenv(
        gitfiles.CREDENTIALS, f"https://ci:other@git.example.org\n{server.url.replace('//', '//ci:a%20b@')}"
    )
    assert server.read() == CSV


@pytest.mark.parametrize(
    "asked",
    ["http://git.example.org", "https://git.example.org.evil.com", "https://git.example.org:8443", "https://evil.com"],
)
def test_credentials_are_for_their_own_server_alone(asked: str) -> None:
    store = "no line\nhttps://[::1\nhttps://user@git.example.org https://user:t%2Fk@git.example.org\n"
    assert gitfiles.login(urlsplit("https://git.example.org/heart.git"), store) == ("user", "t/k")
    assert gitfiles.login(urlsplit(f"{asked}/heart.git"), store) is None


# --- hostile repositories ---------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC is played: it says where the default remote's file would be."""

    def answer(question: dvcproject.Question) -> dvcproject.Answer:
        url = question["remotes"].get(question["default"])
        if url is None:
            return {"outcome": "no remote"}
        return {"outcome": "file", "url": f"{url}/files/md5/{md5(CSV)[:2]}/{md5(CSV)[2:]}", "md5": md5(CSV)}

    monkeypatch.setattr(dvc, "ask", answer)


@pytest.mark.parametrize(
    "url",
    [
        "/etc",
        "../../../etc",
        "file:///etc",
        "ssh://git@host/store",
        "gs://bucket/store",
        "hdfs://host/store",
        "remote://other/store",
        "C:\\store",
    ],
)
@pytest.mark.usefixtures("told")
def test_a_remote_of_another_kind_is_refused(server: Server, url: str) -> None:
    server.track_csv(config=server.config(url))
    refused(server, "DatasetNotAllowed", "is not read here")


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "localhost", "10.0.0.1", "[::1]", "0x7f000001", "metadata.internal"]
)
@pytest.mark.usefixtures("told")
def test_a_remote_inside_of_the_cluster_is_refused(server: Server, host: str) -> None:
    server.track_csv(config=server.config(f"http://{host}/store"))
    refused(server, "DatasetNotAllowed", "is not among the hosts")


def test_a_git_host_that_nobody_allowed_is_not_even_asked(server: Server) -> None:
    server.track_csv()
    server.asked.clear()
    open_access = ACCESS.model_copy(update={"hosts": ()})
    refused(server, "DatasetNotAllowed", "is an internal address", access=open_access)
    refused(server, "DatasetNotAllowed", "is not allowed here", access=DataAccess(hosts=("127.0.0.1",)))
    assert server.asked == []


def test_a_name_that_leads_inside_is_found_out_when_it_is_dialled(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked as a name may resolve to anything a moment later."""
    server.track_csv()
    server.asked.clear()
    monkeypatch.setattr(gitfiles, "check_host", lambda host, access: False)
    refused(server, "DatasetNotAllowed", "resolves to an internal address")
    assert server.asked == []


def test_a_redirect_is_not_followed(server: Server) -> None:
    server.track_csv()
    server.redirect = "http://169.254.169.254/latest"
    refused(server, "DatasetUnreachable", "could not be fetched")


def test_another_file_in_the_place_of_the_tracked_one_is_found_out(server: Server) -> None:
    server.track_csv()
    server.files = dict.fromkeys(server.files, b"age,num\n99,1\n")
    refused(server, "DatasetDigestMismatch", "push it again")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("pointer", "outs: [{path: heart.csv, md5: ../../../etc/passwd}]", "has no MD5"),
        ("pointer", "!!python/object/apply:os.system ['true']", "DVC cannot read"),
        ("pointer", "outs: 7", "DVC cannot read"),
        ("config", b"\xff\xfe", "cannot be read"),
        ("config", "no section", "cannot be read"),
        ("config", "[core]\nremote = storage\n", "names no remote for data/heart.csv"),
        ("config", "", "names no remote"),
    ],
)
def test_files_that_are_none_of_dvcs_are_named(server: Server, name: str, content: Any, words: str) -> None:
    server.track_csv(**{name: content})
    refused(server, "DatasetUnreachable", words)


def test_a_file_on_which_dvc_does_not_come_to_an_end_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dvc, "SECONDS", 0.05)  # it takes longer to start
    server.track_csv()
    refused(server, "DatasetUnreachable", "DVC did not find the file within 0.05 s")


def test_a_pointer_nested_beyond_measure_is_one_that_dvc_cannot_read(server: Server) -> None:
    server.track_csv(pointer="[" * 100_000)
    refused(server, "DatasetUnreachable", "DVC cannot read")


def test_without_dvc_the_message_says_what_is_missing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dvc, "INTERPRETER", sys.executable)
    server.track_csv()
    refused(server, "DatasetNotAllowed", "an administrator sets images.dvc in the runtime profile")


def test_dvc_runs_as_a_user_that_the_system_does_not_know(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the pod, whose user has a number and no name."""
    (tmp_path / "site").mkdir()
    nobody = "import pwd\ndef unknown(number): raise KeyError(number)\npwd.getpwuid = unknown\n"
    (tmp_path / "site" / "sitecustomize.py").write_text(nobody)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    server.track_csv()
    assert server.read() == CSV


def test_dvc_itself_connects_to_nothing_and_starts_nothing(server: Server) -> None:
    """An import names another repository, which DVC would clone; a list that it lacks it would fetch."""
    other = f"deps:\n- path: heart.csv\n  repo: {{url: {server.url}/other.git, rev_lock: {'0' * 40}}}\n"
    server.track_csv(pointer=other + pointer_to(md5(CSV)))
    server.asked.clear()
    with pytest.raises(SourceError):
        server.read()
    assert {path.split("/")[1] for path in server.asked} == {"repo.git"}


@pytest.mark.parametrize("path", ["../x.dvc", "/x.dvc", "a//x.dvc", "a/./x.dvc", "a\\x.dvc", "a/../../x.dvc"])
def test_a_tree_made_by_hand_leads_nowhere(path: str) -> None:
    assert not gitfiles.is_inside(path)
    assert gitfiles.is_inside("a/b..c/x.dvc")


def test_large_files_and_packs_are_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.track_csv()
    monkeypatch.setattr(gitfiles, "MAX_FILE", 10)
    refused(server, "DatasetNotAllowed", "DVC's own files are small")
    monkeypatch.setattr(gitfiles, "MAX_FILE", 1000)
    monkeypatch.setattr(gitfiles, "MAX_FILES", 0)
    refused(server, "DatasetNotAllowed", "more than 0 files of DVC")
    monkeypatch.setattr(gitfiles, "MAX_PACK", 10)
    refused(server, "DatasetNotAllowed", "too large to be fetched")


def test_nothing_of_the_repository_is_run_or_written(server: Server, tmp_path: Path) -> None:
    """Hooks, submodules, filters and a local configuration are files like any other, and nobody asks for them."""
    marker = tmp_path / "ran"
    server.track_csv(
        modules=f'[submodule "x"]\n path = x\n url = {server.url}/other.git\n',
        attributes="* filter=lfs\n",
        lfs=f"[lfs]\n url = {server.url}/lfs\n",
        hook=f"#!/bin/sh\ntouch {marker}\n",
        config=server.config(extra=f"[core]\n    hardlink_lock = true\n    plugin = {marker}\n"),
    )
    server.asked.clear()
    assert server.read() == CSV
    assert not marker.exists()
    assert {path.split("/")[1] for path in server.asked} == {"repo.git", "store"}
