"""Mounted files change while the pod runs: rotation, revocation, another kind of callers, and broken files."""

from pathlib import Path

import pytest

from heart_serving.auth.denied import Denied
from heart_serving.auth.files import AuthFiles
from heart_serving.auth.guard import NOBODY, Guard
from heart_serving.errors import SettingsError
from tests.support.serving.callers import KEY, Mounted, key_set, token

NEW_KEY = "heart_the-key-that-replaces-it"


@pytest.fixture
def mounted(tmp_path: Path) -> Mounted:
    found = Mounted(tmp_path)
    found.allow("clinic", KEY)
    found.require("APIKey")
    return found


def may(guard: Guard, key: str, scope: str = "predict") -> bool:
    try:
        guard.admit([(b"x-api-key", key.encode())], scope)  # type: ignore[arg-type]
    except Denied:
        return False
    return True


async def test_a_key_is_rotated_with_two_valid_ones(mounted: Mounted) -> None:
    files = AuthFiles(mounted.settings)
    guard = files.open()
    seen = []
    for keys in ((KEY,), (KEY, NEW_KEY), (NEW_KEY,)):
        mounted.allow("clinic", *keys)
        await files.refresh(guard)
        seen.append((may(guard, KEY), may(guard, NEW_KEY)))
    assert seen == [(True, False), (True, True), (False, True)]


async def test_a_revoked_key_is_worth_nothing(mounted: Mounted) -> None:
    files = AuthFiles(mounted.settings)
    guard = files.open()
    mounted.revoke("clinic")
    await files.refresh(guard)
    assert not may(guard, KEY)


async def test_a_scope_that_is_taken_away_is_gone(mounted: Mounted) -> None:
    files = AuthFiles(mounted.settings)
    guard = files.open()
    mounted.allow("clinic", KEY, scopes=["feedback"])
    await files.refresh(guard)
    assert (may(guard, KEY), may(guard, KEY, "feedback")) == (False, True)


async def test_a_model_begins_and_ceases_to_ask(mounted: Mounted) -> None:
    mounted.require("None")
    files = AuthFiles(mounted.settings)
    guard = files.open()
    assert guard.admit([], "predict") is NOBODY
    mounted.require("APIKey")
    await files.refresh(guard)
    with pytest.raises(Denied):
        guard.admit([], "predict")
    mounted.require("None")
    await files.refresh(guard)
    assert guard.admit([], "predict") is NOBODY


@pytest.mark.parametrize("text", ["", "{", "[]", '{"type": "Nobody"}', '{"type": "JWT"}', '{"type": 7}'])
async def test_what_cannot_be_read_lets_nobody_in(
    mounted: Mounted, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    files = AuthFiles(mounted.settings)
    guard = files.open()
    mounted.settings.file.write_text(text)
    for _ in range(3):
        await files.refresh(guard)
    assert (may(guard, KEY), may(guard, "another")) == (True, False)
    assert caplog.text.count("callers are admitted as before") == 1
    with pytest.raises(SettingsError, match="HEARTOPS_AUTH_FILE"):
        AuthFiles(mounted.settings).open()


async def test_a_file_that_vanishes_lets_nobody_in(mounted: Mounted) -> None:
    files = AuthFiles(mounted.settings)
    guard = files.open()
    mounted.settings.file.unlink()
    await files.refresh(guard)
    assert (may(guard, KEY), may(guard, "another")) == (True, False)


ENTRIES = [
    "",
    "heart_in-the-clear predict",
    "sha256:00 predict",
    f"sha256:{'0' * 64}",
    f"sha256:{'0' * 64} all",
    f"sha256:{'0' * 64} predict\n" * 3,
    "\xff",
]


@pytest.mark.parametrize("text", ENTRIES)
def test_a_malformed_entry_admits_nobody_and_spoils_no_other(
    mounted: Mounted, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (mounted.settings.keys / "other").write_text(text, encoding="latin-1")
    guard = AuthFiles(mounted.settings).open()
    assert may(guard, KEY)
    for key in ("", "heart_in-the-clear", text):
        assert not may(guard, key)
    assert "in-the-clear" not in caplog.text


def test_a_model_without_keys_says_what_to_do(mounted: Mounted, caplog: pytest.LogCaptureFixture) -> None:
    mounted.revoke("clinic")
    guard = AuthFiles(mounted.settings).open()
    assert not may(guard, KEY)
    assert "kubectl heart key create" in caplog.text


async def test_an_issuers_new_keys_count_and_its_old_ones_do_not(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    from heart_api.authentication import Jwt
    from tests.support.serving.callers import AUDIENCE, ISSUER

    mounted, signer = Mounted(tmp_path), rsa.generate_private_key(65537, 2048)
    mounted.require("JWT", Jwt(issuer=ISSUER, audience=AUDIENCE))
    files = AuthFiles(mounted.settings)
    guard = files.open()
    old, new = token(), token(signer=signer, kid="two")
    assert (may(guard, old), may(guard, new)) == (False, False)
    mounted.publish(key_set())
    await files.refresh(guard)
    assert (may(guard, old), may(guard, new)) == (True, False)
    mounted.publish(key_set(signer, "two"))
    await files.refresh(guard)
    assert (may(guard, old), may(guard, new)) == (False, True)
    mounted.publish("{}")
    await files.refresh(guard)
    assert (may(guard, old), may(guard, new)) == (False, True)
