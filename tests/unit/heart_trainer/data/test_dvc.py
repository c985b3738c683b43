"""Files that DVC tracks: from a Git server and a remote on loopback, and repositories that somebody hostile wrote."""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from dulwich import porcelain
from dulwich.repo import Repo
from dulwich.server import DictBackend
from dulwich.web import make_wsgi_chain

from heart_api.contract import Dataset
from heart_api.handover import DataAccess
from heart_trainer.data.sources import gitfiles
from heart_trainer.data.sources.fetch import fetch
from heart_trainer.errors import SourceError

CSV = b"age,num\r\n54,1\r\n61,0\r\n"
ACCESS = DataAccess(schemes=("http", "https", "s3", "dvc+http", "dvc+https"), hosts=("127.0.0.1",))


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class Server:
    """/repo.git is the repository, everything else the remote's files."""

    def __init__(self, folder: Path) -> None:
        self.repo = Repo.init(str(folder / "repo"), mkdir=True)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.redirect = ""
        git = make_wsgi_chain(DictBackend({"/repo.git": self.repo}))

        def app(environ: dict[str, Any], start: Any) -> Any:
            path = environ["PATH_INFO"]
            self.asked.append(path)
            if self.redirect:
                start("302 Found", [("Location", self.redirect)])
                return [b""]
            if path.startswith("/repo.git"):
                return git(environ, start)
            found = self.files.get(path)
            start("200 OK" if found is not None else "404 Not Found", [("Content-Length", str(len(found or b"")))])
            return [found or b""]

        self.http = make_server("127.0.0.1", 0, app, handler_class=Quiet)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def commit(self, **files: str | bytes) -> str:
        """Names with `/` as `__`."""
        root = Path(self.repo.path)
        for name, content in files.items():
            path = root / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            porcelain.add(self.repo, [str(path)])
        sha = porcelain.commit(self.repo, message=b"x", author=b"a <a@b>", committer=b"a <a@b>")
        return bytes(sha).decode()

    def config(self, url: str = "", extra: str = "") -> str:
        return f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {url or self.url + '/store'}\n{extra}"

    def track(self, content: bytes = CSV, **more: str | bytes) -> str:
        self.files[f"/store/files/md5/{md5(content)[:2]}/{md5(content)[2:]}"] = content
        files = {"_dot_dvc__config": self.config(), "data__heart_dot_csv_dot_dvc": pointer(md5(content))}
        return self.commit(**(files | more))

    def read(self, path: str = "data/heart.csv", access: DataAccess = ACCESS, **more: Any) -> bytes:
        return fetch(Dataset(uri=f"dvc+{self.url}/repo.git#{path}", **more), access)


def pointer(digest: str, path: str = "heart.csv", extra: str = "  hash: md5\n") -> str:
    return f"outs:\n- md5: {digest}\n  size: 21\n{extra}  path: {path}\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    yield found
    found.http.shutdown()
    found.http.server_close()


def refused(server: Server, reason: str, words: str, **more: Any) -> None:
    with pytest.raises(SourceError) as error:
        server.read(**more)
    assert (error.value.reason, words in error.value.message) == (reason, True), error.value.message


# --- what people do ---------------------------------------------------------------------------------


def test_a_tracked_file_is_read_from_the_remote(server: Server) -> None:
    server.track()
    assert server.read() == CSV


def test_a_branch_a_tag_and_a_commit_are_revisions(server: Server) -> None:
    first = server.track()
    porcelain.branch_create(server.repo, "before")
    porcelain.tag_create(server.repo, b"v1", author=b"a <a@b>", message=b"x", annotated=True)
    newer = b"age,num\n1,0\n"
    server.track(newer)
    assert server.read() == newer
    for rev in ("before", "v1", first):
        assert server.read(rev=rev) == CSV, rev
    refused(server, "DatasetUnreachable", "no branch, tag or commit v9", rev="v9")


def test_an_output_of_a_pipeline_is_in_its_lock(server: Server) -> None:
    server.track()
    lock = "stages:\n  prepare:\n    outs:\n    - path: out/heart.csv\n      hash: md5\n      md5: " + md5(CSV)
    server.commit(dvc_dot_lock=lock)
    assert server.read("out/heart.csv") == CSV


def test_what_dvc_2_wrote_is_read_by_its_own_rules(server: Server) -> None:
    unix = CSV.replace(b"\r\n", b"\n")
    server.files[f"/store/{md5(unix)[:2]}/{md5(unix)[2:]}"] = CSV
    server.commit(_dot_dvc__config=server.config(), data__heart_dot_csv_dot_dvc=pointer(md5(unix), extra=""))
    assert server.read() == CSV


