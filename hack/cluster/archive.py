"""Writing image archives (docker-archive format) without any engine: layers in, one tar out."""

import hashlib
import io
import json
import tarfile
from pathlib import Path


def tar_layer(target: Path, files: dict[str, Path]) -> None:
    """Write a layer tar of files by their path in the image; all owned by root, with a fixed time."""
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for folder in _folders(files):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        for name, source in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = source.stat().st_size, 0o755
            with source.open("rb") as handle:
                tar.addfile(entry, handle)


def write_archive(target: Path, reference: str, layers: list[Path], config: dict) -> None:
    """Combine layer tars and an image config (Env, Entrypoint …) into one archive named `reference`."""
    digests = [_sha256(layer) for layer in layers]
    # buildah refuses to build on an image whose history tells of fewer layers than it has.
    history = [{"created": "1970-01-01T00:00:00Z", "created_by": "heartops"} for _ in layers]
    image = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": config,
            "history": history,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{d}" for d in digests]},
        }
    ).encode()
    config_name = hashlib.sha256(image).hexdigest() + ".json"
    manifest = json.dumps(
        [{"Config": config_name, "RepoTags": [reference], "Layers": [f"{d}.tar" for d in digests]}]
    ).encode()
    partial = target.with_suffix(".partial")
    with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as tar:
        _add_bytes(tar, "manifest.json", manifest)
        _add_bytes(tar, config_name, image)
        for layer, layer_digest in zip(layers, digests, strict=True):
            tar.add(layer, f"{layer_digest}.tar")
    partial.rename(target)


def references(archive: Path) -> list[str]:
    """The image names an archive carries."""
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))
    return [tag for entry in manifest for tag in entry.get("RepoTags") or []]


def _folders(files: dict[str, Path]) -> list[str]:
    parents = {str(parent) for name in files for parent in Path(name).parents if str(parent) != "."}
    return sorted(parents | {"tmp"})


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
