"""The dashboards are what hack/dashboards describes; every query is asked somewhere, and no panel lies on another."""

import pytest

from hack.dashboards.__main__ import FOLDER, rendered
from tests.support.apiserver.dashboard import DASHBOARDS, MEASURED_ELSEWHERE, OF_HISTORY, all_queries, load


def test_the_written_files_are_up_to_date() -> None:
    assert {path.name: path.read_text() for path in FOLDER.glob("*.json")} == rendered()


def test_every_query_is_asked_of_a_real_prometheus() -> None:
    """On a node, or with a history; a query that both leave out is asked by nobody."""
    left_out = [query for query in all_queries() if MEASURED_ELSEWHERE.search(query.expression)]
    assert [str(query) for query in left_out if OF_HISTORY.search(query.expression)] == []


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_fill_the_grid_without_overlapping(path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in load(path)["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells


def test_dashboards_and_panels_have_names_of_their_own() -> None:
    boards = [load(path) for path in DASHBOARDS]
    assert len({board["uid"] for board in boards}) == len(boards)
    for board in boards:
        titles = [panel["title"] for panel in board["panels"] if panel["type"] != "row"]
        assert sorted(set(titles)) == sorted(titles)
        assert all(panel["description"] for panel in board["panels"] if panel["type"] != "row")
