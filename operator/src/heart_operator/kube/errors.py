"""What the API server's refusals mean to us.

ApiError
├── NotFound      404
├── Conflict      409, 412: somebody else was quicker, or the object is another one; reconcile again
├── Refused       400, 403, 422: the request itself is wrong or not allowed; a person must act
└── ApiUnavailable  no answer, 429 or 5xx: try again later
    └── TooLarge    an answer that we do not keep in memory
"""

import json
from collections.abc import Mapping


class ApiError(Exception):
    """The API server did not do what was asked; the text holds its own words."""


class NotFound(ApiError):
    """There is no such object."""


class Conflict(ApiError):
    """The object is not as it was observed."""


class Refused(ApiError):
    """Invalid or forbidden; the same request fails again."""


class ApiUnavailable(ApiError):
    """No answer, or not now."""


class TooLarge(ApiUnavailable):
    """The answer has more bytes than one answer may have."""


class NotLeading(Exception):
    """The Lease is no longer ours: nothing may be written."""


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
    default = ApiUnavailable if status >= 500 else Refused
    return ERRORS.get(status, default)(f"{what}: {message} ({status})")


def pause_asked(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds after which the same request may be sent once more; None: its answer stands.

    A 429 with Retry-After was turned away before anything was done: by priority and fairness, or while the storage of
    a CustomResourceDefinition starts. client-go waits and asks again, too.
    """
    asked = headers.get("Retry-After", "")
    return float(asked) if status == 429 and asked.isdecimal() else None
