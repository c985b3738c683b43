"""When a restart of the operator helps, and when it would only hurt."""

import pytest

from heart_operator.kube.errors import ApiUnavailable
from heart_operator.telemetry.liveness import STALE_AFTER, Pulse, is_alive


@pytest.mark.parametrize("leads", [True, False])
@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("answers", [True, False])
async def test_only_a_silent_watch_beside_an_answering_api_server_is_fatal(
    leads: bool, silent: bool, answers: bool
) -> None:
    now = [0.0]
    pulse = Pulse(lambda: now[0])
    if leads:
        pulse.beat()
    now[0] += STALE_AFTER + 1 if silent else STALE_AFTER - 1

    async def read_lease() -> None:
        if not answers:
            raise ApiUnavailable("connection refused")

    assert await is_alive(pulse, read_lease) is not (leads and silent and answers)


async def test_a_renewal_that_is_seen_again_revives_the_watch() -> None:
    now = [0.0]
    pulse = Pulse(lambda: now[0])
    pulse.beat()
    now[0] += STALE_AFTER * 2
    assert pulse.is_stale
    pulse.beat()
    assert not pulse.is_stale


async def test_a_fresh_watch_asks_the_api_server_nothing() -> None:
    pulse = Pulse(lambda: 0.0)
    pulse.beat()

    async def read_lease() -> None:
        raise AssertionError("probes must not load the API server")

    assert await is_alive(pulse, read_lease)
