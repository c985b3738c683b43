"""Asks DVC's own library where a tracked file is. Run as a program, in a process of its own (`dvc.py` starts it).

stdin: `Question` as JSON; stdout: `Answer` as JSON. Only DVC's small files of one commit are in the folder, the
remotes are given, and the process has neither credentials nor a network: DVC interprets, and fetches nothing. What it
does need, the list of a directory's files, it asks for (`outcome: list`) and gets by the same readers as any dataset.

Nothing of heart_trainer is imported here, so that any interpreter with DVC can run this file.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any, Literal, NotRequired, TypedDict

REFUSED = (
    "socket.connect",
    "socket.getaddrinfo",
    "socket.sendto",
    "subprocess.Popen",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.system",
)


class Question(TypedDict):
    root: str
    path: str
    remotes: dict[str, str]
    """By name; URLs alone."""
    default: str


class Answer(TypedDict):
    """`file`: url, md5 and legacy. `list`: of the directory, with url and md5; it belongs into the file `cache`.

    `directory`: the path is one. `untracked`, `no remote`, `wrong` (with message), `no dvc`.
    """

    outcome: Literal["file", "list", "directory", "untracked", "no remote", "wrong", "no dvc"]
    url: NotRequired[str]
    md5: NotRequired[str]
    legacy: NotRequired[bool]
    cache: NotRequired[str]
    message: NotRequired[str]


def alone(event: str, _: tuple[Any, ...]) -> None:
    """An audit hook. Raises PermissionError for connections and processes, whoever asks for them."""
    if event in REFUSED:
        raise PermissionError(f"{event} is not allowed while DVC reads a repository")


def find(question: Question) -> Answer:
    """Where DVC has the file. Any exception of DVC's is an answer."""
    try:
        from dvc.config import NoRemoteError, RemoteConfigError  # noqa: PLC0415  only one image has it
        from dvc.exceptions import OutputNotFoundError  # noqa: PLC0415
        from dvc.repo import Repo  # noqa: PLC0415
        from dvc_data.index import DataIndexDirError, StorageKeyError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return {"outcome": "no dvc", "message": str(error)}
    try:
        with Repo(question["root"], config=settings(question)) as repo:
            try:
                return describe(*repo.get_data_index_entry(question["path"]))
            except DataIndexDirError:
                return describe(*tracked_parent(repo, question["path"], DataIndexDirError))
    except OutputNotFoundError:
        return {"outcome": "untracked"}
    except (NoRemoteError, RemoteConfigError, StorageKeyError):
        return {"outcome": "no remote"}
    except Exception as error:  # whatever DVC raises about somebody's files
        return {"outcome": "wrong", "message": " ".join(str(error).split())[:300]}


def settings(question: Question) -> dict[str, Any]:
    """In place of the repository's own configuration."""
    remotes = {name: {"url": url} for name, url in question["remotes"].items()}
    core = {"no_scm": True, "analytics": False, "check_update": False, "remote": question["default"]}
    return {"core": {key: value for key, value in core.items() if value != ""}, "remote": remotes}


def tracked_parent(repo: Any, path: str, is_inside: type[Exception]) -> tuple[Any, Any]:
    """Index and entry of the directory that DVC tracks and whose list it does not have yet."""
    parts = path.split("/")
    for length in range(len(parts) - 1, 0, -1):
        try:
            index, entry = repo.get_data_index_entry("/".join(parts[:length]))
        except is_inside:
            continue
        if entry.hash_info:
            return index, entry
    raise ValueError(f"the directory around {path} is not to be found")


def describe(index: Any, entry: Any) -> Answer:
    name, value = (entry.hash_info.name, entry.hash_info.value) if entry.hash_info else (None, None)
    if value is None:
        return {"outcome": "directory"} if entry.meta and entry.meta.isdir else {"outcome": "untracked"}
    if not str(name).startswith("md5"):
        return {"outcome": "wrong", "message": f"its hash is {name}; only MD5 is read"}
    system, path = index.storage_map.get_remote(entry)
    place = {"url": system.unstrip_protocol(path), "md5": value.removesuffix(".dir"), "legacy": name != "md5"}
    if not value.endswith(".dir"):
        return {"outcome": "file", **place}  # type: ignore[typeddict-item]
    return {"outcome": "list", "cache": index.storage_map.get_cache(entry)[1], **place}  # type: ignore[typeddict-item]


def main(answer: Callable[[Question], Answer] = find) -> None:
    sys.addaudithook(alone)
    question: Question = json.load(sys.stdin)
    os.chdir(question["root"])  # DVC takes a path as relative to where it runs
    print(json.dumps(answer(question)))


if __name__ == "__main__":
    main()
