"""Ways to write an internal address that a check of the text alone lets pass."""

from urllib.parse import urlsplit

import pytest

from heart_api.contract import Dataset
from heart_api.handover import DataAccess
from heart_trainer.data.sources.fetch import fetch
from heart_trainer.data.sources.web import dialled_host, is_public
from heart_trainer.errors import SourceError

INTERNAL = (
    "①②⑦.0.0.1",
    "１２７.0.0.1",
    "169。254。169。254",
    "127.1",
    "0x7f.0.0.1",
    "2130706433",
    "[::ffff:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[::127.0.0.1]",
    "[::10.0.0.1]",
    "[::ffff:0:7f00:1]",
    "[fec0::1]",
    "[5f00::1]",
    "[4000::1]",
    "0",
    "0177.0.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "[fd00:ec2::254]",
    "metadata.google.internal",
    "kubernetes.default.svc",
)


@pytest.mark.parametrize("host", INTERNAL)
def test_an_internal_address_is_rejected_however_it_is_written(host: str) -> None:
    dataset = Dataset(uri=f"https://{host}/heart.csv")
    with pytest.raises(SourceError) as rejected:
        fetch(dataset, DataAccess(schemes=("https",)))
    assert rejected.value.reason == "DatasetNotAllowed"


@pytest.mark.parametrize("host", ["exa\\mple.org", "a\\@127.0.0.1", "exa mple.org", "a\x00.org", "%00.org"])
def test_a_host_that_is_none_is_named_as_such(host: str) -> None:
    dataset = Dataset.model_construct(uri=f"https://{host}/heart.csv", sha256=None)
    with pytest.raises(SourceError, match=r"dataset\.uri"):
        fetch(dataset, DataAccess(schemes=("https",)))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::", "64:ff9b::5db8:d822"])
def test_public_addresses_stay_public(address: str) -> None:
    assert is_public(address)


def test_what_is_checked_is_what_is_dialled() -> None:
    assert dialled_host(urlsplit("https://①②⑦.0.0.1/")) == "127.0.0.1"
    assert dialled_host(urlsplit("https://BÜCHER.example./x")) == "xn--bcher-kva.example"
