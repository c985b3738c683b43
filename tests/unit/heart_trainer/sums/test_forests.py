"""A union of forests answers as all of their trees do, and arrays that are no trees never become one."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import Pipeline

from heart_trainer.fit import families
from heart_trainer.fit.families import Setting
from heart_trainer.fit.onnx_export import predict, run_onnx, to_bytes
from heart_trainer.sums.additive import StatisticRejected
from heart_trainer.sums.describe import prepare
from heart_trainer.sums.forests import grown, trees_for, union
from tests.support.trainer.pooled import FEATURES, cohort, holders, run, study

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 4)).astype(np.float32)
X[RNG.random(X.shape) < 0.1] = np.nan
Y = (np.nan_to_num(X[:, 0]) + RNG.normal(size=400) > 0).astype(int)


def test_a_union_is_the_mean_of_its_trees() -> None:
    forests = [
        RandomForestClassifier(count, random_state=count).fit(X[start : start + 200], Y[start : start + 200])
        for start, count in ((0, 3), (200, 7))
    ]
    joined = union(grown(forest) for forest in forests)
    trees = [tree for forest in forests for tree in forest.estimators_]
    expected = np.mean([tree.predict_proba(X) for tree in trees], axis=0)
    np.testing.assert_allclose(joined.predict_proba(X), expected)
    assert len(joined.estimators_) == 10


def test_a_regression_is_joined_as_well() -> None:
    forest = RandomForestRegressor(4, random_state=0).fit(X, np.nan_to_num(X[:, 1]))
    np.testing.assert_allclose(union([grown(forest)]).predict(X), forest.predict(X))


def test_a_union_in_todays_pipeline_becomes_an_onnx_file() -> None:
    """Sites share the imputation that their summed histograms give."""
    rows = cohort(900, 1)
    trained = run(study(penalties=(10.0,)), [rows])
    setting = Setting(FEATURES, False, 0)
    sites, parts = holders(rows, 3), []
    pipeline = families.build("random-forest", families.defaults("random-forest"), setting)
    pipeline["prepare"].fit(rows.x)
    preparation = prepare(trained.description, FEATURES, tuple(range(5)))
    for _, steps, columns in pipeline["prepare"].transformers_:
        if isinstance(steps, Pipeline):
            np.testing.assert_allclose(steps["impute"].statistics_, np.array(preparation.fills)[columns], atol=1e-6)
    for site, count in zip(sites, trees_for([len(site) for site in sites], 30), strict=True):
        forest = RandomForestClassifier(count, min_samples_leaf=5, random_state=0)
        parts.append(grown(forest.fit(pipeline["prepare"].transform(site.x), site.y.astype(int))))
    pipeline.steps[-1] = ("model", union(parts))
    answers = run_onnx(to_bytes(pipeline, rows.x.shape[1]), rows.x)
    np.testing.assert_allclose(answers, predict(pipeline, rows.x), atol=1e-5)


def test_trees_are_shared_out_by_rows() -> None:
    assert trees_for([100, 300], 40) == (10, 30)
    assert trees_for([1, 100_000], 150) == (1, 150)


GOOD = grown(RandomForestClassifier(2, max_depth=3, random_state=0).fit(np.nan_to_num(X), Y))


def with_value(name: str, place: object, value: object) -> dict[str, object]:
    changed = getattr(GOOD, name).copy()
    changed[place] = value
    return {name: changed}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_value("children", (0, 0), 0), "do not come after their parent"),
        (with_value("children", (0, 1), 10**6), "outside their tree"),
        (with_value("children", (0, 0), -5), "do not come after their parent"),
        (with_value("feature", 0, 99), "feature: is outside the columns"),
        (with_value("feature", 0, -3), "feature: is outside the columns"),
        (with_value("threshold", 0, np.nan), "hold NaN or infinity"),
        (with_value("values", 0, [2.0, -1.0]), "are no shares of classes"),
        (with_value("values", 0, [0.4, 0.4]), "are no shares of classes"),
        (with_value("sizes", 0, 10**9), "nodes; a forest has"),
        (with_value("sizes", 0, -1), "nodes; a forest has"),
        ({"rows": GOOD.rows[:-1]}, "rows: expected int64"),
        ({"threshold": GOOD.threshold.astype(object)}, "threshold: expected float64"),
        ({"classes": 3}, "values: expected float64"),
    ],
)
def test_arrays_that_are_no_trees_are_rejected(change: dict[str, object], message: str) -> None:
    with pytest.raises(StatisticRejected, match=message):
        replace(GOOD, **change)  # type: ignore[arg-type]


def test_unlike_forests_have_no_union() -> None:
    other = grown(RandomForestClassifier(2, random_state=0).fit(X[:, :3], Y))
    with pytest.raises(StatisticRejected, match="different columns"):
        union([GOOD, other])
