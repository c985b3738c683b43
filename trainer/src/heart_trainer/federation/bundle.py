"""The Flower app bundle of this release: what a coordinator's run carries, and what a site's code has to agree with.

No site runs code of a bundle: it has its own in its image. The bundle holds the digests of the code that sums, limits
and exchanges are made of, so that its own digest is equal where both ends speak of the same statistics.
"""

import hashlib
import io
import zipfile
from functools import cache
from importlib import resources

PACKAGES = ("heart_trainer.sums", "heart_trainer.federation")
CONFIG = "pyproject.toml"
CONTENT = ".info/CONTENT"
EPOCH = (1980, 1, 1, 0, 0, 0)
PROJECT = """[project]
name = "heartops-federation"
version = "1.0.0"
description = "HeartOps: models from sums. Sites run the code of their own image."
license = "Apache-2.0"
dependencies = ["flwr==1.42.0"]

[tool.flwr.app]
publisher = "heartops"

[tool.flwr.app.components]
serverapp = "heartops_federation:none"
clientapp = "heartops_federation:none"

[tool.flwr.app.config]
"""
MODULE = '''"""Nothing to run: coordinator and sites run the code of their images."""\n\nnone = None\n'''


@cache
def bundle() -> bytes:
    """Equal code gives equal bytes."""
    code = "".join(f"{digest}  {name}\n" for name, digest in _code())
    files = {CONFIG: PROJECT, "heartops_federation/__init__.py": MODULE, "heartops_federation/code.txt": code}
    manifest = "\n".join(_line(path, text.encode()) for path, text in files.items())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in {**files, CONTENT: manifest}.items():
            archive.writestr(zipfile.ZipInfo(path, EPOCH), text)
    return buffer.getvalue()


def bundle_sha256() -> str:
    return f"sha256:{hashlib.sha256(bundle()).hexdigest()}"


def _line(path: str, content: bytes) -> str:
    return f"{path},{hashlib.sha256(content).hexdigest()},{len(content) * 8}"


def _code() -> list[tuple[str, str]]:
    """(module, SHA-256) of everything that requests and answers are made of."""
    found = [
        (f"{package}.{entry.name}", hashlib.sha256(entry.read_bytes()).hexdigest())
        for package in PACKAGES
        for entry in resources.files(package).iterdir()
        if entry.name.endswith(".py")
    ]
    return sorted(found)
