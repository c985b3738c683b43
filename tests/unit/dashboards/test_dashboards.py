"""The dashboards are what hack/dashboards describes; every query is asked somewhere, and no panel lies on another."""

import re

import pytest

from hack.dashboards.__main__ import FOLDER, rendered
from tests.support.apiserver.dashboard import DASHBOARDS, MEASURED_ELSEWHERE, OF_HISTORY, all_queries, load


def test_the_written_files_are_up_to_date() -> None:
    assert {path.name: path.read_text() for path in FOLDER.glob("*.json")} == rendered()


def test_every_query_is_asked_of_a_real_prometheus() -> None:
    """On a node, or with a history; a query that both leave out is asked by nobody."""
    left_out = [query for query in all_queries() if MEASURED_ELSEWHERE.search(query.expression)]
    assert [str(query) for query in left_out if OF_HISTORY.search(query.expression)] == []


FIGURES = {
    **{
        f"latency p{of}": ("model", rf"histogram_quantile\({share}, .*prediction_latency_seconds_bucket")
        for of, share in ((50, "0.5"), (95, "0.95"), (99, "0.99"))
    },
    "throughput": ("model", r"rate\(http_requests_total"),
    "predictions": ("model", r"rate\(predictions_total"),
    "errors": ("model", r'http_requests_total\{.*code=~"5\.\."'),
    "share of 422": ("model", r'http_requests_total\{.*code="422"'),
    **{name: ("model", rf"model_{name}\{{") for name in ("accuracy", "precision", "recall", "f1", "rmse", "mae")},
    "confidence": ("model", r"increase\(prediction_confidence_ratio_bucket"),
    "drift": ("model", r"heartops_drift_share"),
    "retraining": ("model", r"heartops_retraining_last_success"),
    **{f"CPU of {board}": (board, r"_cpu_.*seconds_total") for board in ("model", "operator", "registry")},
    **{f"memory of {board}": (board, r"_memory_") for board in ("model", "operator", "registry")},
    "volumes": ("registry", r"kubelet_volume_stats_used_bytes"),
    "MLflow": ("registry", r"rate\(mlflow_http_request_total"),
    "database": ("registry", r"pg_database_size_bytes"),
    "running rollouts": ("rollouts", r"heartops_candidate_weight"),
    "deployment frequency": ("rollouts", r'heartops_rollouts_total\{.*result=~"promoted".* / \(\$__range_s / 86400\)'),
    "lead time": ("rollouts", r"heartops_lead_time_seconds_bucket"),
    "change failure rate": ("rollouts", r'result=~"rejected\|rolled_back".*/.*result=~"promoted\|rejected"'),
    "time to restore": ("rollouts", r"heartops_time_to_restore_seconds_bucket"),
    "experiment": ("model", r'heartops_experiment_arm\{.*part!="count"'),
}


@pytest.mark.parametrize("figure", FIGURES)
def test_what_people_look_for_has_a_panel(figure: str) -> None:
    """Panels come and go; these figures stay. That their queries return data is asked of a real Prometheus."""
    board, query = FIGURES[figure]
    assert [each for each in all_queries() if each.board == board and re.search(query, each.expression)], figure


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
