"""The reference profile holds what drift needs."""

import numpy as np
import pytest

from heart_api.referenceprofile import ReferenceProfile
from heart_trainer.package.profile import build_profile
from tests.support.trainer.evaluation_tables import FEATURES, make_oof, make_table, outcomes


def test_profile() -> None:
    y, output = outcomes()
    table = make_table(y)
    written = build_profile(table, FEATURES, make_oof(output)).model_dump_json(by_alias=True)
    age, sex, pain = ReferenceProfile.model_validate_json(written).features
    assert age.quantiles[50] == pytest.approx(float(np.median(table.x[:, 0])), rel=1e-6)
    assert len(age.quantiles) == 101
    assert sex.counts == {"female": int((table.x[:, 1] == 0).sum()), "male": int((table.x[:, 1] == 1).sum())}
    assert pain.missing == pytest.approx(float(np.isnan(table.x[:, 2]).mean()))
    outputs = ReferenceProfile.model_validate_json(written).outputs
    assert outputs["ill"][50] == pytest.approx(float(np.median(output[:, 1])))
