"""Arithmetic on Kubernetes quantities (`500m`, `1Gi`), as far as requests and limits need it.

Source of the suffixes: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from decimal import Decimal

from heart_api.resources import QUANTITY_PATTERN, Amounts, Resources

FACTORS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
}
NOTHING = Amounts()


def amount(quantity: str) -> Decimal:
    """`500m` → 0.5, `1Ki` → 1024.

    Raises:
        ValueError: not a quantity.
    """
    if not re.fullmatch(QUANTITY_PATTERN, quantity):
        raise ValueError(f"{quantity!r} is not a quantity; write it like 500m or 512Mi")
    number, suffix = re.match(r"([0-9.]+)(.*)", quantity).groups()  # type: ignore[union-attr]
    return Decimal(number) * FACTORS[suffix]


def smallest(*quantities: str | None) -> str | None:
    """The smallest of those that are given, as it was written."""
    return min((quantity for quantity in quantities if quantity is not None), key=amount, default=None)


def largest(*quantities: str | None) -> str | None:
    """The largest of those that are given, as it was written."""
    return max((quantity for quantity in quantities if quantity is not None), key=amount, default=None)


def bounded(wanted: Resources | None, default: Resources, caps: Amounts) -> Resources:
    """What a container gets: the user's amounts, else the default's; never above `caps`, no request above its limit.

    A request above the default limit raises that limit (up to the cap); a limit below the default request lowers
    that request.
    """
    user_requests, user_limits = (wanted and wanted.requests) or NOTHING, (wanted and wanted.limits) or NOTHING
    default_requests, default_limits = default.requests or NOTHING, default.limits or NOTHING
    limits = Amounts(
        cpu=smallest(user_limits.cpu or largest(default_limits.cpu, user_requests.cpu), caps.cpu),
        memory=smallest(user_limits.memory or largest(default_limits.memory, user_requests.memory), caps.memory),
    )
    requests = Amounts(
        cpu=smallest(user_requests.cpu or default_requests.cpu, limits.cpu),
        memory=smallest(user_requests.memory or default_requests.memory, limits.memory),
    )
    return Resources(requests=requests, limits=limits)
