"""`dvc+https://host/repo.git#path/of/file.csv`: a file that DVC tracks, at the revision `dataset.rev`.

DVC's own library says where the file is, in a process of its own that has the repository's small files and nothing
else (`dvcproject.py`): no network, no credentials, no configuration but the remotes' URLs. The commit before, and the
file after, are read as any dataset is, within an administrator's bounds; the file has to have the pointer's MD5.
"""

import configparser
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import SplitResult, quote, unquote, urlsplit

from heart_api.handover import DataAccess
from heart_trainer.data.sources import dvcproject, objects, web
from heart_trainer.data.sources.dvcproject import Answer, Question
from heart_trainer.data.sources.gitfiles import Revision, fetch_revision
from heart_trainer.errors import SourceError

PREFIX = "dvc+"
MD5 = re.compile(r"[0-9a-f]{32}")
FILE = re.compile(r"[^\0\\]{1,1024}")
URL = re.compile(r"([a-z0-9+]+)://[^\s\"']+")
REMOTES = ("https", "http", "s3")
PROJECT_FILES = re.compile(r"(.*/)?([^/]+\.dvc|dvc\.yaml|dvc\.lock|params\.yaml|\.dvcignore)")
"""What DVC reads of a repository to find a file. Its configuration is not among them."""
SECONDS = 120.0
INTERPRETER = sys.executable
"""Of an environment with DVC."""


@dataclass(frozen=True)
class Remotes:
    """Of the repository's configuration; nothing else of it is obeyed."""

    default: str = ""
    urls: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Name → its kind."""


@dataclass(frozen=True)
class Place:
    """Where a tracked object is, and what it has to be."""

    url: str
    md5: str
    legacy: bool
    """Written by DVC 2: the MD5 of a text is that with Unix line ends."""


def read(address: SplitResult, rev: str | None, access: DataAccess) -> bytes:
    """The file's bytes. Raises SourceError."""
    path = unquote(address.fragment).strip("/")
    if not path or not FILE.fullmatch(path) or ".." in path.split("/"):
        raise _wrong("dataset.uri: name the file behind #, as dvc+https://host/repo.git#data/heart.csv.")
    repository = address._replace(scheme=address.scheme.removeprefix(PREFIX), fragment="")
    revision = fetch_revision(repository, rev, access)
    place = locate(revision, path, access)
    data = download(place, path, access)
    # For the Job's log. Quoted, as a name in a repository may have control characters.
    print(f"{quote(path)} of commit {revision.commit}, MD5 {place.md5}", file=sys.stderr, flush=True)
    return data


def locate(revision: Revision, path: str, access: DataAccess) -> Place:
    """Where DVC has the file `path`. Raises SourceError."""
    remotes = remotes_of(revision, access)
    with TemporaryDirectory(prefix="dvc-") as folder:
        root = Path(folder) / "project"
        write_project(revision, root)
        question: Question = {"root": str(root), "path": path, "remotes": remotes.urls, "default": remotes.default}
        answer = ask(question)
        if answer["outcome"] == "list":  # the path is a directory, or within one
            supply_list(answer, root, path, access)
            answer = ask(question)
    if answer["outcome"] != "file":
        raise refusal(answer, revision, path, remotes)
    return place_of(answer, path)


def write_project(revision: Revision, root: Path) -> None:
    """DVC's own files of the commit, in a folder that DVC takes for a project. Raises SourceError."""
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").touch()
    for name, content in revision.files(PROJECT_FILES):
        target = root / name
        if target.parts[: len(root.parts) + 1] == (*root.parts, ".dvc"):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def ask(question: Question) -> Answer:
    """DVC's answer. Raises SourceError where it comes to none."""
    folder = Path(question["root"]).parent
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "LANG")}
    environment |= {"HOME": str(folder), "TMPDIR": str(folder), "DVC_SITE_CACHE_DIR": str(folder / "site")}
    environment |= {
        "DVC_NO_ANALYTICS": "1",
        "LOGNAME": "trainer",
    }  # DVC asks for its user, whom the image does not know
    command = [INTERPRETER, "-P", dvcproject.__file__]
    try:
        done = subprocess.run(  # noqa: S603  a program of ours; what others wrote is in its input alone
            command,
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=environment,
            cwd=folder,
            check=False,
        )
        answer: Answer = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        raise _wrong(f"DVC did not find the file within {SECONDS:g} s.") from None
    except (IndexError, ValueError):
        raise _wrong(f"DVC ended with exit code {done.returncode} and without an answer.") from None
    return answer


