"""Go's caches are deleted once the binaries are built, and the build does not wait for it."""

import time
from pathlib import Path

import pytest

from hack.cluster import gobuild


def test_caches_are_deleted_with_what_an_interrupted_deletion_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gobuild, "cache_dir", lambda: tmp_path)
    for folder in ("go-build", f"{gobuild.DROPPED}1"):
        module = tmp_path / folder / "mod"
        module.mkdir(parents=True)
        (module / "file.go").touch()
        module.chmod(0o555)  # as Go leaves its modules
    gobuild.drop_caches()
    assert not (tmp_path / "go-build").exists()
    deadline = time.monotonic() + 30
    while list(tmp_path.iterdir()):
        assert time.monotonic() < deadline, "the deletion has not ended"
        time.sleep(0.05)
