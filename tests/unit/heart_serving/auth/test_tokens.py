"""Tokens that are forged, confused, stale or for somebody else."""

import base64
import json
import time
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from heart_api.authentication import Jwt
from heart_serving.auth.denied import Denied
from heart_serving.auth.tokens import Tokens, read_key_set
from tests.support.serving.app import in_process
from tests.support.serving.callers import AUDIENCE, ISSUER, PUBLIC_PEM, SIGNER, key_set, token, with_tokens
from tests.support.serving.tiny_model import RECORD, tiny_model

RULES = Jwt(issuer=ISSUER, audience=AUDIENCE)
OTHER_RSA, OTHER_EC = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
NOW = int(time.time())


def tokens(**rules: Any) -> Tokens:
    return Tokens(Jwt(issuer=ISSUER, audience=AUDIENCE, **rules), read_key_set(key_set().encode()))


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(algorithm: str) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 3600, "scope": "predict"}
    return f"{part({'alg': algorithm, 'kid': 'one'})}.{part(claims)}."


def hmac_with_the_public_key() -> str:
    """The confusion of a verifier that takes the algorithm from the token."""
    import hashlib
    import hmac

    body = f"{part({'alg': 'HS256', 'kid': 'one'})}.{unsigned('none').split('.')[1]}"
    signature = hmac.new(PUBLIC_PEM, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


FORGED = {
    "alg none": unsigned("none"),
    "alg None": unsigned("None"),
    "alg NONE": unsigned("nOnE"),
    "HMAC with the public key": hmac_with_the_public_key(),
    "another's signature": token(signer=OTHER_RSA),
    "another algorithm": token(signer=OTHER_EC, algorithm="ES256"),
    "its own key in the header": token(signer=OTHER_RSA, jwk=json.loads(key_set(OTHER_RSA))["keys"][0]),
    "the address of its own keys": token(signer=OTHER_RSA, jku="https://attacker.example/jwks.json"),
    "an unknown key": token(kid="two"),
    "a path as key": token(kid="../../etc/passwd"),
    "another issuer": token({"iss": "https://attacker.example"}),
    "the issuer and more": token({"iss": f"{ISSUER}.attacker.example"}),
    "no issuer": token({"iss": None}),
    "another audience": token({"aud": "kidney"}),
    "no audience": token({"aud": None}),
    "no end": token({"exp": None}),
    "an end that is no number": token({"exp": "never"}),
    "an end that no clock knows": token({"exp": 10**400}),
    "a subject that no database stores": token({"sub": "a\0b"}),
    "a subject that is no text": token({"sub": "\ud800"}),
    "not yet": token({"nbf": NOW + 7200}),
    "changed claims": ".".join([token().split(".")[0], part({"scope": "predict"}), token().split(".")[2]]),
    "no signature": token().rpartition(".")[0] + ".",
    "a part missing": token().rpartition(".")[0],
    "empty parts": "..",
    "too long": token({"sub": "a" * 9000}),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_token_that_is_not_the_issuers_for_us_is_worth_nothing(name: str) -> None:
    assert tokens().find(FORGED[name].encode()) is None


def test_a_good_one_is_worth_its_scopes() -> None:
    found = tokens().find(token({"scope": "openid predict feedback"}).encode())
    assert found is not None
    assert (found.name, found.scopes) == ("jwt", {"predict", "feedback"})


def test_one_that_has_expired_says_so_and_the_skew_is_granted() -> None:
    with pytest.raises(Denied, match="expired"):
        tokens().find(token({"exp": int(time.time()) - 60}).encode())
    assert tokens(clock_skew_seconds=300).find(token({"exp": int(time.time()) - 60}).encode()) is not None


def test_one_that_expires_is_not_remembered_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(hours=2)

    found, good = tokens(clock_skew_seconds=0), token().encode()
    assert found.find(good) is not None
    later = time.time() + 7200
    monkeypatch.setattr(time, "time", lambda: later)
    monkeypatch.setattr(jwt.api_jwt, "datetime", Later)
    with pytest.raises(Denied, match="expired"):
        found.find(good)


@pytest.mark.parametrize(
    ("claims", "prefix", "scopes"),
    [
        ({"scope": "predict explain"}, "", {"predict", "explain"}),
        ({"scope": ["predict"]}, "", {"predict"}),
        ({"scope": None, "scp": "feedback"}, "", {"feedback"}),
        ({"scope": "heart:predict predict"}, "heart:", {"predict"}),
        ({"scope": "predict"}, "heart:", set()),
        ({"scope": "predictions Predict pre dict"}, "", set()),
        ({"scope": {"predict": True}}, "", set()),
        ({"scope": None}, "", set()),
    ],
)
def test_scopes_are_read_as_the_standards_have_them(claims: dict[str, Any], prefix: str, scopes: set[str]) -> None:
    found = tokens(scope_prefix=prefix).find(token(claims).encode())
    assert found is not None
    assert found.scopes == scopes


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "{}",
        '{"keys": []}',
        '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}',
        '{"keys": [{"kty": "RSA"}]}',
        '{"keys": "RSA"}',
        '{"keys": [7]}',
    ],
)
def test_a_key_set_without_public_keys_is_none(document: str) -> None:
    with pytest.raises(ValueError, match="JSON Web Key Set"):
        read_key_set(document.encode())


@given(st.binary(max_size=200) | st.lists(st.text(max_size=40), min_size=3, max_size=3).map(".".join).map(str.encode))
def test_whatever_comes_is_no_error(credential: bytes) -> None:
    assert tokens().find(credential) is None


@given(
    st.dictionaries(
        st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "scope", "scp", "sub", "jti"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=9)
        | st.lists(st.integers(), max_size=2),
    )
)
def test_whatever_the_issuer_signs_is_no_error(claims: dict[str, Any]) -> None:
    signed = jwt.api_jws.encode(json.dumps(claims).encode(), SIGNER, "RS256", headers={"kid": "one"})
    with suppress(Denied):
        tokens().find(signed.encode())


async def test_a_server_takes_tokens_in_both_ways(tmp_path: Path) -> None:
    served = in_process(tiny_model(), tmp_path, fast_path=True, auth=with_tokens(tmp_path))

    async def status(path: str, credential: str) -> int:
        reply = await served.client.post(path, json=RECORD, headers={"Authorization": f"Bearer {credential}"})
        return reply.status_code

    assert await status("/predict", token()) == 200
    assert await status("/explain", token()) == 403
    assert await status("/predict", token({"scope": "explain"})) == 403
    assert await status("/predict", token({"exp": NOW - 7200})) == 401
    assert await status("/predict", unsigned("none")) == 401
    assert served.application.predictor.metrics.admission.denied == {
        "missing": 0,
        "invalid": 1,
        "expired": 1,
        "scope": 2,
    }
