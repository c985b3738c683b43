"""Sizes of images, as registries count them: compressed layers."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from hack import images
from hack.images import IMAGES, Built, megabytes, print_sizes


def archive(folder: Path, name: str, layers: list[bytes]) -> Path:
    path = folder / f"{name}.tar"
    names = [f"{place}/layer.tar" for place in range(len(layers))]
    with tarfile.open(path, "w") as image:
        for file, data in [
            ("manifest.json", json.dumps([{"Layers": names}]).encode()),
            *zip(names, layers, strict=True),
        ]:
            entry = tarfile.TarInfo(file)
            entry.size = len(data)
            image.addfile(entry, io.BytesIO(data))
    return path


def test_layers_count_as_they_are_compressed(tmp_path: Path) -> None:
    compressed, unpacked = megabytes(archive(tmp_path, "serving", [bytes(3_000_000), bytes(1_000_000)]))
    assert unpacked == 4
    assert 0 < compressed < 0.1


def test_an_image_that_is_too_large_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = {image.name: Built("x", str(archive(tmp_path, image.name, [b"a"]))) for image in IMAGES}
    print_sizes(built)
    monkeypatch.setattr(images, "megabytes", lambda path: (251.0, 600.0))
    with pytest.raises(SystemExit, match="serving has more than 250 MB"):
        print_sizes(built)
