"""A few small files of a Git repository at one revision, over HTTPS, as plain objects: nothing is checked out.

A repository is somebody else's input. There are no hooks, no submodules and no filters (LFS) here: one commit is
fetched into memory, and blobs are read out of it. Every connection is to the host that was checked.
"""

import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import urllib3
from dulwich.client import HttpGitClient, HTTPUnauthorized
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
from dulwich.object_store import MemoryObjectStore, iter_tree_contents, tree_lookup_path
from dulwich.objects import Blob, Commit, ObjectID, Tag
from dulwich.repo import MemoryRepo
from urllib3.connection import HTTPConnection, HTTPSConnection

from heart_api.handover import DataAccess
from heart_trainer.data.sources.web import check_host, dialled_host, is_public
from heart_trainer.errors import SourceError

CREDENTIALS = "HEARTOPS_GIT_CREDENTIALS"
"""Environment variable, from the namespace's Secret `heartops-runtime`."""
MAX_PACK = 64 * 1024 * 1024
"""Bytes of one commit of the repository: data belongs into DVC's remote."""
MAX_FILE = 1024 * 1024
MAX_FILES = 5_000
SECONDS = 300.0
TIMEOUT = urllib3.Timeout(connect=20, read=60)
COMMIT = re.compile(r"[0-9a-f]{40}")
FETCHED = (
    GitProtocolError,
    HangupException,
    NotGitRepository,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
    KeyError,
)


class _TooMuch(Exception):
    pass


class _Blocked(Exception):
    pass


