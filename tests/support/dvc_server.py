"""A Git server and an HTTP remote of DVC, in this process. Files are as `dvc add` and `dvc push` leave them."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, make_server

from dulwich import porcelain
from dulwich.repo import Repo
from dulwich.server import DictBackend
from dulwich.web import make_wsgi_chain


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class DvcServer:
    """/repo.git is the repository, everything else the remote's files, the remote itself below /store."""

    def __init__(self, folder: Path, address: str) -> None:
        self.repo = Repo.init(str(folder / "repo"), mkdir=True)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.redirect = ""
        self.login = ""
        """`user:password` that Git asks for; empty: nobody has to log in."""
        git = make_wsgi_chain(DictBackend({"/repo.git": self.repo}))

        def app(environ: dict[str, Any], start: Any) -> Any:
            path = environ["PATH_INFO"]
            self.asked.append(path)
            if self.redirect:
                start("302 Found", [("Location", self.redirect)])
                return [b""]
            if path.startswith("/repo.git"):
                wanted = base64.b64encode(self.login.encode()).decode()
                if self.login and environ.get("HTTP_AUTHORIZATION") != f"Basic {wanted}":
                    start("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="git"')])
                    return [b""]
                return git(environ, start)
            found = self.files.get(path)
            start("200 OK" if found is not None else "404 Not Found", [("Content-Length", str(len(found or b"")))])
            return [found or b""]

        self.http = make_server(address, 0, app, handler_class=Quiet)
        self.url = f"http://{address}:{self.http.server_port}"

    @classmethod
    @contextmanager
    def running(cls, folder: Path, address: str = "127.0.0.1") -> Iterator[Self]:
        found = cls(folder, address)
        threading.Thread(target=found.http.serve_forever, daemon=True).start()
        try:
            yield found
        finally:
            found.http.shutdown()
            found.http.server_close()

    def uri(self, path: str) -> str:
        return f"dvc+{self.url}/repo.git#{path}"

    def commit(self, files: dict[str, str | bytes]) -> str:
        """Content by path; returns the commit."""
        root = Path(self.repo.path)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            porcelain.add(self.repo, [str(path)])
        sha = porcelain.commit(self.repo, message=b"x", author=b"a <a@b>", committer=b"a <a@b>")
        return bytes(sha).decode()

    def tag(self, name: str) -> None:
        porcelain.tag_create(self.repo, name.encode(), author=b"a <a@b>", message=b"x", annotated=True)

    def config(self, url: str = "", extra: str = "") -> str:
        return f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {url or self.url + '/store'}\n{extra}"

    def push(self, content: bytes) -> None:
        self.files[stored(content)] = content

    def replace(self, content: bytes, other: bytes) -> None:
        """Another file in the place of the pushed one."""
        self.files[stored(content)] = other

    def track(self, content: bytes, path: str, more: dict[str, str | bytes] | None = None) -> str:
        """Pushed, and committed with its pointer; `more` goes over what is committed."""
        self.push(content)
        pointer = pointer_to(md5(content), path.rpartition("/")[2])
        return self.commit({".dvc/config": self.config(), f"{path}.dvc": pointer} | (more or {}))


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def stored(content: bytes, suffix: str = "") -> str:
    """Its path in a remote, as DVC 3 has it."""
    return f"/store/files/md5/{md5(content)[:2]}/{md5(content)[2:]}{suffix}"


def pointer_to(digest: str, path: str = "heart.csv", extra: str = "  hash: md5\n") -> str:
    """A .dvc file."""
    return f"outs:\n- md5: {digest}\n  size: 21\n{extra}  path: {path}\n"
