"""The termination message always fits, and always reads back."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heart_api.handover import TrainingOutcome, TrainingResult
from heart_trainer.outcome import LIMIT, encode, failed, write_outcome


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=6000))
def test_any_message_fits(message: str) -> None:
    data = encode(failed("DataInvalid", message))
    assert len(data) <= LIMIT
    outcome = TrainingOutcome.model_validate_json(data)
    assert outcome.failure is not None
    assert outcome.failure.message[:500] == message[:500]


@pytest.mark.parametrize("character", ["\x00", '"', "ÿ", "心", "\U0001f9e0"])
def test_the_worst_characters_fit(character: str) -> None:
    assert len(encode(failed("DataInvalid", character * 100_000))) <= LIMIT


def test_a_result_is_written_where_the_kubelet_looks(tmp_path: Path) -> None:
    result = TrainingResult(version="7", run_id="r", artifact_sha256="sha256:a", evaluation_sha256="sha256:b")
    write_outcome(str(tmp_path / "log"), TrainingOutcome(result=result))
    assert TrainingOutcome.model_validate_json((tmp_path / "log").read_bytes()).result == result