def test_an_output_may_name_its_own_remote(server: Server) -> None:
    server.files[f"/other/files/md5/{md5(CSV)[:2]}/{md5(CSV)[2:]}"] = CSV
    extra = f"['remote \"other\"']\n    url = {server.url}/other\n"
    named = pointer(md5(CSV), extra="  hash: md5\n  remote: other\n")
    server.commit(_dot_dvc__config=server.config(extra=extra), data__heart_dot_csv_dot_dvc=named)
    assert server.read() == CSV


def test_the_digest_of_the_spec_is_compared_as_for_any_file(server: Server) -> None:
    server.track()
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
    server.track(README="read me")
    refused(server, "DatasetUnreachable", words, path=path)


def test_a_directory_is_said_to_be_one(server: Server) -> None:
    server.track()
    server.commit(data__heart_dot_csv_dot_dvc=pointer(md5(CSV) + ".dir"))
    refused(server, "DatasetUnreachable", "is a directory in DVC")


# --- hostile repositories ---------------------------------------------------------------------------


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
def test_a_remote_of_another_kind_is_refused(server: Server, url: str) -> None:
    server.track(_dot_dvc__config=server.config(url))
    refused(server, "DatasetNotAllowed", "is not read here")


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "localhost", "10.0.0.1", "[::1]", "0x7f000001", "metadata.internal"]
)
def test_a_remote_inside_of_the_cluster_is_refused(server: Server, host: str) -> None:
    server.track(_dot_dvc__config=server.config(f"http://{host}/store"))
    refused(server, "DatasetNotAllowed", "is not among the hosts")


def test_a_git_host_that_nobody_allowed_is_not_even_asked(server: Server) -> None:
    server.track()
    server.asked.clear()
    open_access = ACCESS.model_copy(update={"hosts": ()})
    refused(server, "DatasetNotAllowed", "is an internal address", access=open_access)
    refused(server, "DatasetNotAllowed", "is not allowed here", access=DataAccess(hosts=("127.0.0.1",)))
    assert server.asked == []


def test_a_name_that_leads_inside_is_found_out_when_it_is_dialled(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked as a name may resolve to anything a moment later."""
    server.track()
    server.asked.clear()
    monkeypatch.setattr(gitfiles, "check_host", lambda host, access: False)
    refused(server, "DatasetNotAllowed", "resolves to an internal address")
    assert server.asked == []


def test_a_redirect_is_not_followed(server: Server) -> None:
    server.track()
    server.redirect = "http://169.254.169.254/latest"
    refused(server, "DatasetUnreachable", "could not be fetched")


def test_another_file_in_the_place_of_the_tracked_one_is_found_out(server: Server) -> None:
    server.track()
    server.files = dict.fromkeys(server.files, b"age,num\n99,1\n")
    refused(server, "DatasetDigestMismatch", "push it again")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("data__heart_dot_csv_dot_dvc", "outs: [{path: heart.csv, md5: ../../../etc/passwd}]", "has no MD5"),
        ("data__heart_dot_csv_dot_dvc", "!!python/object/apply:os.system ['true']", "is not YAML"),
        ("data__heart_dot_csv_dot_dvc", "outs: 7", "is not tracked"),
        ("data__heart_dot_csv_dot_dvc", "[" * 20_000, "is not YAML"),
        ("_dot_dvc__config", b"\xff\xfe", "cannot be read"),
        ("_dot_dvc__config", "no section", "cannot be read"),
        ("_dot_dvc__config", "[core]\nremote = storage\n", "names no remote storage"),
        ("_dot_dvc__config", "", "names no remote"),
    ],
)
def test_files_that_are_none_of_dvcs_are_named(server: Server, name: str, content: Any, words: str) -> None:
    server.track(**{name: content})
    refused(server, "DatasetUnreachable", words)


def test_large_files_and_packs_are_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.track()
    monkeypatch.setattr(gitfiles, "MAX_FILE", 10)
    refused(server, "DatasetNotAllowed", "DVC's own files are small")
    monkeypatch.setattr(gitfiles, "MAX_PACK", 10)
    refused(server, "DatasetNotAllowed", "too large to be fetched")


def test_nothing_of_the_repository_is_run_or_written(server: Server, tmp_path: Path) -> None:
    """Hooks, submodules, filters and a local configuration are files like any other, and nobody asks for them."""
    marker = tmp_path / "ran"
    server.track(
        _dot_gitmodules=f'[submodule "x"]\n path = x\n url = {server.url}/other.git\n',
        _dot_gitattributes="* filter=lfs\n",
        _dot_lfsconfig=f"[lfs]\n url = {server.url}/lfs\n",
        _dot_githooks__post_checkout=f"#!/bin/sh\ntouch {marker}\n",
        _dot_dvc__config=server.config(extra=f"[core]\n    hardlink_lock = true\n    plugin = {marker}\n"),
    )
    server.asked.clear()
    assert server.read() == CSV
    assert not marker.exists()
    assert {path.split("/")[1] for path in server.asked} == {"repo.git", "store"}
