"""What makes contributions Shapley values, on random trees, linear models and functions: nothing is lost, who does
nothing gets nothing, and equals get equal shares."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heart_api.explanation import EncodedColumn, Explanation
from heart_model.explain.encoding import as_rows
from heart_model.explain.explained import Explainer
from heart_model.explain.kernel import COALITIONS, KernelExplainer, choose_coalitions
from heart_model.explain.linear import LinearExplainer
from heart_model.explain.treefile import Trees
from heart_model.explain.trees import TreeExplainer

Array = NDArray[np.floating[Any]]
FEATURES = 4
OUTPUTS = 2
TWINS = (0, 1)
"""Two features that the symmetric models treat alike."""
IDLE = 3
"""A feature that no model reads."""


def random_trees(seed: int, count: int = 6) -> Trees:
    """Trees over all features but IDLE, some of a single leaf; thresholds on a grid, so that rows meet them exactly."""
    rng = np.random.default_rng(seed)
    nodes: list[tuple[int, float, int, int, bool, Array]] = []

    def grow(depth: int) -> int:
        place = len(nodes)
        if depth == 0 or rng.random() < 0.2:
            nodes.append((0, 0.0, -1, -1, True, rng.normal(size=OUTPUTS)))
            return place
        nodes.append((0, 0.0, -1, -1, False, np.zeros(OUTPUTS)))
        left, right = grow(depth - 1), grow(depth - 1)
        column, threshold = int(rng.integers(IDLE)), float(rng.integers(-2, 3))
        nodes[place] = (column, threshold, left, right, False, np.zeros(OUTPUTS))
        return place

    while len(nodes) < 3 * count:
        grow(4)
    column, threshold, left, right, leaf, values = (np.array(part) for part in zip(*nodes, strict=True))
    return Trees(column, threshold.astype(np.float32), left, right, leaf, values, rng.normal(size=OUTPUTS))


def walk(trees: Trees, rows: Array) -> Array:
    """What the trees add up to, one row and one tree at a time."""
    children = {*trees.left[~trees.leaf].tolist(), *trees.right[~trees.leaf].tolist()}
    totals = []
    for row in rows:
        total = trees.base.copy()
        for root in set(range(len(trees.leaf))) - children:
            node = root
            while not trees.leaf[node]:
                goes_left = row[trees.column[node]] <= trees.threshold[node]
                node = int(trees.left[node] if goes_left else trees.right[node])
            total += trees.values[node]
        totals.append(total)
    return np.array(totals)


def with_twins(trees: Trees) -> Trees:
    """The same trees once more, with the twins' places changed."""
    shift = len(trees.leaf)
    swap = np.array([1, 0, *range(2, FEATURES)])
    return replace(
        trees,
        column=np.append(trees.column, swap[trees.column]),
        threshold=np.tile(trees.threshold, 2),
        left=np.append(trees.left, trees.left + shift),
        right=np.append(trees.right, trees.right + shift),
        leaf=np.tile(trees.leaf, 2),
        values=np.tile(trees.values, (2, 1)),
    )


def shipped(seed: int, **fields: Any) -> Explanation:
    """Background rows in which the twins are alike."""
    rows = np.random.default_rng(seed + 1).integers(-3, 4, (5, FEATURES)).astype(float)
    background = np.vstack([rows, rows[:, [1, 0, 2, 3]]])
    return Explanation(
        method="tree",
        unit="target",
        background=background.tolist(),
        fills=(0.0,) * FEATURES,
        columns=tuple(EncodedColumn(feature=index) for index in range(FEATURES)),
        **fields,
    )


def tree_explainer(seed: int) -> Explainer:
    return TreeExplainer(with_twins(random_trees(seed)), shipped(seed), FEATURES)


def kernel_explainer(seed: int) -> Explainer:
    trees = with_twins(random_trees(seed))
    return KernelExplainer(lambda rows: walk(trees, rows), shipped(seed), list(range(FEATURES)))


def linear_explainer(seed: int) -> Explainer:
    weights = np.random.default_rng(seed).normal(size=(OUTPUTS, FEATURES))
    weights[:, 1], weights[:, IDLE] = weights[:, 0], 0
    return LinearExplainer(shipped(seed, coefficients=weights.tolist(), intercepts=(0.3, -2.0)), FEATURES)


rows_strategy = st.lists(st.integers(-3, 3), min_size=FEATURES, max_size=FEATURES)


@pytest.mark.parametrize("build", [tree_explainer, kernel_explainer, linear_explainer])
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), row=rows_strategy)
def test_nothing_is_lost_idlers_get_nothing_and_twins_the_same(
    build: Callable[[int], Explainer], seed: int, row: list[int]
) -> None:
    row[1] = row[0]
    found = build(seed)(np.array([row], np.float32))
    total = found.base + found.contributions[0].sum(axis=0)
    np.testing.assert_allclose(total, found.outputs[0], atol=1e-9)
    np.testing.assert_allclose(found.contributions[0, IDLE], 0, atol=1e-12)
    np.testing.assert_allclose(found.contributions[0, TWINS[0]], found.contributions[0, TWINS[1]], atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), row=rows_strategy)
def test_leaf_by_leaf_and_by_asking_agree(seed: int, row: list[int]) -> None:
    rows = np.array([row], np.float32)
    trees, asked = tree_explainer(seed)(rows), kernel_explainer(seed)(rows)
    np.testing.assert_allclose(trees.outputs, walk(with_twins(random_trees(seed)), rows), atol=1e-9)
    np.testing.assert_allclose(trees.base, asked.base, atol=1e-9)
    np.testing.assert_allclose(trees.contributions, asked.contributions, atol=1e-9)


def test_a_category_is_one_player_and_missing_values_are_filled() -> None:
    """Two of its columns must be 0 at once, which no record and no mixture can tell apart from its third value."""
    columns = tuple(EncodedColumn(feature=0, code=code) for code in range(3))
    both_zero = Trees(
        column=np.array([0, 1, 0, 0, 0]),
        threshold=np.full(5, 0.5, np.float32),
        left=np.array([1, 2, -1, -1, -1]),
        right=np.array([3, 4, -1, -1, -1]),
        leaf=np.array([False, False, True, True, True]),
        values=np.array([[0.0], [0.0], [8.0], [0.0], [0.0]]),
        base=np.zeros(1),
    )
    explanation = Explanation(
        method="tree", unit="target", background=((0, 0), (1, 5)), fills=(2.0, 0.0), columns=columns
    )
    found = TreeExplainer(both_zero, explanation, 2)(as_rows([(2, 1), (None, 1), (0, 1)]))
    assert found.base.tolist() == [0.0]
    assert found.contributions[:, :, 0].tolist() == [[8.0, 0.0], [8.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("players", [1, 2, 9, 10, 13, 40, 300])
def test_coalitions_are_all_there_are_or_as_many_as_asked_for(players: int) -> None:
    budget = COALITIONS + 2 * players
    masks, weights = choose_coalitions(players, budget)
    sizes = masks.sum(axis=1)
    assert len(np.unique(masks, axis=0)) == len(masks)
    assert not np.isin(sizes, (0, players)).any()
    assert (weights > 0).all()
    if players < 10:
        assert len(masks) == 2**players - 2
    else:
        assert budget - 2 <= len(masks) <= budget + 1
        differences = masks[:, :-1].astype(float) - masks[:, -1:]
        assert np.linalg.matrix_rank(differences) == players - 1, "enough to tell all players apart"
    for size in set(sizes.tolist()):
        assert weights[sizes == size].sum() == pytest.approx(weights[sizes == players - size].sum())