@dataclass(frozen=True)
class Revision:
    """One commit, and the store that holds its objects."""

    commit: str
    tree: ObjectID
    store: MemoryObjectStore
    where: str

    def read(self, path: str) -> bytes | None:
        """A regular file's bytes; None if there is no such file. Raises SourceError for one that is too large."""
        try:
            _, sha = tree_lookup_path(self.store.__getitem__, self.tree, path.encode())
            found = self.store[sha]
        except (KeyError, NotADirectoryError, ValueError):
            return None
        if not isinstance(found, Blob):
            return None
        if found.raw_length() > MAX_FILE:
            raise _refused(f"{path} of {self.where} is larger than {MAX_FILE >> 20} MiB: DVC's own files are small.")
        return bytes(found.data)

    def files(self, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
        """Path and bytes of the regular files whose path matches as a whole. Raises SourceError for too many."""
        left = MAX_FILES
        for entry in iter_tree_contents(self.store, self.tree):
            path = (entry.path or b"").decode(errors="replace")
            if not stat.S_ISREG(entry.mode or 0) or not wanted.fullmatch(path):
                continue
            left -= 1
            if left < 0:
                raise _refused(f"{self.where} has more than {MAX_FILES} files of DVC.")
            if not is_inside(path) or (content := self.read(path)) is None:
                raise _refused(f"{self.where} has a file whose name leads out of the repository.")
            yield path, content


def is_inside(path: str) -> bool:
    """Whether a path of a tree, which somebody made by hand, stays below the folder that it is written to."""
    return not path.startswith("/") and "\\" not in path and not {"", ".", ".."} & set(path.split("/"))


def login(address: SplitResult, store: str) -> tuple[str, str] | None:
    """User and password for a repository's server; None if there are none. Never for another scheme, host or port.

    `store`: lines as git-credential-store(1) keeps them, such as `https://user:token@git.example.org`.
    """
    for line in store.split():
        try:
            known = urlsplit(line)
            same = (known.scheme, known.hostname, known.port) == (address.scheme, address.hostname, address.port)
        except ValueError:
            continue
        if same and known.username and known.password:
            return unquote(known.username), unquote(known.password)
    return None


def fetch_revision(address: SplitResult, rev: str | None, access: DataAccess) -> Revision:
    """`address`: of the repository, with the scheme https (http where the profile allows it). Raises SourceError."""
    host = dialled_host(address)
    trusted = check_host(host, access)
    where = f"{address.scheme}://{host}{address.path}"
    url = urlunsplit((address.scheme, address.netloc, address.path, "", ""))
    repo = MemoryRepo()
    repo.object_store = _Bounded(time.monotonic() + SECONDS)
    wanted: list[ObjectID] = []

    def wants(refs: Mapping[Any, Any], depth: int | None = None) -> list[ObjectID]:
        wanted.append(choose(refs, rev, where))
        return wanted[-1:]

    user, password = login(address, os.environ.get(CREDENTIALS, "")) or (None, None)
    pool = _Pool(trusted)
    client = HttpGitClient(url, pool_manager=pool, config=None, quiet=True, username=user, password=password)
    try:
        client.fetch(b"", repo, determine_wants=wants, depth=1)
        commit = _commit(repo.object_store, wanted[0])
    except _TooMuch:
        raise _refused(
            f"{where} is too large to be fetched: more than {MAX_PACK >> 20} MiB or {SECONDS:g} s."
        ) from None
    except _Blocked:
        message = f"dataset.uri: {host} resolves to an internal address. An administrator can allow it (data.hosts)."
        raise SourceError("DatasetNotAllowed", message, permanent=True) from None
    except HTTPUnauthorized:
        raise SourceError(
            "DatasetUnreachable",
            f"{where} asks for a user and a password, or there is no such repository: name them in"
            f" {CREDENTIALS} in the Secret heartops-runtime, as https://user:token@{host}.",
            permanent=True,
        ) from None
    except FETCHED as error:
        message = f"{where} could not be fetched as a Git repository ({type(error).__name__}); it is tried again."
        raise SourceError("DatasetUnreachable", message, permanent=False) from error
    return Revision(commit.id.decode(), commit.tree, repo.object_store, where)


def choose(refs: Mapping[Any, Any], rev: str | None, where: str) -> ObjectID:
    """The object of a branch, tag or commit; without a revision of HEAD. Raises SourceError."""
    named = {bytes(name): sha for name, sha in refs.items() if sha}
    names = ["HEAD"] if rev is None else [f"refs/heads/{rev}", f"refs/tags/{rev}"]
    for name in names:
        if name.encode() in named:
            return ObjectID(named[name.encode()])
    if rev and COMMIT.fullmatch(rev):
        return ObjectID(rev.encode())
    raise SourceError(
        "DatasetUnreachable",
        f"{where} has no branch, tag or commit {rev or 'HEAD'}: check dataset.rev (a commit has 40 digits).",
        permanent=True,
    )


def _commit(store: MemoryObjectStore, sha: ObjectID) -> Commit:
    """The commit behind a tag."""
    found = store[sha]
    for _ in range(5):
        if isinstance(found, Commit):
            return found
        if isinstance(found, Tag):
            found = store[found.object[1]]
    raise KeyError(sha)


class _Bounded(MemoryObjectStore):
    """Gives up on a pack that is too large, or that comes too slowly."""

    def __init__(self, ends: float) -> None:
        super().__init__()
        self._ends = ends

    def add_pack(self) -> Any:
        file, commit, abort = super().add_pack()
        write, left = file.write, MAX_PACK

        def bounded(data: Any) -> int:
            nonlocal left
            left -= len(data)
            if left < 0 or time.monotonic() > self._ends:
                raise _TooMuch
            return write(data)

        file.write = bounded  # type: ignore[method-assign]
        return file, commit, abort


class _Pool(urllib3.PoolManager):
    """No proxy, no redirect, no retry, and public addresses only unless an administrator named the host."""

    def __init__(self, trusted: bool) -> None:
        super().__init__(timeout=TIMEOUT, retries=False)
        self._trusted = trusted

    def urlopen(self, method: str, url: str, redirect: bool = True, **more: Any) -> Any:  # type: ignore[override]
        return super().urlopen(method, url, redirect=False, **more)

    def _new_pool(self, scheme: str, host: str, port: int, request_context: Any = None) -> Any:
        pool = super()._new_pool(scheme, host, port, request_context)
        if not self._trusted:
            pool.ConnectionCls = _PublicHttps if scheme == "https" else _PublicHttp
        return pool


def _checked(socket: Any) -> Any:
    """What was dialled, before anything is sent."""
    if not is_public(str(socket.getpeername()[0])):
        socket.close()
        raise _Blocked
    return socket


class _PublicHttp(HTTPConnection):
    def _new_conn(self) -> Any:
        return _checked(super()._new_conn())


class _PublicHttps(HTTPSConnection):
    def _new_conn(self) -> Any:
        return _checked(super()._new_conn())


def _refused(message: str) -> SourceError:
    return SourceError("DatasetNotAllowed", message, permanent=True)
