"""Fifty million rows in two gibibytes: a training that takes the node for half an hour, when all others are done."""

from collections.abc import Callable

import pytest

from tests.e2e.cohorts import parquet, trained_in_two_gibibytes, writer_of_claim
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.timeout(7200),
    pytest.mark.outage,
    pytest.mark.skipif(not SOAK, reason="half an hour; in make test-soak"),
]

FILES, ROWS = 10, 5_000_000


def test_ten_files_of_five_million_rows_are_trained_in_two_gibibytes(
    namespace: str, images: dict[str, str], measured: Callable[[str], None]
) -> None:
    write = writer_of_claim(namespace, images["serving"])
    for number in range(FILES):
        write(f"fifty/part-{number}.parquet", parquet(ROWS, seed=number * ROWS))
    trained_in_two_gibibytes(namespace, "fifty", "fifty/", 6000, measured)
