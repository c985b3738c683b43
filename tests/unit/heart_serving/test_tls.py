"""TLS: over HTTP and gRPC, with certificates that change while the server runs, against peers that never finish."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import grpc
import httpx
import pytest
import trustme

from hack.cluster.ports import free_port
from heart_api import handshakes
from heart_serving.errors import SettingsError
from heart_serving.http.tls import Certificate
from heart_serving.rpc.messages import CLASSES
from heart_serving.server import Server
from tests.support.serving.app import serving
from tests.support.serving.callers import KEY, certificate, with_key
from tests.support.serving.tiny_model import RECORD, tiny_model

NAME = "heart.example"
CA = trustme.CA()


def trust(authority: trustme.CA = CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@asynccontextmanager
async def secured(folder: Path, **settings: object) -> AsyncIterator[tuple[Server, int]]:
    async with serving(tiny_model(), folder, tls=certificate(folder / "tls", CA, NAME), **settings) as found:
        yield found


async def predict(port: int, context: ssl.SSLContext, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=context) as client:
        url = f"https://127.0.0.1:{port}/predict"
        return await client.post(url, json=RECORD, headers=headers, extensions={"sni_hostname": NAME})


async def presented(port: int, context: ssl.SSLContext) -> bytes:
    """The certificate that a new connection sees."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=NAME)
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return found


async def test_predictions_and_keys_go_over_tls(tmp_path: Path) -> None:
    async with secured(tmp_path, auth=with_key(tmp_path)) as (_, port):
        assert (await predict(port, trust())).status_code == 401
        assert (await predict(port, trust(), **{"X-API-Key": KEY})).status_code == 200
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            await predict(port, trust(trustme.CA()))


async def test_requests_without_tls_are_not_answered(tmp_path: Path) -> None:
    async with secured(tmp_path) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: heart\r\n\r\n")
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                assert b"HTTP" not in await reader.read()
        writer.close()


async def test_old_versions_of_tls_are_refused(tmp_path: Path) -> None:
    async with secured(tmp_path) as (_, port):
        context = trust()
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await presented(port, context)


async def test_many_requests_on_one_connection(tmp_path: Path) -> None:
    async with secured(tmp_path) as (_, port), httpx.AsyncClient(verify=trust()) as client:
        for records in (1, 3, 1000):
            reply = await client.post(
                f"https://127.0.0.1:{port}/predict", json=[RECORD] * records, extensions={"sni_hostname": NAME}
            )
            assert len(reply.json()["predictions"]) == records


async def test_a_renewed_certificate_is_presented_without_a_restart(tmp_path: Path) -> None:
    async with secured(tmp_path) as (server, port):
        found = server.application.certificate
        assert found is not None
        before = await presented(port, trust())
        certificate(tmp_path / "tls", CA, NAME)
        found.refresh()
        after = await presented(port, trust())
        assert after != before
        (tmp_path / "tls" / "tls.key").write_text("half of a change")
        found.refresh()
        assert await presented(port, trust()) == after


@pytest.mark.parametrize("missing", ["tls.crt", "tls.key"])
def test_a_server_without_its_certificate_does_not_start(tmp_path: Path, missing: str) -> None:
    folder = certificate(tmp_path / "tls", CA)
    (folder / missing).unlink()
    with pytest.raises(SettingsError, match=r"tls\.crt and tls\.key"):
        Certificate(folder)


async def test_a_handshake_has_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little of it comes at a time."""
    monkeypatch.setattr(handshakes, "HANDSHAKE_SECONDS", 0.3)
    async with secured(tmp_path) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01\x02\x00")  # a ClientHello of 512 bytes that never comes
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
        assert (await predict(port, trust())).status_code == 200


async def test_peers_that_never_finish_a_handshake_keep_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "MAX_HANDSHAKES", 4)
    async with secured(tmp_path) as (_, port):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for _ in range(3):
            assert (await predict(port, trust())).status_code == 200
        for _, writer in silent:
            writer.close()


async def test_grpc_goes_over_tls_and_follows_a_renewal(tmp_path: Path) -> None:
    port = free_port()
    tensors = CLASSES["ModelInferRequest"](model_name="heart").SerializeToString()
    async with secured(tmp_path, grpc_port=port) as (server, _):
        found = server.application.certificate
        assert found is not None
        for authority in (CA, trustme.CA()):
            certificate(tmp_path / "tls", authority, NAME)
            found.refresh()
            credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
            options = [("grpc.ssl_target_name_override", NAME)]
            async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
                call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await call(tensors)
                assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT  # it arrived: it has no inputs
