"""Prometheus' HTTP API: the serving pods' counters as it recorded them."""

import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import aiohttp

from heart_operator.manifests.alerting import quoted
from heart_operator.traffic.counters import NAMES, Series, Unreadable, parse_scrapes, parse_vector
from heart_operator.traffic.scrape import fetch

TIMEOUT = 10.0
MAX_BYTES = 16 * 1024 * 1024
WINDOW = "10m"
"""A counter that was not scraped for longer is gone; one that missed a scrape did not begin anew."""
SETTLING = timedelta(seconds=2)
"""Maximum delay before a scraped sample is stored; a time is queried only when it is that long ago."""


def series_of(namespace: str, model: str, versions: Iterable[str], names: Iterable[str] = NAMES) -> str:
    """The series of these versions; whatever the names hold, each stays one value."""
    wanted = "|".join(map(re.escape, versions))
    matchers = (
        f"__name__=~{quoted('|'.join(names))}",
        f"namespace={quoted(namespace)}",
        f"model_name={quoted(model)}",
        f"model_version=~{quoted(wanted)}",
    )
    return "{" + ",".join(matchers) + "}"


async def read_counters(session: aiohttp.ClientSession, url: str, series: str, at: datetime) -> dict[Series, float]:
    """What an expression is worth at a moment; raises Unreadable."""
    return parse_vector(await query(session, url, series, at))


async def read_scrapes(session: aiohttp.ClientSession, url: str, requests: str, at: datetime) -> dict[str, datetime]:
    """When each version was scraped last before the moment; raises Unreadable."""
    newest = f"max by (model_version) (timestamp({requests}))"
    return parse_scrapes(await query(session, url, newest, at))


def seen_at(at: datetime) -> datetime:
    """The moment up to which a query about `at` knows everything."""
    return at - SETTLING


async def query(session: aiohttp.ClientSession, url: str, expression: str, at: datetime) -> Any:
    """An instant query; raises Unreadable, which never shows the address: it may hold a password."""
    parameters = {"query": expression, "time": f"{seen_at(at).timestamp():.3f}"}
    try:
        answer = await fetch(session, f"{url.rstrip('/')}/api/v1/query", parameters, TIMEOUT, MAX_BYTES)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unreadable(f"Prometheus does not answer ({type(error).__name__})") from None
    if answer.status != 200:
        raise Unreadable(f"Prometheus answers {answer.status}")
    try:
        return json.loads(answer.body)
    except ValueError:
        raise Unreadable("Prometheus' answer is not JSON: is runtimes.*.prometheusUrl its address?") from None


def known_until(series: str) -> str:
    """Each counter's last value before the moment of the query."""
    return f"last_over_time({series}[{WINDOW}])"
