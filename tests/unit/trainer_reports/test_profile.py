"""The reference profile holds what drift needs."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from heart_operator.api.contract import Feature
from heart_operator.api.handover import ReferenceProfile
from heart_trainer.profile import build_profile
from heart_trainer.values import OutOfFoldResult, Table


def test_profile(
    make_table: Callable[..., Table],
    make_oof: Callable[..., OutOfFoldResult],
    features: tuple[Feature, ...],
    binary: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> None:
    table = make_table(binary[0])
    written = build_profile(table, features, make_oof(binary[1])).model_dump_json(by_alias=True)
    age, sex, pain = ReferenceProfile.model_validate_json(written).features
    assert age.quantiles[50] == pytest.approx(float(np.median(table.x[:, 0])), rel=1e-6)
    assert len(age.quantiles) == 101
    assert sex.counts == {"female": int((table.x[:, 1] == 0).sum()), "male": int((table.x[:, 1] == 1).sum())}
    assert pain.missing == pytest.approx(float(np.isnan(table.x[:, 2]).mean()))
    outputs = ReferenceProfile.model_validate_json(written).outputs
    assert outputs["ill"][50] == pytest.approx(float(np.median(binary[1][:, 1])))
