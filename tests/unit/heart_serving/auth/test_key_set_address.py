"""The issuer's keys at an https address: fetched, followed, and never the cause of an open or a dead server."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

from heart_api.authentication import Jwt
from heart_serving.auth import files as files_module
from heart_serving.auth.denied import Denied
from heart_serving.auth.files import AuthFiles
from heart_serving.auth.guard import Guard
from heart_serving.auth.keyset import MAX_BYTES, fetch_key_set
from tests.support.serving.callers import AUDIENCE, ISSUER, Mounted, key_set, token


class Issuer:
    """Answers as it is told."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (200, key_set().encode())
        self.asked: list[str] = []
        self.url = ""


@pytest.fixture
def issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    found, authority = Issuer(), trustme.CA()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            status, body = found.answer
            self.send_response(status)
            self.send_header("Location", "https://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"https://127.0.0.1:{server.server_port}/realms/clinic/keys"
    yield found
    server.shutdown()
    server.server_close()


def test_the_document_at_an_address(issuer: Issuer) -> None:
    assert fetch_key_set(f"{issuer.url}?v=1") == key_set().encode()
    assert issuer.asked == ["/realms/clinic/keys?v=1"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, b""), "answers 404"),
        ((302, b""), "answers 302"),
        ((200, b"a" * (MAX_BYTES + 1)), "more than"),
    ],
)
def test_what_is_no_key_set_is_an_error(issuer: Issuer, answer: tuple[int, bytes], words: str) -> None:
    issuer.answer = answer
    with pytest.raises(OSError, match=words):
        fetch_key_set(issuer.url)


def test_a_server_that_nobody_vouches_for_is_not_believed(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ssl.SSLCertVerificationError):
        fetch_key_set(issuer.url)


def test_an_authority_of_ones_own_vouches_alone(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = (tmp_path / "ca.pem").read_bytes()
    assert fetch_key_set(issuer.url, trustme.CA().cert_pem.bytes() + own) == key_set().encode()
    with pytest.raises(ssl.SSLCertVerificationError):
        fetch_key_set(issuer.url, trustme.CA().cert_pem.bytes())
    monkeypatch.delenv("SSL_CERT_FILE")
    assert fetch_key_set(issuer.url, own) == key_set().encode(), "the image's authorities do not know it"


@pytest.mark.parametrize("text", [b"no certificate", "Zertifikat für".encode(), b"-----BEGIN CERTIFICATE-----\nx\n"])
def test_authorities_that_are_no_certificates_are_an_error(issuer: Issuer, text: bytes) -> None:
    with pytest.raises(OSError, match=r"ca\.crt in its ConfigMap"):
        fetch_key_set(issuer.url, text)
    assert issuer.asked == []


async def test_the_authority_is_read_from_the_config_map(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "FETCH_SECONDS", 0.0)
    monkeypatch.delenv("SSL_CERT_FILE")
    mounted = Mounted(tmp_path)
    mounted.require("JWT", Jwt(issuer=ISSUER, audience=AUDIENCE, jwks_url=issuer.url))
    files = AuthFiles(mounted.settings)
    guard = files.open()
    await files.refresh(guard)
    assert (may(guard, token()), guard.keys) == (False, 0)
    mounted.trust((tmp_path / "ca.pem").read_text())
    await files.refresh(guard)
    assert (may(guard, token()), guard.keys) == (True, 1)


def may(guard: Guard, credential: str) -> bool:
    try:
        guard.admit([(b"authorization", b"Bearer " + credential.encode())], "predict")
    except Denied:
        return False
    return True


async def test_a_server_follows_its_issuer(issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "FETCH_SECONDS", 0.0)
    mounted, signer = Mounted(tmp_path), rsa.generate_private_key(65537, 2048)
    mounted.require("JWT", Jwt(issuer=ISSUER, audience=AUDIENCE, jwks_url=issuer.url))
    files = AuthFiles(mounted.settings)
    guard = files.open()
    old, new = token(), token(signer=signer, kid="two")
    assert not may(guard, old), "no keys were read yet"
    seen = []
    for answer in (
        (200, key_set().encode()),
        (503, b""),
        (200, b"not a key set"),
        (200, key_set(signer, "two").encode()),
    ):
        issuer.answer = answer
        await files.refresh(guard)
        seen.append((may(guard, old), may(guard, new)))
    assert seen == [(True, False), (True, False), (True, False), (False, True)]


async def test_a_server_starts_while_its_issuer_is_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = Mounted(tmp_path)
    mounted.require("JWT", Jwt(issuer=ISSUER, audience=AUDIENCE, jwks_url="https://127.0.0.1:1/keys"))
    files = AuthFiles(mounted.settings)
    guard = files.open()
    await files.refresh(guard)
    assert not may(guard, token())
    assert "callers are admitted as before" in caplog.text
