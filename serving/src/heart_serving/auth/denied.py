"""Requests that are not admitted, in the words of RFC 6750."""

from typing import Literal

from heart_api.authentication import KEY_HEADER, Scope
from heart_serving.errors import Problem

Reason = Literal["missing", "invalid", "expired", "scope"]
REASONS: tuple[Reason, ...] = ("missing", "invalid", "expired", "scope")
REALM = 'Bearer realm="heartops"'


class Denied(Problem):
    """401 or 403. It does not say whether a key was ever valid. Neither counts as an answer of the model."""

    def __init__(self, status: int, reason: Reason, message: str, challenge: str) -> None:
        super().__init__(status, message, {"WWW-Authenticate": challenge})
        self.reason: Reason = reason


def no_credential() -> Denied:
    text = f"this model requires a key or token: send Authorization: Bearer KEY, or {KEY_HEADER}: KEY"
    return Denied(401, "missing", text, REALM)


def bad_credential(reason: Reason = "invalid") -> Denied:
    text = "the token has expired" if reason == "expired" else "the key or token is not valid for this model"
    return Denied(401, reason, text, f'{REALM}, error="invalid_token"')


def lacks_scope(scope: Scope) -> Denied:
    text = f"the key or token lacks the scope {scope}"
    return Denied(403, "scope", text, f'{REALM}, error="insufficient_scope", scope="{scope}"')
