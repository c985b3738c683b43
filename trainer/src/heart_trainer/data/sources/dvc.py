"""`dvc+https://host/repo.git#path/of/file.csv`: a file that DVC tracks, at the revision `dataset.rev`.

Three small files of the Git repository say where it is: `<path>.dvc` (or `dvc.lock`) has its MD5, and `.dvc/config` the
remote. The file is read from there as any dataset is, within an administrator's bounds, and has to have that MD5.

DVC itself is not used: it would clone the repository, obey its configuration, and add 58 packages to the image
(docs/decisions/0024). Its formats are read as DVC 2 and 3 write them.
"""

import configparser
import hashlib
import logging
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import yaml

from heart_api.handover import DataAccess
from heart_trainer.data.sources import objects, web
from heart_trainer.data.sources.gitfiles import Revision, fetch_revision
from heart_trainer.errors import SourceError

log = logging.getLogger(__name__)

PREFIX = "dvc+"
MD5 = re.compile(r"[0-9a-f]{32}")
FILE = re.compile(r"[^\0\\]{1,1024}")
REMOTES = ("https", "http", "s3")


@dataclass(frozen=True)
class Pointer:
    """What DVC says of a file."""

    md5: str
    remote: str | None
    legacy: bool
    """Written by DVC 2: another layout of the remote, and the MD5 of a text is that with Unix line ends."""


def read(address: SplitResult, rev: str | None, access: DataAccess) -> bytes:
    """The file's bytes. Raises SourceError."""
    path = unquote(address.fragment).strip("/")
    if not path or not FILE.fullmatch(path) or ".." in path.split("/"):
        raise _wrong("dataset.uri: name the file behind #, as dvc+https://host/repo.git#data/heart.csv.")
    repository = address._replace(scheme=address.scheme.removeprefix(PREFIX), fragment="")
    revision = fetch_revision(repository, rev, access)
    pointer = find_pointer(revision, path)
    url = f"{remote_url(revision, pointer.remote, access).rstrip('/')}/{place(pointer)}"
    target = urlsplit(url)
    data = objects.read(target, access) if target.scheme == "s3" else web.read(target, access)
    check_md5(data, pointer, path)
    log.info("%s of commit %s, MD5 %s", path, revision.commit, pointer.md5)
    return data


def find_pointer(revision: Revision, path: str) -> Pointer:
    """From `<path>.dvc`, else from the pipeline's `dvc.lock` at the repository's root. Raises SourceError."""
    found = pointer_in(parsed(revision, f"{path}.dvc"), path.rpartition("/")[2])
    if found is None:
        stages = (parsed(revision, "dvc.lock") or {}).get("stages")
        each = stages.values() if isinstance(stages, dict) else ()
        found = next((one for stage in each if (one := pointer_in(stage, path))), None)
    if found is None:
        there = "is in Git itself: name its own address" if revision.read(path) is not None else "is not tracked by DVC"
        raise _wrong(f"{path} of {revision.where} {there}; {path}.dvc and dvc.lock do not name it.")
    return found


def pointer_in(document: Any, path: str) -> Pointer | None:
    """Of the output with this path, in a .dvc file or a stage of dvc.lock. Raises SourceError for a directory."""
    outs = document.get("outs") if isinstance(document, dict) else None
    for out in outs if isinstance(outs, list) else ():
        if not isinstance(out, dict) or out.get("path") != path:
            continue
        md5, remote = str(out.get("md5", "")), out.get("remote")
        if md5.endswith(".dir"):
            raise _wrong(f"{path} is a directory in DVC: name one file, tracked by itself.")
        if not MD5.fullmatch(md5):
            raise _wrong(f"DVC's entry of {path} has no MD5; other hashes are not read.")
        return Pointer(md5, str(remote) if remote else None, legacy=out.get("hash") != "md5")
    return None


def parsed(revision: Revision, path: str) -> Any:
    """YAML of the repository; None if there is no such file. Raises SourceError."""
    text = revision.read(path)
    if text is None:
        return None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        raise _wrong(f"{path} of {revision.where} is not YAML.") from None


def remote_url(revision: Revision, name: str | None, access: DataAccess) -> str:
    """Of the remote that `.dvc/config` names; nothing else of that file is obeyed. Raises SourceError."""
    config = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        config.read_string((revision.read(".dvc/config") or b"").decode())
    except (configparser.Error, UnicodeDecodeError):
        raise _wrong(f".dvc/config of {revision.where} cannot be read.") from None
    name = name or config.get("core", "remote", fallback="")
    url = (config.get(f"'remote \"{name}\"'", "url", fallback="") or "").strip().strip("\"'")
    scheme = urlsplit(url).scheme if re.match(r"[a-z0-9+]+://", url) else "a path"
    if not url:
        raise _wrong(f".dvc/config of {revision.where} names no remote{f' {name}' if name else ''} with a url.")
    if scheme not in REMOTES or scheme not in access.schemes:
        raise SourceError(
            "DatasetNotAllowed",
            f"DVC's remote {name} is {scheme}, which is not read here: https and s3 are, where the runtime profile"
            " allows them.",
            permanent=True,
        )
    return url


def place(pointer: Pointer) -> str:
    """Below the remote."""
    where = f"{pointer.md5[:2]}/{pointer.md5[2:]}"
    return where if pointer.legacy else f"files/md5/{where}"


def check_md5(data: bytes, pointer: Pointer, path: str) -> None:
    """Raises SourceError. MD5 is DVC's choice; `dataset.sha256` pins a file against whoever can forge one."""
    known = {md5(data), md5(data.replace(b"\r\n", b"\n"))} if pointer.legacy else {md5(data)}
    if pointer.md5 not in known:
        message = f"{path} in DVC's remote has MD5 {md5(data)}, the repository names {pointer.md5}: push it again."
        raise SourceError("DatasetDigestMismatch", message, permanent=True)


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _wrong(message: str) -> SourceError:
    return SourceError("DatasetUnreachable", message, permanent=True)