def supply_list(answer: Answer, root: Path, path: str, access: DataAccess) -> None:
    """Put the list of a directory's files where DVC looks for it. Raises SourceError."""
    target = Path(answer.get("cache", ""))
    if not target.is_relative_to(root / ".dvc" / "cache"):
        raise _wrong(f"DVC's cache of the directory around {path} is outside of the project.")
    content = download(place_of(answer, path), f"the list of the directory around {path}", access)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def place_of(answer: Answer, path: str) -> Place:
    """Raises SourceError for a pointer that is none."""
    md5 = answer.get("md5", "")
    if not MD5.fullmatch(md5):
        raise _wrong(f"DVC's entry of {path} has no MD5; other hashes are not read.")
    return Place(answer.get("url", ""), md5, answer.get("legacy", False))


def refusal(answer: Answer, revision: Revision, path: str, remotes: Remotes) -> SourceError:
    """Why there is no file, and what to do."""
    outcome = answer["outcome"]
    if outcome == "no dvc":
        return SourceError(
            "DatasetNotAllowed",
            f"This trainer has no DVC ({answer.get('message')}): an administrator sets images.dvc in the runtime"
            " profile; on a laptop install dvc, dvc-http and dvc-s3.",
            permanent=True,
        )
    if outcome == "no remote" and remotes.refused:
        kinds = ", ".join(f"{name} is {kind}" for name, kind in sorted(remotes.refused.items()))
        return SourceError(
            "DatasetNotAllowed",
            f"DVC's remote {kinds}, which is not read here: https and s3 are, where the runtime profile allows them.",
            permanent=True,
        )
    if outcome == "no remote":
        return _wrong(f".dvc/config of {revision.where} names no remote for {path}.")
    if outcome in ("list", "directory"):
        return _wrong(f"{path} is a directory in DVC: name one file in it.")
    if outcome == "untracked":
        in_git = revision.read(path) is not None
        there = "is in Git itself: name its own address" if in_git else "is not tracked by DVC"
        return _wrong(f"{path} of {revision.where} {there}; no .dvc file and no dvc.lock names it.")
    return _wrong(f"DVC cannot read {revision.where}: {answer.get('message')}.")


def remotes_of(revision: Revision, access: DataAccess) -> Remotes:
    """Those of `.dvc/config` whose scheme is allowed. Raises SourceError."""
    config = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        config.read_string((revision.read(".dvc/config") or b"").decode())
    except (configparser.Error, UnicodeDecodeError):
        raise _wrong(f".dvc/config of {revision.where} cannot be read.") from None
    urls, refused = {}, {}
    for section in config.sections():
        if not (named := re.fullmatch(r"'?remote \"([^\"]{1,100})\"'?", section)):
            continue
        url = (config.get(section, "url", fallback="") or "").strip().strip("\"'")
        kind = found[1] if (found := URL.fullmatch(url)) else "a path"
        if kind in REMOTES and kind in access.schemes:
            urls[named[1]] = url
        elif url:
            refused[named[1]] = kind
    return Remotes(config.get("core", "remote", fallback="") or "", urls, refused)


def download(place: Place, path: str, access: DataAccess) -> bytes:
    """The object's bytes, as any dataset is read, with the MD5 that DVC names. Raises SourceError."""
    target = urlsplit(place.url)
    if target.scheme not in REMOTES or target.scheme not in access.schemes:
        raise SourceError("DatasetNotAllowed", f"DVC's remote of {path} is {target.scheme}.", permanent=True)
    data = objects.read(target, access) if target.scheme == "s3" else web.read(target, access)
    check_md5(data, place, path)
    return data


def check_md5(data: bytes, place: Place, path: str) -> None:
    """Raises SourceError. MD5 is DVC's choice; `dataset.sha256` pins a file against whoever can forge one."""
    known = {md5(data), md5(data.replace(b"\r\n", b"\n"))} if place.legacy else {md5(data)}
    if place.md5 not in known:
        message = f"{path} in DVC's remote has MD5 {md5(data)}, the repository names {place.md5}: push it again."
        raise SourceError("DatasetDigestMismatch", message, permanent=True)


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _wrong(message: str) -> SourceError:
    return SourceError("DatasetUnreachable", message, permanent=True)
