"""Prometheus' HTTP API: the serving pods' counters as it recorded them."""

import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta

import aiohttp

from heart_operator.manifests.alerting import quoted
from heart_operator.readings import NAMES, Series, Unreadable, parse_vector
from heart_operator.scrape import fetch

TIMEOUT = 10.0
MAX_BYTES = 16 * 1024 * 1024
WINDOW = "10m"
"""A counter that was not scraped for longer is gone; one that missed a scrape did not begin anew."""
SETTLING = timedelta(seconds=2)
"""How late a scraped sample may be stored: a moment is asked for when it is that long ago."""


def series_of(namespace: str, model: str, versions: Iterable[str]) -> str:
    """The series of these versions; whatever the names hold, each stays one value."""
    names, wanted = "|".join(NAMES), "|".join(map(re.escape, versions))
    matchers = (
        f"__name__=~{quoted(names)}",
        f"namespace={quoted(namespace)}",
        f"model_name={quoted(model)}",
        f"model_version=~{quoted(wanted)}",
    )
    return "{" + ",".join(matchers) + "}"


async def query(session: aiohttp.ClientSession, url: str, expression: str, at: datetime) -> dict[Series, float]:
    """An instant query; raises Unreadable, which never shows the address: it may hold a password."""
    words = {"query": expression, "time": f"{(at - SETTLING).timestamp():.3f}"}
    try:
        answer = await fetch(session, f"{url.rstrip('/')}/api/v1/query", words, TIMEOUT, MAX_BYTES)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unreadable(f"Prometheus does not answer ({type(error).__name__})") from None
    if answer.status != 200:
        raise Unreadable(f"Prometheus answers {answer.status}")
    try:
        return parse_vector(json.loads(answer.body))
    except ValueError:
        raise Unreadable("Prometheus' answer is not JSON: is runtimes.*.prometheusUrl its address?") from None


def known_until(series: str) -> str:
    """Each counter's last value before the moment of the query."""
    return f"last_over_time({series}[{WINDOW}])"
