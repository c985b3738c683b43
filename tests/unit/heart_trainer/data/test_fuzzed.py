"""Whatever stands in a manifest or an address, a person reads what is wrong, and no traceback."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from heart_api.handover import DataAccess
from heart_trainer.data.sources import mounts
from heart_trainer.data.sources.web import check_host
from heart_trainer.errors import SourceError
from heart_trainer.manifest import BadManifest, read_manifest

HEAD = {"apiVersion": "heartops.dev/v1alpha1", "kind": "HeartModel"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
PARTS = st.dictionaries(st.sampled_from(["spec", "status", "kind"]), JSON, max_size=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed")


@given(st.text(max_size=200) | PARTS.map(lambda parts: json.dumps(HEAD | parts)) | JSON.map(yaml.safe_dump))
def test_no_manifest_ends_in_a_traceback(folder: Path, text: str) -> None:
    assume("metadata" not in text)  # the test below
    path = folder / "model.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(BadManifest, match=r"model\.yaml"):
        read_manifest(path, "t")


def test_metadata_that_is_no_mapping(folder: Path) -> None:
    path = folder / "model.yaml"
    path.write_text(json.dumps(HEAD | {"metadata": "heart"}))
    with pytest.raises(BadManifest, match=r"model\.yaml: metadata: must be a mapping"):
        read_manifest(path, "t")


@given(st.binary(max_size=200))
def test_no_bytes_end_in_a_traceback(folder: Path, content: bytes) -> None:
    path = folder / "model.yaml"
    path.write_bytes(content)
    with pytest.raises(BadManifest, match=r"model\.yaml"):
        read_manifest(path, "t")


INSIDE = st.one_of(
    st.ip_addresses(network="10.0.0.0/8"), st.ip_addresses(network="127.0.0.0/8"), st.ip_addresses(network="fd00::/8")
).map(str)


@given(INSIDE | st.from_regex(r"[a-z0-9-]{1,20}(\.svc|\.cluster\.local|\.internal)?", fullmatch=True))
def test_nothing_inside_is_let_through(host: str) -> None:
    assume(not host.isdigit() and not host.startswith("0x"))  # spellings of IPv4 addresses, public ones among them
    with pytest.raises(SourceError, match="internal address"):
        check_host(host, DataAccess(schemes=("https",), hosts=()))


@given(st.text(st.characters(exclude_characters="\0"), max_size=40))
def test_hosts_are_taken_or_rejected(host: str) -> None:
    try:
        assert check_host(host, DataAccess(schemes=("https",), hosts=())) is False
    except SourceError as error:
        reason = error.reason
        assert reason == "DatasetNotAllowed"


def test_a_null_character_in_a_host() -> None:
    with pytest.raises(SourceError, match="a character that no host has") as rejected:
        check_host("a\0.example.org", DataAccess(schemes=("https",), hosts=()))
    assert (rejected.value.reason, rejected.value.permanent) == ("DatasetNotAllowed", True)


@given(st.text(st.characters(codec="utf-8", exclude_characters="?#%\0"), max_size=30), st.integers(0, 4))
def test_no_path_leaves_its_volume(folder: Path, tail: str, ups: int) -> None:
    (folder / "pvc/claim").mkdir(parents=True, exist_ok=True)
    (folder / "secret").write_text("not yours")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mounts, "ROOT", folder)
        with pytest.raises(SourceError):
            mounts.read(urlsplit(f"pvc://claim/{'../' * ups}{tail}"), DataAccess())


def test_a_null_character_in_a_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "ROOT", folder)
    with pytest.raises(SourceError, match=r"null character \(%00\)") as rejected:
        mounts.read(urlsplit("pvc://claim/%00"), DataAccess())
    assert (rejected.value.reason, rejected.value.permanent) == ("DatasetUnreachable", True)
