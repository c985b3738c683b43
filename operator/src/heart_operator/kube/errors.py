"""Errors of the API server, by what the caller can do about them.

ApiError
├── NotFound         404
├── Conflict         409, 412: changed by another client, or another object of this name; reconcile again
├── RequestRejected  400, 403, 422: the request is invalid or not allowed; a user must act
└── ApiUnavailable   no answer, 429 or 5xx: retry later
    └── TooLarge     the response exceeds the memory limit
"""

import json
from collections.abc import Mapping


class ApiError(Exception):
    """A request failed; the text contains the API server's message."""


class NotFound(ApiError):
    """There is no such object."""


class Conflict(ApiError):
    """The object is not as it was observed."""


class RequestRejected(ApiError):
    """Invalid or forbidden; the same request fails again."""


class ApiUnavailable(ApiError):
    """No answer, or not now."""


class TooLarge(ApiUnavailable):
    """The answer has more bytes than one answer may have."""


class NotLeading(Exception):
    """This replica no longer holds the Lease: nothing may be written."""


ERRORS: Mapping[int, type[ApiError]] = {
    404: NotFound,
    409: Conflict,
    410: ApiUnavailable,  # the page token of a long list expired
    412: Conflict,
    429: ApiUnavailable,
}


def failure(what: str, status: int, content: bytes) -> ApiError:
    """The exception for an answer, with the API server's message."""
    try:
        message = json.loads(content)["message"]
    except (ValueError, KeyError, TypeError):
        message = content[:200].decode(errors="replace")
    default = ApiUnavailable if status >= 500 else RequestRejected
    return ERRORS.get(status, default)(f"{what}: {message} ({status})")


def pause_asked(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds after which the same request may be retried once; None if the response is final.

    A 429 with Retry-After was rejected before any work was done: by priority and fairness, or while the storage of a
    CustomResourceDefinition starts. client-go waits and retries as well.
    """
    asked = headers.get("Retry-After", "")
    return float(asked) if status == 429 and asked.isdecimal() else None
