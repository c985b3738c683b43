"""`prediction_confidence_ratio`: how sure the predictions were, for two classes and more; a regression has none."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from heart_serving.protocols.confidence import ConfidenceCounts
from heart_serving.protocols.output_bins import FEW_ROWS
from tests.support.serving.app import InProcess, in_process
from tests.support.serving.tiny_model import RECORD, tiny_model

LABELS = ("none", "mild", "severe")


async def samples(served: InProcess) -> dict[str, float]:
    """Cumulative counts by upper edge, and the sum."""
    text = (await served.management.get("/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    found = families["prediction_confidence_ratio"].samples if "prediction_confidence_ratio" in families else []
    return {sample.labels.get("le", sample.name.rpartition("_")[2]): sample.value for sample in found}


async def test_the_probability_of_the_predicted_class_is_counted(tmp_path: Path) -> None:
    served = in_process(tiny_model(task="multiclass", classes=(0, 1, 2), labels=LABELS), tmp_path)
    answers = [(await served.client.post("/predict", json=RECORD | {"age": age})).json() for age in (30, 60, 90)]
    highest = [max(answer["probabilities"].values()) for answer in answers]
    found = await samples(served)
    assert found["sum"] == pytest.approx(sum(highest), abs=1e-5)
    assert found["+Inf"] == found["count"] == 3
    assert found["0.5"] == sum(share <= 0.5 for share in highest)


async def test_a_regression_has_no_confidence(tmp_path: Path) -> None:
    served = in_process(tiny_model(task="regression"), tmp_path)
    await served.client.post("/predict", json=RECORD)
    assert await samples(served) == {}


@given(st.lists(st.floats(0.5, 1, width=32), min_size=FEW_ROWS + 1, max_size=3 * FEW_ROWS))
def test_many_rows_count_as_few_do(shares: list[float]) -> None:
    outputs = np.array([[1 - share, share] for share in shares], dtype=np.float32)
    together, alone = ConfidenceCounts(), ConfidenceCounts()
    together.add(outputs)
    for row in outputs:
        alone.add(row[np.newaxis])
    assert together.counts == alone.counts
    assert together.sum == pytest.approx(alone.sum)


def test_an_edge_belongs_to_the_bucket_that_it_closes() -> None:
    counts = ConfidenceCounts()
    counts.add(np.array([[0.5, 0.5]], dtype=np.float32))
    assert dict(counts.buckets())["0.5"] == 1
    assert dict(counts.buckets())["0.4"] == 0
