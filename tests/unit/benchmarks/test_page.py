"""The page of `make bench`: a goal that is missed is said to be missed, and why."""

from pathlib import Path

from benchmarks.contenders import ASGI, FASTAPI, OURS
from benchmarks.goals import Findings, judge
from benchmarks.load import Result
from benchmarks.measure import Effort, Figures
from benchmarks.models import MODELS
from benchmarks.overload import Crowd, Overload
from benchmarks.page import write_page
from benchmarks.plot import draw


def figures(server: str, model: str, records: int, rate: int) -> Figures:
    result = Result(1.0, latencies=[0.001] * rate)
    return Figures(server, model, records, result, 0.001, half_cpu=2 / rate, cpu=1 / rate, cold=0.5, memory=100.0)


def findings(rates: dict[str, int], rejected: float = 0.01) -> Findings:
    crowds = [Crowd(1, Result(1.0, [0.1] * 100), 100.0), Crowd(10, Result(1.0, [0.4] * 95, [rejected] * 900), 100.0)]
    return Findings(
        figures=[
            figures(name, model, size, rate) for name, rate in rates.items() for model in MODELS for size in (1, 100)
        ],
        absent={"Some server": "it is not to be had"},
        installed={OURS: 235.0},
        memory_with_log=(115.0, 140.0),
        overload=Overload(100.0, crowds, 0.97),
        in_turns={other: rates[OURS] / rates[other] for other in (FASTAPI, ASGI)},
    )


GOOD = {OURS: 1000, FASTAPI: 500, ASGI: 1200, "MLServer": 20, "KServe": 30}


def test_every_goal_is_judged() -> None:
    goals = judge(findings(GOOD))
    assert [goal.figure for goal in goals[:3]] == ["2.00×", "0.83×", "33×"]
    assert all(goal.met for goal in goals)


def test_the_page_says_what_was_missed_and_why(tmp_path: Path) -> None:
    found = findings(GOOD | {ASGI: 2000}, rejected=0.2)
    page = write_page(found, Effort(), busy=0.02)
    assert "0.50× | **missed** |" in page
    assert (
        "Missed: requests/s, one record, against the empty ASGI app that parses the JSON. Why: a prediction takes"
        in page
    )
    assert "200.0 ms | **missed** |" in page
    assert "Not measured: Some server: it is not to be had." in page
    draw(found, tmp_path / "plot.svg")
    assert (tmp_path / "plot.svg").read_text().count("<path") > 20
