"""Keys from the row key: the same in every pod, another one for every name and purpose."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from heart_api.federation import SiteRef
from heart_trainer.federation import keys
from heart_trainer.federation.bundle import bundle, bundle_sha256

ROW_KEY = "r" * 48
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def test_a_sites_key_is_its_own_and_always_the_same() -> None:
    texts = {
        keys.public_text(keys.node_key(ROW_KEY, "north", "hospital")),
        keys.public_text(keys.node_key(ROW_KEY, "south", "hospital")),
        keys.public_text(keys.node_key(ROW_KEY, "north", "clinic")),
        keys.public_text(keys.node_key(ROW_KEY[1:], "north", "hospital")),
        keys.public_text(keys.authority(ROW_KEY, "north", "hospital").key),
    }
    assert len(texts) == 5
    assert keys.public_text(keys.node_key(ROW_KEY, "north", "hospital")) in texts


def test_names_cannot_be_shifted_into_each_other() -> None:
    one, other = keys.node_key(ROW_KEY, "a", "b-c"), keys.node_key(ROW_KEY, "a-b", "c")
    assert keys.public_text(one) != keys.public_text(other)


def test_a_public_key_fits_into_a_site() -> None:
    text = keys.public_text(keys.node_key(ROW_KEY, "north", "hospital"))
    assert SiteRef(namespace="north", name="hospital", public_key=text).public_key == text
    assert keys.public_bytes(text).startswith(b"-----BEGIN PUBLIC KEY-----")


def test_the_authority_is_byte_equal_so_that_it_can_be_pinned() -> None:
    one, again = (keys.authority(ROW_KEY, "clinic", "heart") for _ in range(2))
    assert one.pem == again.pem
    assert one.pem != keys.authority(ROW_KEY, "clinic", "lung").pem
    assert len(one.pem) < 1500  # beside the bundle's digest in a termination message


def test_it_issues_certificates_for_servers_and_no_further_authorities() -> None:
    found = keys.authority(ROW_KEY, "clinic", "heart")
    pem, key = found.issue(["heart-fleet.clinic.svc", "127.0.0.1"], NOW)
    leaf = x509.load_pem_x509_certificate(pem)
    leaf.verify_directly_issued_by(found.certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["heart-fleet.clinic.svc"]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert load_pem_private_key(key, None).public_key() == leaf.public_key()


def test_a_key_of_ones_own_is_read_back() -> None:
    data = keys.new_key()
    assert isinstance(keys.read_key(data), ec.EllipticCurvePrivateKey)
    assert keys.new_key() != data


@pytest.mark.parametrize("data", [b"", b"-----BEGIN EC PRIVATE KEY-----\nx\n-----END EC PRIVATE KEY-----"])
def test_what_is_no_key_is_said(data: bytes) -> None:
    with pytest.raises(keys.BadKey, match="site key"):
        keys.read_key(data)
    with pytest.raises(keys.BadKey, match="public key"):
        keys.public_bytes("ssh-rsa nothing")


def test_equal_code_gives_equal_bundles() -> None:
    first = bundle()
    bundle.cache_clear()
    assert bundle() == first
    assert bundle_sha256().startswith("sha256:")
