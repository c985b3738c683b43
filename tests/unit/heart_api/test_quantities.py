from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from heart_api.quantities import amount, bounded, largest, smallest
from heart_api.resources import Amounts, Resources


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("500m", "0.5"), ("2", "2"), ("0.5", "0.5"), ("1Ki", "1024"), ("1.5Gi", "1610612736"), ("2M", "2000000")],
)
def test_reads_quantities(quantity, expected):
    assert amount(quantity) == Decimal(expected)


@pytest.mark.parametrize("quantity", ["", "1GB", "-1", "1 Gi", "Gi", "1e3", "0", "0m", "0.0", "1\n"])
def test_rejects_anything_else(quantity):
    with pytest.raises(ValueError, match="write it like"):
        amount(quantity)
    with pytest.raises(ValidationError):
        Amounts(cpu=quantity)


def test_numbers_are_quantities_too():
    assert Amounts.model_validate({"cpu": 2}).cpu == "2"


@pytest.mark.parametrize("value", [0, -1, True, 0.5])
def test_but_not_every_number(value):
    with pytest.raises(ValidationError):
        Amounts.model_validate({"cpu": value})


def test_compares_what_is_given_and_keeps_how_it_was_written():
    assert smallest("1Gi", None, "1000Mi") == "1000Mi"
    assert largest("1", "1001m", None) == "1001m"
    assert smallest(None, None) is None


DEFAULT = Resources(requests=Amounts(cpu="100m", memory="160Mi"), limits=Amounts(cpu="1", memory="512Mi"))
CAPS = Amounts(cpu="4", memory="4Gi")


def resources(**parts: dict[str, str]) -> Resources:
    return Resources.model_validate(parts)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, DEFAULT),
        (resources(), DEFAULT),
        # one amount given, the others stay
        (
            resources(requests={"cpu": "250m"}),
            DEFAULT.model_copy(update={"requests": Amounts(cpu="250m", memory="160Mi")}),
        ),
        # a request above the default limit raises the limit
        (
            resources(requests={"cpu": "2"}),
            resources(requests={"cpu": "2", "memory": "160Mi"}, limits={"cpu": "2", "memory": "512Mi"}),
        ),
        # a limit below the default request lowers the request
        (
            resources(limits={"memory": "100Mi"}),
            resources(requests={"cpu": "100m", "memory": "100Mi"}, limits={"cpu": "1", "memory": "100Mi"}),
        ),
        # the caps hold for both
        (
            resources(requests={"cpu": "9"}, limits={"cpu": "10", "memory": "1Ti"}),
            resources(requests={"cpu": "4", "memory": "160Mi"}, limits={"cpu": "4", "memory": "4Gi"}),
        ),
    ],
)
def test_user_default_and_cap(wanted, expected):
    assert bounded(wanted, DEFAULT, CAPS) == expected


QUANTITIES = st.none() | st.integers(1, 10_000).map(lambda n: f"{n}m") | st.integers(1, 100).map(lambda n: f"{n}Gi")
AMOUNTS = st.builds(Amounts, cpu=QUANTITIES, memory=QUANTITIES)


@given(st.builds(Resources, requests=AMOUNTS, limits=AMOUNTS), AMOUNTS)
def test_never_above_the_caps_and_no_request_above_its_limit(wanted, caps):
    found = bounded(wanted, DEFAULT, caps)
    for name in ("cpu", "memory"):
        request, limit, cap = (getattr(part, name) for part in (found.requests, found.limits, caps))
        assert amount(request) <= amount(limit)
        assert cap is None or amount(limit) <= amount(cap)
