"""The files of an image that say what is installed in it, read from a docker-archive without an engine."""

import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

INVENTORY = re.compile(
    r"var/lib/dpkg/status(\.d/[^/]+)?|(usr/lib|etc)/os-release|(.+/)?[^/]+\.(dist-info/METADATA|egg-info(/PKG-INFO)?)"
    r"|etc/apt/sources\.list(\.d/[^/]+)?|usr/share/keyrings/debian-archive-keyring\.[gp]+"
)
"""Beside what is installed, where Debian's packages came from and whose signatures apt accepts (for the scan)."""
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"


@dataclass(frozen=True)
class ImageFiles:
    """An image's configuration, and the files that `INVENTORY` names by path (without a leading slash)."""

    config: dict[str, Any]
    files: dict[str, bytes]


def read_image(archive: Path) -> ImageFiles:
    """Read the only image of an archive that `docker save`, `buildah push` or the cluster tool wrote."""
    with tarfile.open(archive) as tar:
        (manifest,) = json.load(_member(tar, "manifest.json"))
        config = json.load(_member(tar, manifest["Config"]))
        files: dict[str, bytes] = {}
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=_member(tar, layer)) as content:
                _apply_layer(files, content)
    return ImageFiles(config, files)


def _apply_layer(files: dict[str, bytes], layer: tarfile.TarFile) -> None:
    """Put a layer's files over those of the layers below. A whiteout removes a path, or all that a folder held."""
    added: dict[str, bytes] = {}
    for member in layer:
        path = PurePosixPath(member.name.removeprefix("./"))
        if path.name.startswith(WHITEOUT):
            hidden = path.parent if path.name == OPAQUE else path.parent / path.name.removeprefix(WHITEOUT)
            for name in [name for name in files if PurePosixPath(name).is_relative_to(hidden)]:
                del files[name]
        elif (member.isfile() or member.islnk()) and INVENTORY.fullmatch(str(path)):
            added[str(path)] = _member(layer, member).read()
    files.update(added)


def _member(tar: tarfile.TarFile, member: str | tarfile.TarInfo) -> IO[bytes]:
    handle = tar.extractfile(member)
    if handle is None:
        raise ValueError(f"{member} is not a file")
    return handle
